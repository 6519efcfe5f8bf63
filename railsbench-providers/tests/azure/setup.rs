//! A provider that is pointed at an emulator, and requests for it.

use std::sync::Arc;
use std::time::Duration;

use railsbench_core::config::RubyVersion;
use railsbench_core::id::RunId;
use railsbench_core::provider::{
    Deployment, Plan, Provider, ProviderError, ProvisionRequest, Scope, UserDataVars,
};
use railsbench_emulators::azure::{Emulator, SUBSCRIPTION};
use railsbench_providers::azure::{AzureProvider, Credentials, Settings};
use railsbench_providers::rest::RetryPolicy;
use railsbench_providers::{FileJournal, MemoryJournal, testing};

pub const TOKEN: &str = "run-token-that-nobody-may-see";

/// Waits that are short, for an emulator that answers at once.
pub const RETRY: RetryPolicy = RetryPolicy {
    attempts: 4,
    first_wait: Duration::from_millis(1),
    longest_wait: Duration::from_millis(5),
    longest_asked: Duration::from_secs(2),
    attempt_timeout: Duration::from_secs(2),
};

pub fn settings(base: &str) -> Settings {
    Settings {
        management_url: base.to_owned(),
        subscription: Some(SUBSCRIPTION.to_owned()),
        credentials: Credentials::Token("given".to_owned().into()),
    }
}

pub fn provider_at(settings: Settings) -> AzureProvider {
    AzureProvider::new(settings)
        .with_retry(RETRY)
        .with_patience(Duration::from_secs(5), Duration::from_millis(1))
}

pub fn provider(emulator: &Emulator) -> AzureProvider {
    provider_at(settings(emulator.url()))
}

pub fn run(name: &str) -> RunId {
    RunId::new(name).unwrap()
}

pub fn request(run_id: &str, instance_type: &str, count: u32) -> ProvisionRequest {
    let vars = UserDataVars {
        run_id: run(run_id),
        api_key: TOKEN.to_owned().into(),
        ruby_version: Some(RubyVersion::Version("3.4.1".to_owned())),
        allow_install: true,
        ..testing::vars("azure", instance_type)
    };
    testing::request(vars, count)
}

pub fn plan(provider: &AzureProvider, run_id: &str, instance_type: &str, count: u32) -> Plan {
    provider.plan(&request(run_id, instance_type, count)).unwrap()
}

/// Provisions with a journal that is forgotten.
pub async fn provision(provider: &AzureProvider, plan: &Plan) -> Result<Deployment, ProviderError> {
    provider.provision(plan, Arc::new(MemoryJournal::default())).await
}

/// Tears a run down with a provider that has no memory of it, and proves that nothing is left.
pub async fn teardown(emulator: &Emulator, run_id: &str) {
    provider(emulator).teardown(&Scope::run(run(run_id))).await.unwrap();
    assert!(emulator.is_empty(), "{:?}", emulator.world().resources.keys());
}

pub fn journal(path: &std::path::Path) -> Arc<FileJournal> {
    Arc::new(FileJournal::open(path).unwrap())
}
