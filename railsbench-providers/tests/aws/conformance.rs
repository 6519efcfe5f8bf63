//! The suite that every provider must pass, and what it does not ask.

use std::sync::Arc;

use aws_sdk_ec2::types::{HttpTokensState, Instance};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use railsbench_core::id::{MachineId, RunId};
use railsbench_core::provider::{Arch, MachineState, Provider, Scope, Shape};
use railsbench_emulators::aws::debian;
use railsbench_providers::MemoryJournal;
use railsbench_providers::conformance::{Subject, check};

use crate::world::{PATIENCE, REGION, TOKEN, World, request};

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_provider_passes() {
    let world = World::new().await;
    let shape =
        |arch, vcpus, gib: u64| Shape { arch, vcpus: Some(vcpus), memory_bytes: Some(gib << 30) };
    let subject = Subject {
        request: request(&world.run_id, "c7g.medium", 2),
        shapes: vec![
            ("c7g.medium".to_owned(), shape(Arch::Aarch64, 1, 2)),
            ("m5.large".to_owned(), shape(Arch::X86_64, 2, 8)),
        ],
        misspelt: ("c7g.medum".to_owned(), "c7g.medium".to_owned()),
        patience: PATIENCE,
    };
    check(Arc::new(world.provider()), &subject).await.unwrap();
    world.is_empty().await;
}

fn tag<'a>(instance: &'a Instance, key: &str) -> &'a str {
    let tag = instance.tags().iter().find(|tag| tag.key() == Some(key));
    tag.and_then(|tag| tag.value()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_made_as_documented() {
    let world = World::new().await;
    for (instance_type, arch) in [("c7g.medium", "arm64"), ("m5.large", "amd64")] {
        world.proxy.forget();
        let plan = world.plan(instance_type, 1);
        let deployment = world.provision(&plan).await.unwrap();
        let calls = world.proxy.calls();
        let run = calls.iter().find(|call| call.action == "RunInstances").unwrap();
        for (key, value) in [
            ("ImageId", debian(arch).as_str()),
            ("InstanceType", instance_type),
            ("InstanceInitiatedShutdownBehavior", "terminate"),
            ("MetadataOptions.HttpTokens", "required"),
            ("BlockDeviceMapping.1.Ebs.VolumeType", "gp3"),
            ("BlockDeviceMapping.1.Ebs.DeleteOnTermination", "true"),
            ("NetworkInterface.1.AssociatePublicIpAddress", "true"),
            ("NetworkInterface.1.DeleteOnTermination", "true"),
            ("TagSpecification.1.ResourceType", "instance"),
            ("TagSpecification.2.ResourceType", "volume"),
            ("TagSpecification.3.ResourceType", "network-interface"),
        ] {
            assert_eq!(run.value(key), value, "{key} of {:?}", run.values);
        }
        assert!(!run.values.contains_key("KeyName"));

        let instances = world.moto.instances(REGION).await;
        let [instance] = &instances[..] else { panic!("{instances:?}") };
        let id = instance.instance_id().unwrap();
        assert_eq!(deployment.machines[0].id.as_str(), format!("{REGION}/{id}"));
        assert_eq!(tag(instance, "railsbench"), "true");
        assert_eq!(tag(instance, "railsbench-run"), world.run_id.as_str());
        assert_eq!(tag(instance, "railsbench-machine"), plan.machines[0].name);
        assert!(tag(instance, "railsbench-expires").ends_with('Z'));
        let tokens = instance.metadata_options().and_then(|options| options.http_tokens());
        assert_eq!(tokens, Some(&HttpTokensState::Required));

        let ec2 = world.moto.ec2(REGION);
        let [interface] = instance.network_interfaces() else { panic!("{instance:?}") };
        let [group] = interface.groups() else { panic!("{interface:?}") };
        let found = ec2.describe_security_groups().group_ids(group.group_id().unwrap());
        let found = found.send().await.unwrap();
        let group = &found.security_groups()[0];
        assert!(group.ip_permissions().is_empty(), "nothing comes in");
        let [out] = group.ip_permissions_egress() else { panic!("{group:?}") };
        assert_eq!((out.from_port(), out.to_port()), (Some(443), Some(443)));
        assert_eq!(out.ip_protocol(), Some("tcp"));

        let attribute = ec2.describe_instance_attribute().instance_id(id);
        let attribute = attribute.attribute("userData".into()).send().await.unwrap();
        let sent = attribute.user_data().and_then(|data| data.value()).unwrap();
        let sent = STANDARD.decode(sent).unwrap();
        assert_eq!(String::from_utf8(sent).unwrap(), plan.user_data.expose());
        assert!(plan.user_data.expose().contains(TOKEN));
        // Instance, volume and security group; moto does not tag network interfaces.
        assert_eq!(world.teardown().await, 3);
    }
}

/// A machine that ends itself is told from one that runs, and from one that never was.
#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_a_machine_is_told() {
    let world = World::new().await;
    let provider = world.provider();
    let mut deployment = world.provision(&world.plan("t3.micro", 2)).await.unwrap();
    deployment.machines[1].id = MachineId::new("us-east-1/i-0123456789abcdef0").unwrap();
    let states = provider.status(&deployment).await.unwrap();
    assert_eq!(states[0].state, MachineState::Running);
    assert_eq!(states[1].state, MachineState::Gone);
    let (_, id) = deployment.machines[0].id.as_str().split_once('/').unwrap();
    world.moto.ec2(REGION).terminate_instances().instance_ids(id).send().await.unwrap();
    let states = provider.status(&deployment).await.unwrap();
    let MachineState::Stopped { reason } = &states[0].state else { panic!("{states:?}") };
    assert!(reason.starts_with("terminated: "), "{reason}");
    assert!(provider.console_log(&deployment.machines[0].id).await.unwrap().is_some());
    assert_eq!(provider.console_log(&deployment.machines[1].id).await.unwrap(), None);
    world.teardown().await;
}

