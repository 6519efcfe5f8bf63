//! moto's server on a free port, and what it holds when nobody filters by tags.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Instance, InstanceStateName};
use reqwest::Url;

/// moto's server until it is dropped.
pub struct Moto {
    process: Child,
    pub url: Url,
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has noticed then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn credentials() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new("key-id", "secret", None, None, "test"))
}

pub fn http() -> reqwest::Client {
    // Another test of this process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

impl Moto {
    pub async fn start() -> Self {
        let program = std::env::var("MOTO_SERVER").unwrap_or("moto_server".to_owned());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(&program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .env("MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION", "true")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "cannot start {program}: {error}; install it with \
                     pip install 'moto[ec2,ssm,sts,server]' and put it on PATH or into MOTO_SERVER"
                )
            });
        let url = Url::parse(&format!("http://127.0.0.1:{port}")).unwrap();
        let mut moto = Self { process, url };
        let client = http();
        let started = Instant::now();
        while client.get(moto.url.clone()).send().await.is_err() {
            if let Some(status) = moto.process.try_wait().unwrap() {
                panic!("{program} ended at once: {status}; does {program} -p 5000 work?");
            }
            assert!(started.elapsed() < Duration::from_mins(2), "{program} does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        moto
    }

    /// moto itself, past the proxy.
    pub fn ec2(&self, region: &str) -> Client {
        let http = aws_smithy_http_client::Builder::new().build_http();
        let config = aws_sdk_ec2::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .region(Region::new(region.to_owned()))
            .endpoint_url(self.url.as_str().trim_end_matches('/'))
            .credentials_provider(credentials())
            .build();
        Client::from_conf(config)
    }

    /// Instances that exist, whosever they are.
    pub async fn instances(&self, region: &str) -> Vec<Instance> {
        let answer = self.ec2(region).describe_instances().send().await.unwrap();
        let all = answer.reservations.unwrap_or_default().into_iter();
        all.flat_map(|reservation| reservation.instances.unwrap_or_default())
            .filter(|instance| {
                let state = instance.state().and_then(|state| state.name());
                state != Some(&InstanceStateName::Terminated)
            })
            .collect()
    }

    /// Everything in a region that is not there from the beginning.
    pub async fn everything(&self, region: &str) -> Vec<String> {
        let ec2 = self.ec2(region);
        let mut found: Vec<String> = self
            .instances(region)
            .await
            .into_iter()
            .filter_map(|found| found.instance_id)
            .collect();
        let volumes = ec2.describe_volumes().send().await.unwrap();
        found.extend(volumes.volumes().iter().filter_map(|volume| volume.volume_id.clone()));
        let interfaces = ec2.describe_network_interfaces().send().await.unwrap();
        let interfaces = interfaces.network_interfaces().iter();
        found.extend(interfaces.filter_map(|interface| interface.network_interface_id.clone()));
        let groups = ec2.describe_security_groups().send().await.unwrap();
        let groups = groups.security_groups().iter();
        let ours = groups.filter(|group| group.group_name() != Some("default"));
        found.extend(ours.filter_map(|group| group.group_id.clone()));
        found
    }
}
