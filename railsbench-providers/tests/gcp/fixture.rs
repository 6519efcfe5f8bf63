//! A provider and what it is asked for.

use std::sync::Arc;
use std::time::Duration;

use railsbench_core::config::RubyVersion;
use railsbench_core::id::RunId;
use railsbench_core::provider::{
    Deployment, Plan, Provider, ProviderError, ProvisionRequest, Scope, UserDataVars,
};
use railsbench_emulators::gcp::{Emulator, PROJECT, TOKEN, World};
use railsbench_providers::gcp::{GcpProvider, Settings};
use railsbench_providers::rest::{FixedToken, RetryPolicy};
use railsbench_providers::{MemoryJournal, testing};

/// The run token.
pub const RUN_TOKEN: &str = "rbr_the-token-of-the-run";

/// Short enough that tests do not wait.
pub const RETRY: RetryPolicy = RetryPolicy {
    attempts: 3,
    first_wait: Duration::from_millis(5),
    longest_wait: Duration::from_millis(10),
    longest_asked: Duration::from_secs(2),
    attempt_timeout: Duration::from_millis(500),
};

pub fn settings(url: &str) -> Settings {
    Settings {
        endpoint: url.to_owned(),
        project: Some(PROJECT.to_owned()),
        network: "default".to_owned(),
        credentials_file: None,
    }
}

pub fn provider_with(settings: Settings, token: &str) -> GcpProvider {
    GcpProvider::new(settings)
        .with_tokens(Arc::new(FixedToken::new(token.to_owned().into())))
        .with_retry(RETRY)
        .with_patience(Duration::from_secs(5), Duration::from_millis(10))
}

/// Each call is a new one that remembers nothing, as in another process.
pub fn provider(emulator: &Emulator) -> GcpProvider {
    provider_with(settings(emulator.url()), TOKEN)
}

pub fn request(run: &str, machine_type: &str, count: u32) -> ProvisionRequest {
    let vars = UserDataVars {
        run_id: RunId::new(run).unwrap(),
        api_key: RUN_TOKEN.to_owned().into(),
        ruby_version: Some(RubyVersion::System),
        allow_install: true,
        ..testing::vars("gcp", machine_type)
    };
    testing::request(vars, count)
}

pub fn plan(run: &str, count: u32) -> Plan {
    plan_of(&request(run, "e2-micro", count))
}

pub fn plan_of(request: &ProvisionRequest) -> Plan {
    GcpProvider::from_environment().plan(request).unwrap()
}

pub async fn provision(emulator: &Emulator, plan: &Plan) -> Result<Deployment, ProviderError> {
    provider(emulator).provision(plan, Arc::new(MemoryJournal::default())).await
}

/// Tears a run down from nothing, and looks that nothing is left and nothing was asked wrongly.
pub async fn teardown(emulator: &Emulator, run: &str) -> usize {
    let scope = Scope::run(RunId::new(run).unwrap());
    let removed = provider(emulator).teardown(&scope).await.unwrap().removed.len();
    nothing_is_left(emulator);
    removed
}

pub fn nothing_is_left(emulator: &Emulator) {
    let world = emulator.world();
    assert_eq!(world.everything(), Vec::<String>::new());
    assert_eq!(world.offences, Vec::<String>::new());
}

pub fn instances(emulator: &Emulator) -> Vec<String> {
    World::alive(&emulator.world().instances)
}
