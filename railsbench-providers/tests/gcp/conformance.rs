//! The suite that every provider must pass.

use std::sync::Arc;
use std::time::Duration;

use railsbench_core::provider::{Arch, Shape};
use railsbench_emulators::gcp::Emulator;
use railsbench_providers::conformance::{Subject, check};

use crate::fixture::{nothing_is_left, provider, request};

fn subject(run: &str) -> Subject {
    let shape =
        |arch, vcpus, mib: u64| Shape { arch, vcpus: Some(vcpus), memory_bytes: Some(mib << 20) };
    Subject {
        request: request(run, "e2-micro", 2),
        shapes: vec![
            ("e2-micro".to_owned(), shape(Arch::X86_64, 2, 1024)),
            ("f1-micro".to_owned(), shape(Arch::X86_64, 1, 614)),
            ("n4a-standard-4".to_owned(), shape(Arch::Aarch64, 4, 16_384)),
            ("c4a-highmem-96-metal".to_owned(), shape(Arch::Aarch64, 96, 786_432)),
            ("n1-highcpu-2".to_owned(), shape(Arch::X86_64, 2, 1843)),
            ("n2-custom-6-20480-ext".to_owned(), shape(Arch::X86_64, 6, 20_480)),
            ("a2-highgpu-1g".to_owned(), shape(Arch::X86_64, 12, 87_040)),
        ],
        misspelt: ("e2-mirco".to_owned(), "e2-micro".to_owned()),
        patience: Duration::from_secs(20),
    }
}

#[tokio::test]
async fn the_provider_passes() {
    let emulator = Emulator::start().await;
    check(Arc::new(provider(&emulator)), &subject("1732470000")).await.unwrap();
    nothing_is_left(&emulator);
}

/// Lists show what was made and deleted only later, and come in pages of one; the run id is none
/// that a label could hold.
#[tokio::test]
async fn the_provider_passes_where_lists_lag_behind() {
    let emulator = Emulator::start().await;
    emulator.world().lag = 4;
    emulator.world().page = 1;
    check(Arc::new(provider(&emulator)), &subject("Run.7_of-November")).await.unwrap();
    nothing_is_left(&emulator);
}
