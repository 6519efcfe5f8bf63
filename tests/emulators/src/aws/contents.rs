//! What moto holds when nobody filters by tags.

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Instance, InstanceStateName};

use crate::moto::Moto;

/// Keys that moto takes, as it takes any.
pub fn credentials() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new("key-id", "secret", None, None, "test"))
}

impl Moto {
    /// moto's EC2 itself, past the proxy.
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

    /// The ids of everything in a region that is not there from the beginning.
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
