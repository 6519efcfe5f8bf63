//! The policy that the documentation gives away: it permits what is called, and nothing else.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{IpPermission, IpRange, ResourceType, Tag, TagSpecification, VolumeType};
use railsbench_core::provider::{Provider, Scope};
use railsbench_emulators::aws::Call;
use serde_json::Value;

use crate::world::{REGION, World};

/// The permission of a call: it is called as the call is, with its service before it.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>
fn permission(call: &Call) -> String {
    let service = match call.action.as_str() {
        "GetCallerIdentity" => "sts",
        "GetParameter" => "ssm",
        "GetServiceQuota" => "servicequotas",
        _ => "ec2",
    };
    format!("{service}:{}", call.action)
}

/// Who makes something with tags needs `ec2:CreateTags` too:
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html>
fn tags_what_it_makes(call: &Call) -> bool {
    call.values.keys().any(|key| key.starts_with("TagSpecification."))
}

fn texts(value: &Value) -> Vec<String> {
    let one = value.as_str().map(str::to_owned);
    let several = value.as_array().into_iter().flatten();
    one.into_iter().chain(several.map(|text| text.as_str().unwrap().to_owned())).collect()
}

impl World {
    /// Takes the default network away, as cautious operators do.
    async fn delete_default_network(&self) {
        let ec2 = self.moto.ec2(REGION);
        for subnet in ec2.describe_subnets().send().await.unwrap().subnets() {
            ec2.delete_subnet().subnet_id(subnet.subnet_id().unwrap()).send().await.unwrap();
        }
        let vpcs = ec2.describe_vpcs().send().await.unwrap();
        ec2.delete_vpc().vpc_id(vpcs.vpcs()[0].vpc_id().unwrap()).send().await.unwrap();
    }

    /// Opens the security group of the run to all.
    async fn open_group(&self) {
        let ec2 = self.moto.ec2(REGION);
        let groups = ec2.describe_security_groups().send().await.unwrap();
        let ours =
            |group: &&aws_sdk_ec2::types::SecurityGroup| group.group_name() != Some("default");
        let group = groups.security_groups().iter().find(ours).unwrap();
        let range = IpRange::builder().cidr_ip("0.0.0.0/0").build();
        let rule = IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22);
        let open = ec2.authorize_security_group_ingress().group_id(group.group_id().unwrap());
        open.ip_permissions(rule.ip_ranges(range).build()).send().await.unwrap();
    }

    /// A volume and a network interface that have outlived their instance.
    async fn leave_remains(&self) {
        let ec2 = self.moto.ec2(REGION);
        let tags = |kind: ResourceType| {
            let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
            TagSpecification::builder()
                .resource_type(kind)
                .tags(tag("railsbench", "true"))
                .tags(tag("railsbench-run", self.run_id.as_str()))
                .build()
        };
        let volume = ec2.create_volume().availability_zone(format!("{REGION}a")).size(1);
        let volume = volume.volume_type(VolumeType::Gp3);
        volume.tag_specifications(tags(ResourceType::Volume)).send().await.unwrap();
        let subnets = ec2.describe_subnets().send().await.unwrap();
        let subnet = subnets.subnets()[0].subnet_id().unwrap();
        let interface = ec2.create_network_interface().subnet_id(subnet);
        let tagged = interface.tag_specifications(tags(ResourceType::NetworkInterface));
        tagged.send().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_permits_what_is_called_and_no_more() {
    let world = World::new().await;
    world.delete_default_network().await;
    let provider = world.provider();
    let plan = world.plan("c7g.medium", 1);
    provider.preflight(&plan).await.unwrap();
    let deployment = world.provision(&plan).await.unwrap();
    world.open_group().await;
    world.provision(&plan).await.unwrap();
    provider.status(&deployment).await.unwrap();
    provider.console_log(&deployment.machines[0].id).await.unwrap();
    provider.list(&Scope::all()).await.unwrap();
    world.leave_remains().await;
    world.teardown().await;

    let calls = world.proxy.calls();
    let tagging: BTreeSet<String> =
        calls.iter().filter(|call| tags_what_it_makes(call)).map(|c| c.action.clone()).collect();
    let mut needed: BTreeSet<String> = calls.iter().map(permission).collect();
    if !tagging.is_empty() {
        needed.insert("ec2:CreateTags".to_owned());
    }
    // Called only where rules of two groups name each other, which none of ours do by themselves.
    needed.insert("ec2:RevokeSecurityGroupIngress".to_owned());
    let policy = include_str!("../../../docs/providers/aws-policy.json");
    let policy: Value = serde_json::from_str(policy).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    assert!(statements.iter().all(|statement| statement["Effect"] == "Allow"));
    let given: BTreeSet<String> =
        statements.iter().flat_map(|statement| texts(&statement["Action"])).collect();
    let missing: Vec<_> = needed.difference(&given).collect();
    let superfluous: Vec<_> = given.difference(&needed).collect();
    assert!(missing.is_empty() && superfluous.is_empty(), "{missing:?} {superfluous:?}");

    for statement in statements {
        let actions = texts(&statement["Action"]);
        let equals = &statement["Condition"]["StringEquals"];
        let removes = |action: &String| {
            ["Terminate", "Delete", "Revoke", "Authorize"].iter().any(|word| action.contains(word))
        };
        let only_ours = equals["aws:ResourceTag/railsbench"] == "true";
        assert!(only_ours || !actions.iter().any(removes), "{statement}");
        if actions == ["ec2:CreateTags"] {
            let while_making = texts(&equals["ec2:CreateAction"]).into_iter().collect();
            assert_eq!(tagging, while_making);
        }
        if actions == ["ssm:GetParameter"] {
            let resource = statement["Resource"].as_str().unwrap();
            let (_, readable) = resource.split_once(":parameter").unwrap();
            let readable = readable.strip_suffix('*').unwrap();
            let mut read = calls.iter().filter(|call| call.action == "GetParameter");
            assert!(read.all(|call| call.value("Name").starts_with(readable)), "{resource}");
        }
    }
}
