//! What a machine is told and what a provider is asked for, filled in.

use std::time::Duration;

use railsbench_core::id::{InstanceType, ProviderName, RunId};
use railsbench_core::provider::{ProvisionRequest, Role, RunnerFile, RunnerTarget, UserDataVars};

/// What a machine is told, of the run `r1` at `https://bench.example.com/`, with a runner for
/// every processor. Change what matters to the test:
///
/// ```
/// # use railsbench_core::provider::UserDataVars;
/// # use railsbench_providers::testing;
/// let vars = UserDataVars { allow_install: true, ..testing::vars("aws", "c7g.medium") };
/// ```
///
/// # Panics
/// If one of the names breaks its grammar.
pub fn vars(provider: &str, instance_type: &str) -> UserDataVars {
    let runner = |target| RunnerFile { target, sha256: "0123456789abcdef".repeat(4) };
    UserDataVars {
        orchestrator_url: "https://bench.example.com/".to_owned(),
        api_key: "a $ecret".to_owned().into(),
        run_id: RunId::new("r1").expect("it follows the grammar"),
        provider: ProviderName::new(provider).expect("no provider has such a name"),
        instance_type: InstanceType::new(instance_type).expect("no instance type has such a name"),
        ruby_version: None,
        max_lifetime: Duration::from_hours(1),
        allow_install: false,
        runner: None,
        runners: [RunnerTarget::X86Musl, RunnerTarget::ArmMusl].map(runner).to_vec(),
        runner_image: None,
        ca_certificate: None,
    }
}

/// A request for `count` machines that are told so much, which work for 10 minutes, with the
/// instance type as their label.
pub fn request(vars: UserDataVars, count: u32) -> ProvisionRequest {
    ProvisionRequest {
        role: Role::Runner,
        run_id: vars.run_id.clone(),
        instance_type: vars.instance_type.clone(),
        label: vars.instance_type.as_str().to_lowercase().replace('_', "-"),
        count,
        first: 1,
        region: None,
        expected_work: Duration::from_mins(10),
        max_lifetime: vars.max_lifetime,
        vars,
    }
}
