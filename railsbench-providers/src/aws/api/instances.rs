//! Instances: starting, finding, looking at and ending them.

use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, Filter, HttpTokensState, InstanceMetadataEndpointState,
    InstanceMetadataOptionsRequest, InstanceNetworkInterfaceSpecification, InstanceStateName,
    InstanceType, ResourceType, ShutdownBehavior, VolumeType,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use railsbench_core::id::RunId;
use railsbench_core::provider::Scope;
use secrecy::{ExposeSecret, SecretString};

use super::super::plan::DISK_GIB;
use super::super::tags::{self, Labels, MACHINE, OURS, RUN};
use super::{Failure, RegionApi, Zone, filter};
use crate::vm::Tags;

/// The root device in Debian's images.
const ROOT_DEVICE: &str = "/dev/xvda";

/// How many instances one call may name: a filter takes 200 values.
const AT_ONCE: usize = 200;

/// States in which an instance still is something. EC2 shows those that have ended for an hour.
const EXISTING: [&str; 5] = ["pending", "running", "shutting-down", "stopping", "stopped"];

/// An instance, as EC2 describes it.
#[derive(Debug, Clone)]
pub(in super::super) struct Instance {
    pub(in super::super) id: String,
    /// Its instance type.
    pub(in super::super) kind: String,
    pub(in super::super) state: InstanceStateName,
    /// Why it is in this state, in EC2's words; empty if there is no special reason.
    pub(in super::super) reason: String,
    /// What its tags say; nothing if it is not ours.
    pub(in super::super) tags: Option<Tags>,
    pub(in super::super) machine: Option<String>,
    pub(in super::super) client_token: Option<String>,
}

impl Instance {
    fn of(instance: aws_sdk_ec2::types::Instance) -> Option<Self> {
        let tags = instance.tags();
        let reason = instance.state_reason().and_then(|reason| reason.message());
        Some(Self {
            kind: instance.instance_type().map(ToString::to_string).unwrap_or_default(),
            state: instance.state()?.name()?.clone(),
            reason: reason.or(instance.state_transition_reason()).unwrap_or_default().to_owned(),
            tags: tags::read(tags),
            machine: tags::value(tags, MACHINE).map(str::to_owned),
            client_token: instance.client_token().map(str::to_owned),
            id: instance.instance_id?,
        })
    }

    /// Whether it starts or runs.
    pub(in super::super) fn is_alive(&self) -> bool {
        matches!(self.state, InstanceStateName::Pending | InstanceStateName::Running)
    }

    /// Whether it ends by itself by now.
    pub(in super::super) fn is_ending(&self) -> bool {
        matches!(self.state, InstanceStateName::ShuttingDown | InstanceStateName::Terminated)
    }
}

/// What all machines of a plan have in common.
#[derive(Debug)]
pub(in super::super) struct Launch {
    pub(in super::super) instance_type: String,
    pub(in super::super) image: String,
    pub(in super::super) group: String,
    /// As EC2 takes it: base64 of the script, or of the script compressed.
    pub(in super::super) user_data: SecretString,
}

type RunInstances = aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;

impl RegionApi {
    /// Starts one machine, or gives the one that was started with this token.
    pub(in super::super) async fn launch(
        &self,
        launch: &Launch,
        zone: &Zone,
        token: &str,
        labels: &Labels,
    ) -> Result<Instance, Failure> {
        let action = format!("starting {} in {}", launch.instance_type, zone.name);
        let answer = self
            .launch_request(launch, zone, Some(&launch.group), labels)
            .client_token(token)
            .send()
            .await
            .map_err(|error| Failure::new(&action, &error))?;
        let instance = answer.instances.unwrap_or_default().into_iter().find_map(Instance::of);
        instance.ok_or_else(|| Failure::strange(action, "the answer names no instance"))
    }

    /// Asks whether a machine could be started, and starts none. Capacity and quota are not
    /// looked at by EC2.
    pub(in super::super) async fn try_launch(
        &self,
        launch: &Launch,
        zone: &Zone,
        labels: &Labels,
    ) -> Result<(), Failure> {
        let call = self.launch_request(launch, zone, None, labels).dry_run(true);
        let failure = call.send().await.err().map(|error| Failure::new("RunInstances", &error));
        failure.filter(|failure| !failure.is("DryRunOperation")).map_or(Ok(()), Err)
    }

    fn launch_request(
        &self,
        launch: &Launch,
        zone: &Zone,
        group: Option<&String>,
        labels: &Labels,
    ) -> RunInstances {
        let disk = EbsBlockDevice::builder()
            .volume_type(VolumeType::Gp3)
            .volume_size(DISK_GIB.into())
            .delete_on_termination(true)
            .build();
        let disk = BlockDeviceMapping::builder().device_name(ROOT_DEVICE).ebs(disk).build();
        let interface = InstanceNetworkInterfaceSpecification::builder()
            .device_index(0)
            .subnet_id(&zone.subnet)
            .associate_public_ip_address(true)
            .delete_on_termination(true)
            .set_groups(group.map(|group| vec![group.clone()]))
            .build();
        // A hop limit of 1 is enough: the runner's container has the network of its host.
        let metadata = InstanceMetadataOptionsRequest::builder()
            .http_endpoint(InstanceMetadataEndpointState::Enabled)
            .http_tokens(HttpTokensState::Required)
            .http_put_response_hop_limit(1)
            .build();
        self.ec2
            .run_instances()
            .min_count(1)
            .max_count(1)
            .image_id(&launch.image)
            .instance_type(InstanceType::from(launch.instance_type.as_str()))
            .user_data(launch.user_data.expose_secret())
            .block_device_mappings(disk)
            .network_interfaces(interface)
            .metadata_options(metadata)
            .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
            .tag_specifications(labels.on(ResourceType::Instance))
            .tag_specifications(labels.on(ResourceType::Volume))
            .tag_specifications(labels.on(ResourceType::NetworkInterface))
    }

