//! What rendering the start-up script of one machine costs, with the templates compiled once.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use railsbench_core::config::RubyVersion;
use railsbench_core::id::{InstanceType, ProviderName, RunId};
use railsbench_core::provider::UserDataVars;
use railsbench_providers::Registry;

fn one_script(criterion: &mut Criterion) {
    let name = ProviderName::new("local").expect("it follows the grammar");
    let provider = Registry::standard(Path::new(env!("CARGO_TARGET_TMPDIR")))
        .get(&name)
        .expect("the local provider is always there");
    let vars = UserDataVars {
        orchestrator_url: "https://orchestrator.example:8443/".to_owned(),
        api_key: "a token with \"quotes\", $dollars and `backquotes`".to_owned().into(),
        run_id: RunId::new("1732470000").expect("it follows the grammar"),
        provider: name,
        instance_type: InstanceType::new("host").expect("it follows the grammar"),
        ruby_version: Some(RubyVersion::System),
        max_lifetime: Duration::from_hours(4),
        allow_install: true,
        runner: Some("/usr/local/bin/railsbench-runner".to_owned()),
        runners: Vec::new(),
        runner_image: None,
        ca_certificate: None,
    };
    provider.render_user_data(&vars).expect("these values can stand in a script");
    criterion.bench_function("user data, one local script", |bencher| {
        bencher.iter(|| provider.render_user_data(black_box(&vars)));
    });
}

criterion_group!(benches, one_script);
criterion_main!(benches);
