//! A moto, a proxy, a run id of its own, and requests.

use std::sync::Arc;
use std::time::Duration;

use railsbench_core::config::RubyVersion;
use railsbench_core::id::RunId;
use railsbench_core::provider::{
    Deployment, Plan, Provider, ProviderError, ProvisionRequest, Scope, UserDataVars,
};
use railsbench_emulators::aws::{Proxy, credentials};
use railsbench_emulators::moto::Moto;
use railsbench_providers::{AwsProvider, MemoryJournal, testing};
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
    let vars = UserDataVars {
        run_id: run_id.clone(),
        api_key: TOKEN.to_owned().into(),
        ruby_version: Some(RubyVersion::Version("3.4.1".to_owned())),
        allow_install: true,
        ..testing::vars("aws", instance_type)
    };
    testing::request(vars, count)
}