    /// Instances of ours that exist.
    pub(in super::super) async fn instances(
        &self,
        scope: &Scope,
    ) -> Result<Vec<Instance>, Failure> {
        let mut filters = ours(scope);
        let existing = Filter::builder().name("instance-state-name");
        let states = EXISTING.iter().map(ToString::to_string).collect();
        filters.push(existing.set_values(Some(states)).build());
        self.describe(filters).await
    }

    /// The instance of a run that was started with this token, whatever has become of it.
    pub(in super::super) async fn started_with(
        &self,
        run_id: &RunId,
        token: &str,
    ) -> Result<Option<Instance>, Failure> {
        let all = self.describe(ours(&Scope::run(run_id.clone()))).await?;
        Ok(all.into_iter().find(|instance| instance.client_token.as_deref() == Some(token)))
    }

    /// Those of these instances that EC2 knows, in no order.
    pub(in super::super) async fn known(&self, ids: Vec<String>) -> Result<Vec<Instance>, Failure> {
        let mut known = Vec::new();
        for ids in ids.chunks(AT_ONCE) {
            // A filter: asked by name, EC2 refuses to answer if it does not know all of them.
            let filter = Filter::builder().name("instance-id").set_values(Some(ids.to_vec()));
            known.extend(self.describe(vec![filter.build()]).await?);
        }
        Ok(known)
    }

    /// The types of all instances of the account that run, whosever they are.
    pub(in super::super) async fn running_types(&self) -> Result<Vec<String>, Failure> {
        let states = ["pending", "running"].map(str::to_owned).to_vec();
        let filter = Filter::builder().name("instance-state-name").set_values(Some(states)).build();
        let running = self.describe(vec![filter]).await?;
        Ok(running.into_iter().map(|instance| instance.kind).collect())
    }

    async fn describe(&self, filters: Vec<Filter>) -> Result<Vec<Instance>, Failure> {
        let mut found = Vec::new();
        let call = self.ec2.describe_instances().set_filters(Some(filters));
        let mut pages = call.into_paginator().items().send();
        while let Some(reservation) = pages.next().await {
            let reservation =
                reservation.map_err(|error| Failure::new("listing instances", &error))?;
            let instances = reservation.instances.unwrap_or_default().into_iter();
            found.extend(instances.filter_map(Instance::of));
        }
        Ok(found)
    }

    /// Ends instances for good; those that are gone already are as good.
    pub(in super::super) async fn terminate(&self, ids: &[String]) -> Result<(), Failure> {
        let end = |ids: Vec<String>| async {
            let action = format!("ending {}", ids.join(", "));
            let call = self.ec2.terminate_instances().set_instance_ids(Some(ids));
            call.send().await.map(drop).map_err(|error| Failure::new(action, &error))
        };
        for ids in ids.chunks(AT_ONCE) {
            match end(ids.to_vec()).await {
                // One of them is enough for EC2 to refuse all.
                Err(failure) if failure.is_not_found() => {
                    for id in ids {
                        match end(vec![id.clone()]).await {
                            Err(failure) if !failure.is_not_found() => return Err(failure),
                            _ => {}
                        }
                    }
                }
                ended => ended?,
            }
        }
        Ok(())
    }

    /// What the machine has printed; nothing if EC2 does not know it, or has nothing yet.
    pub(in super::super) async fn console(&self, id: &str) -> Result<Option<String>, Failure> {
        let action = format!("reading the console of {id}");
        let call = |latest| {
            let call = self.ec2.get_console_output().instance_id(id).set_latest(latest);
            async { call.send().await.map_err(|error| Failure::new(&action, &error)) }
        };
        let answer = match call(Some(true)).await {
            // Types that are older than the Nitro system keep only what was printed at the boot.
            Err(failure) if failure.is("UnsupportedOperation") => call(None).await,
            answer => answer,
        };
        let output = match answer {
            Ok(answer) => answer.output,
            Err(failure) if failure.is_not_found() => None,
            Err(failure) => return Err(failure),
        };
        let Some(output) = output.filter(|output| !output.is_empty()) else { return Ok(None) };
        let bytes = STANDARD
            .decode(output.trim())
            .map_err(|error| Failure::strange(&action, error.to_string()))?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }
}

/// The filters of everything of ours in a scope.
pub(super) fn ours(scope: &Scope) -> Vec<Filter> {
    let mut filters = vec![filter(&format!("tag:{OURS}"), "true")];
    if let Some(run_id) = &scope.run {
        filters.push(filter(&format!("tag:{RUN}"), run_id.as_str()));
    }
    filters
}
