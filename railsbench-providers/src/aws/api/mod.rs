//! The calls to AWS, through its SDK: which clients there are, how they try again, and what a
//! failed call means. What is called is in the files beside this one.

mod failure;
mod groups;
mod images;
mod instances;
mod leftovers;
mod retry;
mod zones;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ec2::types::Filter;
use aws_smithy_http_client::tls::{Provider as Tls, rustls_provider::CryptoMode};
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};
use url::{Host, Url};

pub(super) use failure::Failure;
pub(super) use instances::{Instance, Launch};
pub(super) use leftovers::Leftover;
pub(super) use zones::Zone;

/// How often a call that may succeed later is made, before its failure is one.
const ATTEMPTS: u32 = 8;

/// Longest pause between two attempts.
const LONGEST_BACKOFF: Duration = Duration::from_secs(20);

/// Longest that one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// How many machines are started at a time in a region, whoever asks. EC2 lets an account start
/// two per second, and many more at once:
/// <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>.
const STARTS_AT_A_TIME: usize = 8;

/// How AWS is reached.
#[derive(Debug, Clone)]
pub(super) struct Access {
    /// Another service that speaks the API; AWS if absent.
    pub(super) endpoint: Option<Url>,
    /// Instead of those of the usual chain.
    pub(super) credentials: Option<SharedCredentialsProvider>,
    /// The pause before the first repetition of a call; each further one is twice as long, at
    /// random between nothing and that.
    pub(super) first_backoff: Duration,
}

/// The way to AWS. What it needs of the environment is read at the first call.
#[derive(Debug)]
pub(super) struct Aws {
    access: Access,
    shared: OnceCell<SdkConfig>,
    regions: Mutex<HashMap<String, RegionApi>>,
}

impl Aws {
    pub(super) fn new(access: Access) -> Self {
        Self { access, shared: OnceCell::new(), regions: Mutex::default() }
    }

    /// Whether it is an emulator on this host that is called, and not AWS.
    pub(super) async fn is_emulated(&self) -> bool {
        let shared = self.shared.get_or_init(|| load(&self.access)).await;
        let endpoint = shared.endpoint_url().and_then(|endpoint| Url::parse(endpoint).ok());
        match endpoint.as_ref().and_then(Url::host) {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    /// The clients of one region. They are kept: connections and limits are those of all calls.
    pub(super) async fn region(&self, name: &str) -> RegionApi {
        let shared = self.shared.get_or_init(|| load(&self.access)).await;
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        let made = regions.entry(name.to_owned()).or_insert_with(|| RegionApi::new(name, shared));
        made.clone()
    }
}

async fn load(access: &Access) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Tls::Rustls(CryptoMode::Ring))
        .build_https();
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(access.first_backoff)
        .with_max_backoff(LONGEST_BACKOFF);
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .retry_config(retries)
        .timeout_config(timeouts);
    if let Some(endpoint) = &access.endpoint {
        loader = loader.endpoint_url(endpoint.as_str().trim_end_matches('/'));
    }
    if let Some(credentials) = &access.credentials {
        loader = loader.credentials_provider(credentials.clone());
    }
    loader.load().await
}

/// The clients of one region. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct RegionApi {
    name: String,
    ec2: aws_sdk_ec2::Client,
    quotas: aws_sdk_servicequotas::Client,
    ssm: aws_sdk_ssm::Client,
    sts: aws_sdk_sts::Client,
    starts: Arc<Semaphore>,
}

impl RegionApi {
    fn new(name: &str, shared: &SdkConfig) -> Self {
        let shared = shared.to_builder().region(Region::new(name.to_owned())).build();
        let ec2 = aws_sdk_ec2::config::Builder::from(&shared)
            .retry_classifier(retry::StartsAgain)
            .build();
        Self {
            name: name.to_owned(),
            ec2: aws_sdk_ec2::Client::from_conf(ec2),
            quotas: aws_sdk_servicequotas::Client::new(&shared),
            ssm: aws_sdk_ssm::Client::new(&shared),
            sts: aws_sdk_sts::Client::new(&shared),
            starts: Arc::new(Semaphore::new(STARTS_AT_A_TIME)),
        }
    }

    /// The region.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Waits for a turn to start a machine, and has it until it is dropped.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // Nobody closes it, so there always is one.
        self.starts.acquire().await.ok()
    }

    /// Who the credentials are, as an ARN.
    pub(super) async fn identity(&self) -> Result<String, Failure> {
        let answer = self.sts.get_caller_identity().send().await;
        let answer = answer.map_err(|error| Failure::new("asking who we are", &error))?;
        Ok(answer.arn.unwrap_or_default())
    }

    /// All regions by name, and whether the account may use each.
    pub(super) async fn regions(&self) -> Result<Vec<(String, bool)>, Failure> {
        let answer = self.ec2.describe_regions().all_regions(true).send().await;
        let answer = answer.map_err(|error| Failure::new("listing regions", &error))?;
        let regions = answer.regions.unwrap_or_default().into_iter();
        let named = regions.filter_map(|region| {
            let usable = region.opt_in_status.as_deref() != Some("not-opted-in");
            Some((region.region_name?, usable))
        });
        Ok(named.collect())
    }

    /// How many vCPUs of machines under this quota may run at once.
    pub(super) async fn vcpu_quota(&self, code: &str) -> Result<f64, Failure> {
        let call = self.quotas.get_service_quota().service_code("ec2").quota_code(code);
        let answer = call.send().await;
        let answer = answer.map_err(|error| Failure::new("asking for a quota", &error))?;
        Ok(answer.quota.and_then(|quota| quota.value).unwrap_or_default())
    }
}

/// A filter of what is described.
fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}
