//! The suite that every provider must pass.

use std::sync::Arc;
use std::time::Duration;

use railsbench_core::provider::Shape;
use railsbench_providers::conformance::{Subject, check};
use railsbench_providers::docker::Daemon;

use crate::fixture::{Turn, left, new_run, provider, request};

#[tokio::test]
async fn the_provider_passes() {
    let _turn = Turn::take().await;
    let facts = Daemon::from_environment().facts();
    let shape = |vcpus, gib: u64| Shape {
        arch: facts.arch,
        vcpus: Some(vcpus),
        memory_bytes: Some(gib << 30),
    };
    let run_id = new_run();
    // Machines have CPUs of their own, so there are no more of them than CPUs.
    let count = facts.cpus.unwrap().min(2);
    let subject = Subject {
        request: request(&run_id, "1c1g", count),
        shapes: vec![
            ("1c1g".to_owned(), shape(1, 1)),
            ("2c4g".to_owned(), shape(2, 4)),
            ("96c384g".to_owned(), shape(96, 384)),
        ],
        misspelt: ("1c1gb".to_owned(), "1c1g".to_owned()),
        patience: Duration::from_secs(30),
    };
    check(Arc::new(provider()), &subject).await.unwrap();
    assert_eq!(left(&run_id).await, Vec::<String>::new());
}
