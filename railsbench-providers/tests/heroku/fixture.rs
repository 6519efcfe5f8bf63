//! A provider and what it is asked for.

use std::sync::Arc;
use std::time::Duration;

use railsbench_core::config::RubyVersion;
use railsbench_core::id::RunId;
use railsbench_core::provider::{
    Deployment, Plan, Provider, ProviderError, ProvisionRequest, Resource, Scope, UserDataVars,
};
use railsbench_emulators::heroku::{Emulator, OPERATOR};
use railsbench_providers::heroku::{HerokuProvider, Settings};
use railsbench_providers::rest::RetryPolicy;
use railsbench_providers::{MemoryJournal, testing};

/// The run token.
pub const TOKEN: &str = "rbr_the-token-of-the-run";

/// Short enough that tests do not wait.
pub const RETRY: RetryPolicy = RetryPolicy {
    attempts: 3,
    first_wait: Duration::from_millis(5),
    longest_wait: Duration::from_millis(10),
    longest_asked: Duration::from_secs(2),
    attempt_timeout: Duration::from_secs(30),
};

pub fn settings(url: &str) -> Settings {
    Settings {
        api_url: url.to_owned(),
        team: None,
        space: None,
        api_key: Some(OPERATOR.to_owned().into()),
        netrc: None,
    }
}

pub fn provider_with(settings: Settings) -> HerokuProvider {
    HerokuProvider::new(settings)
        .with_retry(RETRY)
        .with_patience(Duration::from_secs(2), Duration::from_millis(2))
        .with_looks_good_for(Duration::ZERO)
}

pub fn provider(emulator: &Emulator) -> HerokuProvider {
    provider_with(settings(&emulator.url()))
}

pub fn request(run: &str, size: &str, count: u32) -> ProvisionRequest {
    let vars = UserDataVars {
        run_id: RunId::new(run).unwrap(),
        api_key: TOKEN.to_owned().into(),
        ruby_version: Some(RubyVersion::Version("3.3.0".to_owned())),
        ..testing::vars("heroku", size)
    };
    testing::request(vars, count)
}

pub fn plan(provider: &HerokuProvider, run: &str, size: &str, count: u32) -> Plan {
    provider.plan(&request(run, size, count)).unwrap()
}

pub async fn provision(
    provider: &HerokuProvider,
    plan: &Plan,
) -> Result<Deployment, ProviderError> {
    provider.provision(plan, Arc::new(MemoryJournal::default())).await
}

pub fn scope(run: &str) -> Scope {
    Scope::run(RunId::new(run).unwrap())
}

pub fn ids(resources: &[Resource]) -> Vec<&str> {
    resources.iter().map(|resource| resource.id.as_str()).collect()
}
