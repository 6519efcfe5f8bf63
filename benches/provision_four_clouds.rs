//! Provisioning 200 machines over four emulated clouds in parallel: the wall time, against that
//! of the slowest chain of calls that a single machine needs.
//!
//! Each call takes [`LATENCY`] more than the emulator needs, as calls to a cloud do. The rest of
//! the chain is the emulators' own: operations that are looked at until they are done.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use railsbench_core::id::RunId;
use railsbench_core::provider::{Provider, ProvisionRequest, Scope, UserDataVars};
use railsbench_emulators::moto::Moto;
use railsbench_emulators::{aws, azure, gcp, heroku};
use railsbench_providers::azure::{Credentials, Settings as AzureSettings};
use railsbench_providers::gcp::Settings as GcpSettings;
use railsbench_providers::heroku::Settings as HerokuSettings;
use railsbench_providers::rest::FixedToken;
use railsbench_providers::{
    AwsProvider, AzureProvider, FileJournal, GcpProvider, HerokuProvider, testing,
};

/// What each call to a cloud takes at least.
const LATENCY: Duration = Duration::from_millis(100);

/// Machines of each cloud.
const EACH: u32 = 50;

/// A provider, a type that its emulator has, and what must live as long as they are used.
struct Cloud {
    provider: Arc<dyn Provider>,
    instance_type: &'static str,
    _moto: Option<Moto>,
}

async fn aws() -> Cloud {
    let moto = Moto::start().await;
    let proxy = aws::Proxy::start(moto.url.clone()).await;
    proxy.set_latency(LATENCY);
    let provider = AwsProvider::new()
        .with_default_region("us-east-1")
        .with_endpoint(proxy.url)
        .with_credentials(aws::credentials());
    Cloud { provider: Arc::new(provider), instance_type: "c5.large", _moto: Some(moto) }
}

async fn azure() -> Cloud {
    let emulator = azure::Emulator::start().await;
    emulator.world().latency = LATENCY;
    emulator.world().page = 1000;
    let provider = AzureProvider::new(AzureSettings {
        management_url: emulator.url().to_owned(),
        subscription: Some(azure::SUBSCRIPTION.to_owned()),
        credentials: Credentials::Token("given".to_owned().into()),
    });
    Cloud { provider: Arc::new(provider), instance_type: "Standard_D4s_v5", _moto: None }
}

async fn gcp() -> Cloud {
    let emulator = gcp::Emulator::start().await;
    emulator.world().latency = LATENCY;
    let provider = GcpProvider::new(GcpSettings {
        endpoint: emulator.url().to_owned(),
        project: Some(gcp::PROJECT.to_owned()),
        network: "default".to_owned(),
        credentials_file: None,
    })
    .with_tokens(Arc::new(FixedToken::new(gcp::TOKEN.to_owned().into())));
    Cloud { provider: Arc::new(provider), instance_type: "e2-micro", _moto: None }
}

async fn heroku() -> Cloud {
    let emulator = heroku::Emulator::start().await;
    emulator.world().latency = LATENCY;
    let provider = HerokuProvider::new(HerokuSettings {
        api_url: emulator.url(),
        team: None,
        space: None,
        api_key: Some(heroku::OPERATOR.to_owned().into()),
        netrc: None,
    });
    Cloud { provider: Arc::new(provider), instance_type: "standard-1x", _moto: None }
}

fn request(cloud: &Cloud, run_id: &RunId, count: u32) -> ProvisionRequest {
    let vars = UserDataVars {
        run_id: run_id.clone(),
        allow_install: true,
        ..testing::vars(cloud.provider.name().as_str(), cloud.instance_type)
    };
    testing::request(vars, count)
}

/// Provisions machines of a cloud and gives how long that took, and how many there are then.
async fn provision(cloud: &Cloud, run: &str, count: u32, folder: &Path) -> (Duration, usize) {
    let run_id = RunId::new(run).expect("it follows the grammar");
    let plan = cloud.provider.plan(&request(cloud, &run_id, count)).expect("it can be planned");
    let journal = folder.join(format!("{run}-{}.jsonl", cloud.provider.name()));
    let journal = FileJournal::open(&journal).expect("the journal can be written");
    let begun = Instant::now();
    let made = cloud.provider.provision(&plan, Arc::new(journal)).await;
    let took = begun.elapsed();
    (took, made.expect("the emulator has room").machines.len())
}

async fn remove(cloud: &Cloud, run: &str) {
    let scope = Scope::run(RunId::new(run).expect("it follows the grammar"));
    cloud.provider.teardown(&scope).await.expect("the emulator lets go of it");
}

#[tokio::main]
async fn main() {
    // Test runners start benches too, to see that they can be built.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let clouds = [aws().await, azure().await, gcp().await, heroku().await];
    let mut slowest = Duration::ZERO;
    for cloud in &clouds {
        let (took, _) = provision(cloud, "alone", 1, folder.path()).await;
        println!("{:>8}: 1 machine in {:.2} s", cloud.provider.name(), took.as_secs_f64());
        slowest = slowest.max(took);
        remove(cloud, "alone").await;
    }
    let begun = Instant::now();
    let made = join_all(clouds.iter().map(|c| provision(c, "all", EACH, folder.path()))).await;
    let wall = begun.elapsed();
    for (cloud, (took, count)) in clouds.iter().zip(&made) {
        let name = cloud.provider.name();
        println!("{name:>8}: {count} machines in {:.2} s", took.as_secs_f64());
    }
    println!(
        "{} machines over {} clouds: {:.2} s; the slowest chain of calls alone: {:.2} s; ratio {:.2}",
        made.iter().map(|(_, count)| count).sum::<usize>(),
        clouds.len(),
        wall.as_secs_f64(),
        slowest.as_secs_f64(),
        wall.as_secs_f64() / slowest.as_secs_f64(),
    );
    for cloud in &clouds {
        remove(cloud, "all").await;
    }
}
