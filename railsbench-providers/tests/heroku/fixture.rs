//! A provider and what it is asked for.

use std::sync::Arc;
use std::time::Duration;

use railsbench_core::config::RubyVersion;
use railsbench_core::id::{InstanceType, ProviderName, RunId};
use railsbench_core::provider::{
    Deployment, Plan, Provider, ProviderError, ProvisionRequest, Resource, Role, RunnerFile,
    RunnerTarget, Scope, UserDataVars,
};
use railsbench_emulators::heroku::{Emulator, OPERATOR};
use railsbench_providers::MemoryJournal;
use railsbench_providers::heroku::{HerokuProvider, Settings};
use railsbench_providers::rest::RetryPolicy;

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
    let run_id = RunId::new(run).unwrap();
    let instance_type = InstanceType::new(size).unwrap();
    let max_lifetime = Duration::from_hours(1);
    ProvisionRequest {
        role: Role::Runner,
        run_id: run_id.clone(),
        instance_type: instance_type.clone(),
        label: size.to_owned(),
        count,
        first: 1,
        region: None,
        expected_work: Duration::from_mins(10),
        max_lifetime,
        vars: UserDataVars {
            orchestrator_url: "https://bench.example.com/".to_owned(),
            api_key: TOKEN.to_owned().into(),
            run_id,
            provider: ProviderName::new("heroku").unwrap(),
            instance_type,
            ruby_version: Some(RubyVersion::Version("3.3.0".to_owned())),
            max_lifetime,
            allow_install: false,
            runner: None,
            runners: vec![RunnerFile {
                target: RunnerTarget::X86Musl,
                sha256: "0123456789abcdef".repeat(4),
            }],
            runner_image: None,
            ca_certificate: None,
        },
    }
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
