//! The suite that every provider must pass.

use std::sync::Arc;
use std::time::Duration;

use railsbench_core::provider::Provider;
use railsbench_emulators::heroku::Emulator;
use railsbench_providers::conformance::{Subject, check};

use crate::fixture::{provider, request};

fn subject(provider: &dyn Provider, run: &str, size: &str, count: u32) -> Subject {
    Subject {
        request: request(run, size, count),
        shapes: vec![(size.to_owned(), provider.shape(size).unwrap())],
        misspelt: ("performance-xxl".to_owned(), "performance-2xl".to_owned()),
        patience: Duration::from_secs(10),
    }
}

#[tokio::test]
async fn heroku_passes() {
    for (size, count) in [("standard-1x", 3), ("Performance-L", 1), ("basic", 2)] {
        let emulator = Emulator::start().await;
        let provider = Arc::new(provider(&emulator));
        let subject = subject(provider.as_ref(), "r1", size, count);
        check(provider, &subject).await.unwrap();
        emulator.assert_no_mistakes();
        assert!(emulator.world().apps.is_empty());
    }
}

/// Lists that lag behind, for what was made and for what was deleted.
#[tokio::test]
async fn heroku_passes_when_its_lists_lag_behind() {
    let emulator = Emulator::start().await;
    emulator.world().lag = 3;
    let provider = Arc::new(provider(&emulator));
    let subject = subject(provider.as_ref(), "a-long-run-id.of-2026", "standard-2x", 2);
    check(provider, &subject).await.unwrap();
    emulator.assert_no_mistakes();
}