/// Two runs in two regions: a teardown of one leaves the other, one of all regions takes both.
#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_in_scope_is_removed() {
    let world = World::new().await;
    let provider = world.provider();
    let other = RunId::new(format!("{}-2", world.run_id)).unwrap();
    world.provision(&world.plan("t3.micro", 1)).await.unwrap();
    let mut elsewhere = request(&other, "t4g.nano", 1);
    elsewhere.region = Some("eu-west-1".to_owned());
    world.provision(&provider.plan(&elsewhere).unwrap()).await.unwrap();

    let bystander = world.moto.ec2(REGION).run_instances().min_count(1).max_count(1);
    let bystander = bystander.image_id("ami-1").send().await.unwrap();
    let bystander = bystander.instances()[0].instance_id().unwrap().to_owned();

    let here = provider.list(&Scope::all()).await.unwrap();
    assert!(here.iter().all(|found| found.run_id.as_ref() == Some(&world.run_id)), "{here:?}");
    let instance = here.iter().find(|found| found.kind == "instance").unwrap();
    assert_eq!(instance.per_hour.unwrap().micros(), 10_400 + 5_000, "with its address");
    assert!(instance.expires_at.is_some());
    let regions = || vec![REGION.to_owned(), "eu-west-1".to_owned()];
    let both = Scope::all().in_regions(regions());
    assert_eq!(provider.list(&both).await.unwrap().len(), 2 * here.len());

    assert_eq!(provider.teardown(&world.scope()).await.unwrap().removed.len(), here.len());
    let left = provider.list(&both).await.unwrap();
    assert!(left.iter().all(|found| found.run_id.as_ref() == Some(&other)), "{left:?}");
    assert!(left.iter().all(|found| found.region.as_deref() == Some("eu-west-1")), "{left:?}");
    provider.teardown(&both).await.unwrap();
    assert_eq!(provider.list(&both).await.unwrap(), []);
    assert!(world.moto.everything("eu-west-1").await.is_empty());
    let running = world.moto.instances(REGION).await;
    assert_eq!(running.len(), 1, "what is not ours stays");
    assert_eq!(running[0].instance_id(), Some(bystander.as_str()));
}

/// Types of one run are provisioned at the same time, by one provider or several.
#[tokio::test(flavor = "multi_thread")]
async fn several_types_are_made_at_once() {
    let world = World::new().await;
    let (one, other) = (world.provider(), world.provider());
    let plans = ["c7g.medium", "t3.micro", "m5.large"].map(|name| world.plan(name, 12));
    let journal = Arc::new(MemoryJournal::default());
    let provisioned = tokio::join!(
        one.provision(&plans[0], journal.clone()),
        one.provision(&plans[1], journal.clone()),
        other.provision(&plans[2], journal.clone()),
    );
    for (deployment, plan) in [provisioned.0, provisioned.1, provisioned.2].into_iter().zip(&plans)
    {
        let made: Vec<_> = deployment.unwrap().machines.into_iter().map(|made| made.name).collect();
        let planned: Vec<_> = plan.machines.iter().map(|machine| machine.name.clone()).collect();
        assert_eq!(made, planned);
    }
    assert_eq!(world.moto.instances(REGION).await.len(), 36);
    // Instances, volumes and a security group for each type.
    assert_eq!(world.teardown().await, 36 + 36 + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_without_a_default_network_gets_one() {
    let world = World::new().await;
    let ec2 = world.moto.ec2(REGION);
    let vpcs = ec2.describe_vpcs().send().await.unwrap();
    let vpc = vpcs.vpcs()[0].vpc_id().unwrap();
    for subnet in ec2.describe_subnets().send().await.unwrap().subnets() {
        ec2.delete_subnet().subnet_id(subnet.subnet_id().unwrap()).send().await.unwrap();
    }
    let plan = world.plan("t3.micro", 1);
    let error = world.provision(&plan).await.unwrap_err().to_string();
    assert!(error.contains("create-default-subnet --availability-zone us-east-1a"), "{error}");
    world.is_empty().await;

    ec2.delete_vpc().vpc_id(vpc).send().await.unwrap();
    let found = world.provider().preflight(&plan).await.unwrap();
    assert_eq!(found.failures().count(), 0, "{found:?}");
    assert_eq!(world.proxy.count("CreateDefaultVpc"), 0);
    world.provision(&plan).await.unwrap();
    assert_eq!(world.proxy.count("CreateDefaultVpc"), 1);
    world.teardown().await;
}
