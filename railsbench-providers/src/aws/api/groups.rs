//! Security groups: the firewall of machines. Ours lets nothing in, and out only TCP 443.

use aws_sdk_ec2::types::{IpPermission, IpRange, ResourceType, SecurityGroup};

use super::super::tags::Labels;
use super::{Failure, RegionApi, filter};

const HTTPS: i32 = 443;
const EVERYWHERE: &str = "0.0.0.0/0";

/// A security group, and whether its rules are as they must be.
#[derive(Debug, Clone)]
pub(in super::super) struct Group {
    pub(in super::super) id: String,
    description: SecurityGroup,
}

impl Group {
    fn of(description: SecurityGroup) -> Option<Self> {
        Some(Self { id: description.group_id.clone()?, description })
    }
}

impl RegionApi {
    /// The group of this name in a network.
    pub(in super::super) async fn group(
        &self,
        vpc: &str,
        name: &str,
    ) -> Result<Option<Group>, Failure> {
        let answer = self
            .ec2
            .describe_security_groups()
            .filters(filter("vpc-id", vpc))
            .filters(filter("group-name", name))
            .send()
            .await
            .map_err(|error| Failure::new(format!("looking for security group {name}"), &error))?;
        Ok(answer.security_groups.unwrap_or_default().into_iter().find_map(Group::of))
    }

    /// Makes a group and gives its id. EC2 gives it a rule that lets everything out.
    pub(in super::super) async fn create_group(
        &self,
        vpc: &str,
        name: &str,
        labels: &Labels,
    ) -> Result<String, Failure> {
        let action = format!("making security group {name}");
        let answer = self.group_request(vpc, name, labels).send().await;
        let answer = answer.map_err(|error| Failure::new(&action, &error))?;
        answer.group_id.ok_or_else(|| Failure::strange(action, "the answer names no group"))
    }

    /// Asks whether the group could be made, and makes nothing.
    pub(in super::super) async fn try_create_group(
        &self,
        vpc: &str,
        name: &str,
        labels: &Labels,
    ) -> Result<(), Failure> {
        let answer = self.group_request(vpc, name, labels).dry_run(true).send().await;
        let failure = answer.err().map(|error| Failure::new("CreateSecurityGroup", &error));
        failure.filter(|failure| !failure.is("DryRunOperation")).map_or(Ok(()), Err)
    }

    fn group_request(
        &self,
        vpc: &str,
        name: &str,
        labels: &Labels,
    ) -> aws_sdk_ec2::operation::create_security_group::builders::CreateSecurityGroupFluentBuilder
    {
        self.ec2
            .create_security_group()
            .vpc_id(vpc)
            .group_name(name)
            .description("railsbench: nothing comes in, only TCP 443 goes out")
            .tag_specifications(labels.on(ResourceType::SecurityGroup))
    }

    /// Makes the rules of a group what they must be, whatever they are. Repeating it, also at
    /// the same time, does no harm. `false` if EC2 does not show the group yet.
    pub(in super::super) async fn close(&self, vpc: &str, name: &str) -> Result<bool, Failure> {
        let action = format!("setting the rules of security group {name}");
        let Some(group) = self.group(vpc, name).await? else { return Ok(false) };
        let wanted = https_out();
        let outgoing = group.description.ip_permissions_egress().iter().cloned();
        let (right, wrong): (Vec<_>, Vec<_>) =
            outgoing.partition(|rule| lets_the_same_through(rule, &wanted));
        let mut failures = Vec::new();
        if !wrong.is_empty() {
            let call = self.ec2.revoke_security_group_egress().group_id(&group.id);
            let answer = call.set_ip_permissions(Some(wrong)).send().await;
            failures.extend(answer.err().map(|error| Failure::new(&action, &error)));
        }
        let incoming = group.description.ip_permissions();
        if !incoming.is_empty() {
            let call = self.ec2.revoke_security_group_ingress().group_id(&group.id);
            let answer = call.set_ip_permissions(Some(incoming.to_vec())).send().await;
            failures.extend(answer.err().map(|error| Failure::new(&action, &error)));
        }
        if right.is_empty() {
            let call = self.ec2.authorize_security_group_egress().group_id(&group.id);
            let answer = call.ip_permissions(wanted).send().await;
            failures.extend(answer.err().map(|error| Failure::new(&action, &error)));
        }
        // Another has done it already, or our own attempt whose answer was lost.
        let done = ["InvalidPermission.NotFound", "InvalidPermission.Duplicate"];
        failures.retain(|failure| !done.iter().any(|code| failure.is(code)));
        match failures.pop() {
            None => Ok(true),
            Some(failure) if failure.is("InvalidGroup.NotFound") => Ok(false),
            Some(failure) => Err(failure),
        }
    }

    /// Removes a group; one that is gone already is as good. `false` if something still uses it.
    pub(in super::super) async fn delete_group(&self, id: &str) -> Result<bool, Failure> {
        let answer = self.ec2.delete_security_group().group_id(id).send().await;
        match answer.map_err(|error| Failure::new(format!("removing security group {id}"), &error))
        {
            Ok(_) => Ok(true),
            Err(failure) if failure.is_not_found() || failure.is("InvalidGroupId.Malformed") => {
                Ok(true)
            }
            Err(failure)
                if failure.is("DependencyViolation") || failure.is("InvalidGroup.InUse") =>
            {
                Ok(false)
            }
            Err(failure) => Err(failure),
        }
    }
}

fn https_out() -> IpPermission {
    IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(HTTPS)
        .to_port(HTTPS)
        .ip_ranges(IpRange::builder().cidr_ip(EVERYWHERE).build())
        .build()
}

/// Whether two rules mean the same; ids and descriptions do not matter.
fn lets_the_same_through(rule: &IpPermission, wanted: &IpPermission) -> bool {
    rule.ip_protocol == wanted.ip_protocol
        && rule.from_port == wanted.from_port
        && rule.to_port == wanted.to_port
        && matches!(rule.ip_ranges(), [range] if range.cidr_ip() == Some(EVERYWHERE))
        && rule.ipv6_ranges().is_empty()
        && rule.prefix_list_ids().is_empty()
        && rule.user_id_group_pairs().is_empty()
}
