//! A provider and what it is asked for.

use std::sync::Arc;
use std::time::Duration;

use railsbench_core::config::RubyVersion;
use railsbench_core::id::{InstanceType, ProviderName, RunId};
use railsbench_core::provider::{
    Deployment, Plan, Provider, ProviderError, ProvisionRequest, Role, RunnerFile, RunnerTarget,
    Scope, UserDataVars,
};
use railsbench_emulators::gcp::{Emulator, PROJECT, TOKEN, World};
use railsbench_providers::MemoryJournal;
use railsbench_providers::gcp::{GcpProvider, Settings};
use railsbench_providers::rest::{FixedToken, RetryPolicy};

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
    let run_id = RunId::new(run).unwrap();
    let instance_type = InstanceType::new(machine_type).unwrap();
    let max_lifetime = Duration::from_hours(1);
    let runners = [RunnerTarget::X86Musl, RunnerTarget::ArmMusl]
        .map(|target| RunnerFile { target, sha256: "0123456789abcdef".repeat(4) });
    ProvisionRequest {
        role: Role::Runner,
        run_id: run_id.clone(),
        instance_type: instance_type.clone(),
        label: machine_type.to_owned(),
        count,
        first: 1,
        region: None,
        expected_work: Duration::from_mins(10),
        max_lifetime,
        vars: UserDataVars {
            orchestrator_url: "https://bench.example.com/".to_owned(),
            api_key: RUN_TOKEN.to_owned().into(),
            run_id,
            provider: ProviderName::new("gcp").unwrap(),
            instance_type,
            ruby_version: Some(RubyVersion::System),
            max_lifetime,
            allow_install: true,
            runner: None,
            runners: runners.to_vec(),
            runner_image: None,
            ca_certificate: None,
        },
    }
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
