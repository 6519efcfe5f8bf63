//! The suite that every provider must pass.

use std::sync::Arc;
use std::time::Duration;

use railsbench_core::provider::{Arch, Shape};
use railsbench_emulators::azure::Emulator;
use railsbench_providers::conformance::{Subject, check};

use crate::setup::{provider, request};

fn subject(instance_type: &str, count: u32) -> Subject {
    let shape = |arch, vcpus, memory: Option<u64>| Shape {
        arch,
        vcpus: Some(vcpus),
        memory_bytes: memory.map(|gib| gib << 30),
    };
    Subject {
        request: request("Run.1", instance_type, count),
        shapes: vec![
            ("Standard_D2ps_v5".to_owned(), shape(Arch::Aarch64, 2, Some(8))),
            ("STANDARD_e32-16S_V5".to_owned(), shape(Arch::X86_64, 16, Some(256))),
            ("Standard_D2ps_v9".to_owned(), shape(Arch::Aarch64, 2, None)),
        ],
        misspelt: ("Standard_D2pz_v5".to_owned(), "Standard_D2ps_v5".to_owned()),
        patience: Duration::from_secs(5),
    }
}

#[tokio::test]
async fn azure_passes_with_machines_of_both_processors() {
    for (instance_type, count) in [("Standard_D2ps_v5", 3), ("Standard_D4s_v5", 1)] {
        let emulator = Emulator::start().await;
        let provider = Arc::new(provider(&emulator));
        check(provider, &subject(instance_type, count)).await.unwrap();
        assert!(emulator.is_empty());
    }
}

#[tokio::test]
async fn azure_passes_with_lists_that_lag_behind() {
    let emulator = Emulator::start().await;
    emulator.world().lag = 5;
    let provider = Arc::new(provider(&emulator));
    check(provider, &subject("Standard_D2ps_v5", 1)).await.unwrap();
    assert!(emulator.is_empty());
}
