//! A stand-in machine that runs the start-up script of a VM cloud against an orchestrator.

use std::path::Path;
use std::time::Duration;

use railsbench::client::OperatorClient;
use railsbench::config::RunConfig;
use railsbench::id::{InstanceType, ProviderName};
use railsbench::provider::{Arch, UserDataVars};
use railsbench::providers::testing::StandInMachine;
use railsbench::providers::vm::StartupScript;

use super::run_id;

#[cfg(target_arch = "x86_64")]
const ARCH: Arch = Arch::X86_64;
#[cfg(target_arch = "aarch64")]
const ARCH: Arch = Arch::Aarch64;

/// What a machine has said and how it ended.
pub struct Boot {
    pub succeeded: bool,
    /// Both of its output streams.
    pub said: String,
}

/// A machine with files in a folder of its own.
pub fn machine(folder: &Path, name: &str) -> StandInMachine {
    let folder = folder.join(format!("machine-{name}"));
    std::fs::create_dir(&folder).unwrap();
    StandInMachine::new(&folder).unwrap()
}

/// Makes a run of one mock task on a VM cloud, and the user data variables of its machine, which
/// fetches its runner from the orchestrator.
pub async fn user_data_vars(client: &OperatorClient, id: &str) -> UserDataVars {
    let config = r#"{"ruby_version":"system","aws":["c5.large"],"mock":true}"#;
    let id = run_id(id);
    let made = client.create_run(&RunConfig::parse(config).unwrap(), &id).await.unwrap();
    UserDataVars {
        orchestrator_url: client.url().to_string(),
        api_key: made.run_token.unwrap(),
        run_id: id,
        provider: ProviderName::new("aws").unwrap(),
        instance_type: InstanceType::new("c5.large").unwrap(),
        ruby_version: None,
        max_lifetime: Duration::from_mins(10),
        allow_install: false,
        runner: None,
        runners: client.runners().await.unwrap(),
        runner_image: None,
        ca_certificate: None,
    }
}

/// Runs the start-up script from its first line to its last.
pub async fn boot(machine: &StandInMachine, vars: &UserDataVars) -> Boot {
    let template = "#!/bin/sh\n{{> vm-head}}\nend_machine() {\n  shutdown -h now\n}\n{{> vm-main}}";
    let provider = ProviderName::new("aws").unwrap();
    let script = StartupScript::new(provider, template, 16_384).unwrap();
    let mut command = machine.boot(&script.render(vars, ARCH).unwrap()).unwrap();
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = [output.stdout, output.stderr].concat();
    Boot { succeeded: output.status.success(), said: String::from_utf8_lossy(&said).into_owned() }
}
