//! The main job for real: Ruby, Rails, every benchmark, with and without YJIT.

use railsbench::core::workload::RAILS;
use railsbench::results::Output;

use crate::support::Cli;

#[test]
fn every_benchmark_yields_times_in_both_variants() {
    let folder = tempfile::tempdir().unwrap();
    let config =
        r#"{"ruby_version":"system","local":["host"],"workload":{"suite":"rails","quick":true}}"#;
    std::fs::write(folder.path().join("rails.json"), config).unwrap();
    let cli = Cli::new(folder.path());
    cli.expect(0, &["run", "rails.json", "--run-id", "rails", "--yes"]);

    let results = folder.path().join("results/rails/host-1");
    let output = Output::parse(&std::fs::read(results.join("output.json")).unwrap()).unwrap();
    for variant in ["interp", "yjit"] {
        for benchmark in RAILS.benchmarks {
            let samples = &output.raw_data[variant][benchmark.name];
            assert!(samples.bench.len() > 1, "{variant} {}: {samples:?}", benchmark.name);
            assert!(samples.bench.iter().all(|seconds| *seconds > 0.0));
        }
    }
    let description = |variant: &str| {
        let samples = &output.raw_data[variant]["rails_request_json"];
        samples.ruby_description.clone()
    };
    assert!(description("yjit").contains("+YJIT"), "{}", description("yjit"));
    assert!(!description("interp").contains("+YJIT"), "{}", description("interp"));

    let html = std::fs::read_to_string(folder.path().join("results/rails/report.html")).unwrap();
    for benchmark in RAILS.benchmarks {
        assert!(html.contains(benchmark.name), "{} is not in the report", benchmark.name);
    }
}
