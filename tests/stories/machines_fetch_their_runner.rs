//! A machine that is not this host fetches its runner from the orchestrator. A plan pins it by
//! its SHA-256, so what is planned and what is served must be the same file.

use std::path::Path;
use std::sync::{Arc, Mutex};

use railsbench::config::RunConfig;
use railsbench::id::ProviderName;
use railsbench::provider::{Arch, MockProvider, PlanError, RunnerFile, RunnerTarget, Shape};
use railsbench::server::{Server, ServerConfig};
use railsbench::{Campaign, CampaignError, OrchestratorChoice, RunnerFiles};

use crate::support::program;

/// The provider that the plan is asked of, and what it was told.
struct Asked(Arc<Mutex<Vec<RunnerFile>>>);

impl Asked {
    /// A campaign on machines of a provider that only listens.
    fn campaign(state: &Path) -> (Campaign, Self) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let mut provider = MockProvider::new();
        provider.expect_name().return_const(ProviderName::new("docker").unwrap());
        provider.expect_shape().returning(|_| {
            Ok(Shape { arch: Arch::X86_64, vcpus: Some(2), memory_bytes: Some(4 << 30) })
        });
        provider.expect_host_address().returning(|| Ok(std::net::Ipv4Addr::LOCALHOST.into()));
        let listener = Arc::clone(&told);
        provider.expect_plan().returning(move |request| {
            listener.lock().unwrap().clone_from(&request.vars.runners);
            Err(PlanError::Unsupported {
                provider: ProviderName::new("docker").unwrap(),
                problem: "it only listens".to_owned(),
                fix: "ask another".to_owned(),
            })
        });
        let config = r#"{"ruby_version":"system","docker":["2c4g"],"mock":true}"#;
        let campaign = Campaign::new(RunConfig::parse(config).unwrap())
            .with_state_dir(state.to_owned())
            .with_provider(Arc::new(provider));
        (campaign, Self(told))
    }

    fn told(&self, campaign: &Campaign) -> Vec<RunnerFile> {
        let error = campaign.plan().unwrap_err();
        assert!(matches!(error, CampaignError::Plan(_)), "{error}");
        self.0.lock().unwrap().clone()
    }
}

/// A folder with the runner of this build, and one for the other architecture by its header.
fn runners(folder: &Path) -> RunnerFiles {
    let mut arm = vec![0; 64];
    arm[..6].copy_from_slice(b"\x7fELF\x02\x01");
    arm[18] = 183;
    std::fs::write(folder.join("railsbench-runner-aarch64-unknown-linux-musl"), arm).unwrap();
    RunnerFiles::in_folder(folder).unwrap()
}

#[tokio::test]
async fn the_embedded_orchestrator_hands_out_the_runner_beside_it_and_those_that_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (campaign, asked) = Asked::campaign(folder.path());
    let campaign = campaign
        .with_runner(program("railsbench-runner"))
        .with_runners(runners(folder.path()))
        .meet_orchestrator()
        .await
        .unwrap();
    let told = asked.told(&campaign);
    let arm = RunnerFile::for_arch(&told, Arch::Aarch64).unwrap();
    assert_eq!(arm.target, RunnerTarget::ArmMusl);
    let own: Vec<_> = told.iter().filter(|file| *file != arm).collect();
    assert_eq!(own.len(), 1, "{told:?}");
    assert_eq!(own[0].target.arch().as_str(), std::env::consts::ARCH);
}

#[tokio::test]
async fn of_a_remote_orchestrator_it_is_asked_what_it_hands_out() {
    let folder = tempfile::tempdir().unwrap();
    let files = runners(folder.path());
    let mut config =
        ServerConfig::new("127.0.0.1:0".parse().unwrap(), folder.path().join("server"));
    config.runners = files.clone();
    let server = Server::start(config).await.unwrap();
    let (campaign, asked) = Asked::campaign(folder.path());
    let remote = OrchestratorChoice::Remote {
        url: server.url().clone(),
        api_key: server.api_key().clone(),
        ca_certificate: None,
    };
    // What is at hand here plays no part: machines fetch theirs over there.
    let campaign = campaign
        .with_runner(program("railsbench-runner"))
        .with_orchestrator(remote)
        .meet_orchestrator()
        .await
        .unwrap();
    assert_eq!(asked.told(&campaign), files.measure().unwrap());
    server.shutdown().await.unwrap();
}
