//! Our stores pass the suite that every store must pass; the durable one also when it is closed
//! and opened between any two steps.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use railsbench_server::store::conformance::{CASES, Subject};
use railsbench_server::store::{MemoryStore, SqliteStore, Store};

/// Opens the file anew whenever the store is asked for.
struct Reopened(PathBuf);

#[async_trait]
impl Subject for Reopened {
    async fn store(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&self.0).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    for case in CASES {
        println!("{}", case.name);
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        case.check(&store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite() {
    for case in CASES {
        println!("{}", case.name);
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(&folder.path().join("railsbench.db")).unwrap());
        case.check(&store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_reopened_between_steps() {
    for case in CASES {
        println!("{}", case.name);
        let folder = tempfile::tempdir().unwrap();
        case.check(&Reopened(folder.path().join("railsbench.db"))).await;
    }
}
