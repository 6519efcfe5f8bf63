//! The suite that every store must pass: by one server, and by several in turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use railsbench_emulators::postgres::Cluster;
use railsbench_server::store::Store;
use railsbench_server::store::conformance::{CASES, Subject};

use crate::steps::open;

/// What outlives a power failure is not the subject here.
const NO_WAITING: &str = "fsync=off";

/// Servers on one database; each step is done by the next one.
struct InTurn(Vec<Arc<dyn Store>>, AtomicUsize);

#[async_trait]
impl Subject for InTurn {
    async fn store(&self) -> Arc<dyn Store> {
        let turn = self.1.fetch_add(1, Ordering::Relaxed);
        Arc::clone(&self.0[turn % self.0.len()])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server() {
    let cluster = Cluster::start_with(&[NO_WAITING]);
    for (number, case) in CASES.iter().enumerate() {
        println!("{}", case.name);
        let url = cluster.create_database(&format!("case_{number}"));
        let store: Arc<dyn Store> = Arc::new(open(&url).await);
        case.check(&store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_servers_in_turn() {
    let cluster = Cluster::start_with(&[NO_WAITING]);
    for (number, case) in CASES.iter().enumerate() {
        println!("{}", case.name);
        let url = cluster.create_database(&format!("case_{number}"));
        let mut stores: Vec<Arc<dyn Store>> = Vec::new();
        for _ in 0..3 {
            stores.push(Arc::new(open(&url).await));
        }
        case.check(&InTurn(stores, AtomicUsize::new(0))).await;
    }
}
