//! The suites that the runner carries.

use std::path::Path;
use std::sync::Arc;

use railsbench_core::results::Output;
use railsbench_core::workload::SUITES;
use railsbench_runner::workload::{Workload, embedded_suites};

use crate::stub::{Stub, World};
use crate::world::{RUNNER, Running, task};

#[test]
fn the_manifests_agree_with_what_configurations_are_checked_against() {
    let suites = embedded_suites(Path::new(RUNNER)).unwrap();
    let carried: Vec<(String, Vec<String>)> = suites
        .iter()
        .map(|suite| (suite.manifest().name.clone(), suite.manifest().benchmarks.clone()))
        .collect();
    let known: Vec<(String, Vec<String>)> = SUITES
        .iter()
        .map(|suite| {
            let benchmarks = suite.benchmarks.iter().map(|b| b.name.to_owned()).collect();
            (suite.name.to_owned(), benchmarks)
        })
        .collect();
    assert_eq!(carried, known);
}

async fn mock_output(run_number: u32) -> (Output, String) {
    let suites = embedded_suites(Path::new(RUNNER)).unwrap();
    let workloads = suites.into_iter().map(|suite| Arc::new(suite) as Arc<dyn Workload>).collect();
    let mut mock = task(run_number);
    mock.mock = true;
    mock.workload.quick = true;
    "rails".clone_into(&mut mock.workload.suite);
    let stub = Stub::start(World::with_tasks([mock]));
    Running::start(&stub, workloads).done().await;
    stub.assert_no_violation();
    let world = stub.world();
    let files = &world.results[0];
    let output = Output::parse(&files["output.json"]).unwrap();
    (output, String::from_utf8(files["output.csv"].clone()).unwrap())
}

#[tokio::test]
async fn the_mock_suite_leaves_the_same_files_each_time() {
    let (output, csv) = mock_output(1).await;
    assert_eq!(output.raw_data.keys().collect::<Vec<_>>(), ["interp", "yjit"]);
    for benchmarks in output.raw_data.values() {
        assert_eq!(benchmarks.keys().collect::<Vec<_>>(), ["mock_query", "mock_request"]);
    }
    let median = |variant: &str| output.raw_data[variant]["mock_request"].bench[0];
    assert!(median("yjit") < median("interp"));
    assert_eq!(csv, output.to_csv());
    assert_eq!(mock_output(1).await.0, output);
    assert_ne!(mock_output(2).await.0.raw_data, output.raw_data);
}
