//! A moto, a proxy, a run id of its own, and requests.

use std::sync::Arc;
use std::time::Duration;

use railsbench_core::config::RubyVersion;
use railsbench_core::id::{InstanceType, ProviderName, RunId};
use railsbench_core::provider::{
    Deployment, Plan, Provider, ProviderError, ProvisionRequest, Role, RunnerFile, RunnerTarget,
    Scope, UserDataVars,
};
use railsbench_emulators::aws::{Proxy, credentials};
use railsbench_emulators::moto::Moto;
use railsbench_providers::{AwsProvider, MemoryJournal};
use url::Url;

/// The token of every run in these tests.
pub const TOKEN: &str = "rbt_5ecret";

pub const REGION: &str = "us-east-1";

/// Where the type of most tests is offered.
const ZONES: [&str; 5] = ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d", "us-east-1f"];

/// How long to pause between two looks; nothing here takes time.
pub const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Longest that something may take to be gone.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct World {
    pub moto: Moto,
    pub proxy: Proxy,
    pub run_id: RunId,
}

/// A provider that remembers nothing, as in another process.
pub fn provider(endpoint: &Url) -> AwsProvider {
    AwsProvider::new()
        .with_default_region(REGION)
        .with_endpoint(endpoint.clone())
        .with_credentials(credentials())
        .with_pace(LOOK_EVERY, PATIENCE)
}

impl World {
    pub async fn new() -> Self {
        let moto = Moto::start().await;
        let proxy = Proxy::start(moto.url.clone()).await;
        proxy.offer("c7g.medium", &ZONES);
        let run_id = RunId::new(ulid::Ulid::generate().to_string()).unwrap();
        Self { moto, proxy, run_id }
    }

    pub fn provider(&self) -> AwsProvider {
        provider(&self.proxy.url)
    }

    pub fn scope(&self) -> Scope {
        Scope::run(self.run_id.clone())
    }

    pub fn plan(&self, instance_type: &str, count: u32) -> Plan {
        self.provider().plan(&request(&self.run_id, instance_type, count)).unwrap()
    }

    pub async fn provision(&self, plan: &Plan) -> Result<Deployment, ProviderError> {
        self.provider().provision(plan, Arc::new(MemoryJournal::default())).await
    }

    /// Removes all by tags, and looks past them whether anything is left.
    pub async fn teardown(&self) -> usize {
        let removed = self.provider().teardown(&self.scope()).await.unwrap().removed.len();
        self.is_empty().await;
        removed
    }

    pub async fn is_empty(&self) {
        let left = self.moto.everything(REGION).await;
        assert!(left.is_empty(), "{left:?}");
    }
}

pub fn request(run_id: &RunId, instance_type: &str, count: u32) -> ProvisionRequest {
    let instance_type = InstanceType::new(instance_type).unwrap();
    let max_lifetime = Duration::from_hours(1);
    let runner = |target| RunnerFile { target, sha256: "5e".repeat(32) };
    ProvisionRequest {
        role: Role::Runner,
        run_id: run_id.clone(),
        instance_type: instance_type.clone(),
        label: instance_type.to_string(),
        count,
        first: 1,
        region: None,
        expected_work: Duration::from_mins(10),
        max_lifetime,
        vars: UserDataVars {
            orchestrator_url: "https://bench.example.com/".to_owned(),
            api_key: TOKEN.to_owned().into(),
            run_id: run_id.clone(),
            provider: ProviderName::new("aws").unwrap(),
            instance_type,
            ruby_version: Some(RubyVersion::Version("3.4.1".to_owned())),
            max_lifetime,
            allow_install: true,
            runner: None,
            runners: vec![runner(RunnerTarget::X86Musl), runner(RunnerTarget::ArmMusl)],
            runner_image: None,
            ca_certificate: None,
        },
    }
}
