//! What it costs to know every instance type of a cloud: its shape from its name, and the start-up
//! script of a machine of it.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use railsbench_core::config::RubyVersion;
use railsbench_core::id::ProviderName;
use railsbench_core::provider::{Provider, UserDataVars};
use railsbench_providers::{Registry, testing};

const CLOUDS: [&str; 4] = ["aws", "azure", "gcp", "heroku"];

fn vars(provider: &ProviderName, instance_type: &str) -> UserDataVars {
    UserDataVars {
        api_key: "a token with \"quotes\", $dollars and `backquotes`".to_owned().into(),
        ruby_version: Some(RubyVersion::Version("3.4.1".to_owned())),
        allow_install: true,
        ..testing::vars(provider.as_str(), instance_type)
    }
}

/// One type; what comes of it is used, so that it is not left out.
fn know(provider: &dyn Provider, vars: &UserDataVars) {
    let name = black_box(vars).instance_type.as_str();
    black_box(provider.shape(name)).expect("what the catalog lists has a shape");
    black_box(provider.render_user_data(vars)).expect("what the catalog lists can be started");
}

fn whole_catalogs(criterion: &mut Criterion) {
    let registry = Registry::standard(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let mut group = criterion.benchmark_group("shape and user data of the whole catalog");
    for cloud in CLOUDS {
        let name = ProviderName::new(cloud).expect("it follows the grammar");
        let provider = registry.get(&name).expect("this is built with all clouds");
        let listed = provider.instance_types();
        let types: Vec<_> = listed.iter().map(|(listed, _, _)| vars(&name, listed)).collect();
        let count = u64::try_from(types.len()).expect("a catalog is a few thousand lines");
        group.throughput(Throughput::Elements(count));
        group.bench_function(cloud, |bencher| {
            bencher.iter(|| types.iter().for_each(|vars| know(provider.as_ref(), vars)));
        });
    }
    group.finish();
}

criterion_group!(benches, whole_catalogs);
criterion_main!(benches);
