//! What EC2 may answer on a bad day, and what is left after it: nothing.

use std::sync::Arc;

use railsbench_core::provider::{Journal, JournalStep, MachineState, Provider, ProviderError};
use railsbench_emulators::aws::{Call, Fault};
use railsbench_providers::MemoryJournal;

use crate::world::{REGION, World};

fn zone(call: &Call, world_subnets: &[(String, String)]) -> String {
    let subnet = call.value("NetworkInterface.1.SubnetId");
    let found = world_subnets.iter().find(|(id, _)| id == subnet);
    found.map(|(_, zone)| zone.clone()).unwrap_or_default()
}

async fn subnets(world: &World) -> Vec<(String, String)> {
    let subnets = world.moto.ec2(REGION).describe_subnets().send().await.unwrap();
    let both = |subnet: &aws_sdk_ec2::types::Subnet| {
        (subnet.subnet_id().unwrap().to_owned(), subnet.availability_zone().unwrap().to_owned())
    };
    subnets.subnets().iter().map(both).collect()
}

fn starts(call: &Call) -> bool {
    call.action == "RunInstances"
}

/// Each machine goes to the first zone that has room, and a full zone is asked only once.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_zone_is_left_for_the_next() {
    let world = World::new().await;
    let subnets = subnets(&world).await;
    let first = subnets.iter().map(|(_, zone)| zone.clone()).min().unwrap();
    let (places, full) = (subnets.clone(), first.clone());
    world.proxy.fail(usize::MAX, Fault::Refuse(500, "InsufficientInstanceCapacity"), move |call| {
        starts(call) && zone(call, &places) == full
    });
    let plan = world.plan("c7g.medium", 1);
    let journal = Arc::new(MemoryJournal::default());
    world.provider().provision(&plan, journal.clone()).await.unwrap();
    let tried: Vec<String> =
        world.proxy.calls().iter().filter(|call| starts(call)).map(|c| zone(c, &subnets)).collect();
    assert_eq!(tried.len(), 2, "{tried:?}");
    assert_eq!(tried[0], first);
    assert_ne!(tried[1], first);
    let steps: Vec<_> = journal.entries().unwrap().into_iter().map(|entry| entry.step).collect();
    assert!(
        matches!(
            steps[2..],
            [
                JournalStep::Intend,
                JournalStep::Removed,
                JournalStep::Intend,
                JournalStep::Created { .. }
            ]
        ),
        "{steps:?}"
    );
    world.teardown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_room_in_any_zone_names_them_all_and_leaves_nothing() {
    let world = World::new().await;
    world.proxy.fail(usize::MAX, Fault::Refuse(500, "InsufficientInstanceCapacity"), starts);
    let error = world.provision(&world.plan("c7g.medium", 1)).await.unwrap_err();
    assert!(matches!(error, ProviderError::Capacity { .. }), "{error:?}");
    let said = error.to_string();
    assert!(said.contains("c7g.medium in us-east-1a, us-east-1b"), "{said}");
    assert!(said.contains("set regions.aws to another region"), "{said}");
    world.is_empty().await;
}

/// The quota is the account's: no other zone helps, and those that were started are ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_over_the_quota_takes_its_siblings_with_it() {
    let world = World::new().await;
    world.proxy.fail(1, Fault::Refuse(400, "VcpuLimitExceeded"), starts);
    let error = world.provision(&world.plan("c7g.medium", 4)).await.unwrap_err();
    assert!(matches!(error, ProviderError::Capacity { .. }), "{error:?}");
    assert!(error.to_string().contains("servicequotas"), "{error}");
    assert_eq!(world.proxy.count("RunInstances"), 4);
    assert_eq!(world.proxy.count("TerminateInstances"), 1);
    world.is_empty().await;
}

/// What fails for one type leaves the machines of another type of the same run alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_that_of_its_machines_alone() {
    let world = World::new().await;
    world.provision(&world.plan("t3.micro", 2)).await.unwrap();
    world.proxy.fail(usize::MAX, Fault::Refuse(400, "VcpuLimitExceeded"), starts);
    world.provision(&world.plan("c7g.medium", 2)).await.unwrap_err();
    assert_eq!(world.moto.instances(REGION).await.len(), 2);
    world.teardown().await;
}

/// Throttled calls and server errors are tried again, and no machine is made twice.
#[tokio::test(flavor = "multi_thread")]
async fn what_passes_by_is_sat_out() {
    let world = World::new().await;
    for action in ["DescribeVpcs", "CreateSecurityGroup", "RevokeSecurityGroupEgress"] {
        let matches = move |call: &Call| call.action == action;
        world.proxy.fail(2, Fault::Refuse(503, "RequestLimitExceeded"), matches);
    }
    world.proxy.fail(1, Fault::Refuse(500, "InternalError"), starts);
    world
        .proxy
        .fail(1, Fault::Refuse(503, "Unavailable"), |call| call.action == "TerminateInstances");
    world.provision(&world.plan("c7g.medium", 2)).await.unwrap();
    assert_eq!(world.moto.instances(REGION).await.len(), 2);
    world.teardown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_without_end_is_said_so() {
    let world = World::new().await;
    world.proxy.fail(usize::MAX, Fault::Refuse(503, "RequestLimitExceeded"), |call| {
        call.action == "DescribeVpcs"
    });
    let error = world.provision(&world.plan("c7g.medium", 1)).await.unwrap_err();
    assert!(matches!(error, ProviderError::Throttled { .. }), "{error:?}");
    world.is_empty().await;
}

/// The answer to each call that makes something is lost, after and before the effect: the next
/// attempt finds what there is, and makes nothing twice.
#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_and_calls_make_nothing_twice() {
    let world = World::new().await;
    for fault in [Fault::LoseAnswer, Fault::LoseCall] {
        for action in [
            "CreateSecurityGroup",
            "AuthorizeSecurityGroupEgress",
            "RevokeSecurityGroupEgress",
            "RunInstances",
        ] {
            world.proxy.fail(1, fault.clone(), move |call| call.action == action);
            world.provision(&world.plan("c7g.medium", 2)).await.unwrap();
            assert_eq!(world.moto.instances(REGION).await.len(), 2, "{fault:?} {action}");
            for action in ["TerminateInstances", "DeleteSecurityGroup"] {
                world.proxy.fail(1, fault.clone(), move |call| call.action == action);
            }
            world.teardown().await;
        }
    }
}

/// No attempt is answered, though each has its effect: what was made is found by its tags and
/// taken back.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_without_an_answer_is_taken_back() {
    for action in ["RunInstances", "CreateSecurityGroup"] {
        let world = World::new().await;
        world.proxy.fail(usize::MAX, Fault::LoseAnswer, move |call| call.action == action);
        let error = world.provision(&world.plan("c7g.medium", 1)).await.unwrap_err();
        assert!(matches!(error, ProviderError::Call { .. }), "{error:?}");
        assert!(world.proxy.count(action) > 1);
        world.is_empty().await;
    }
}

/// EC2 shows what was just made to one call and not yet to another.
#[tokio::test(flavor = "multi_thread")]
async fn what_ec2_does_not_show_yet_is_waited_for() {
    let world = World::new().await;
    // Before the group is made, and twice after it.
    world.proxy.fail(3, Fault::Nothing, |call| call.action == "DescribeSecurityGroups");
    world.proxy.fail(1, Fault::Refuse(400, "InvalidGroup.NotFound"), |call| {
        call.action == "AuthorizeSecurityGroupEgress"
    });
    world.proxy.fail(2, Fault::Refuse(400, "InvalidGroup.NotFound"), starts);
    let deployment = world.provision(&world.plan("c7g.medium", 1)).await.unwrap();
    world.proxy.fail(1, Fault::Nothing, |call| call.action == "DescribeInstances");
    let states = world.provider().status(&deployment).await.unwrap();
    assert_eq!(states[0].state, MachineState::Running);
    world.teardown().await;
}

/// A start whose answer was never read, as the journal tells, is not made a second time, though
/// EC2 does not list it yet and the rest of the request has changed since.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_an_end_in_the_journal_is_asked_for_again() {
    let world = World::new().await;
    let journal = Arc::new(MemoryJournal::default());
    let plan = world.plan("c7g.medium", 1);
    let first = world.provider().provision(&plan, journal.clone()).await.unwrap();
    for longer in [false, true] {
        let crashed = Arc::new(MemoryJournal::default());
        for entry in journal.entries().unwrap() {
            if entry.step == JournalStep::Intend {
                crashed.record(&entry).unwrap();
            }
        }
        let mut plan = plan.clone();
        if longer {
            plan.max_lifetime *= 2;
        }
        world.proxy.fail(1, Fault::Nothing, |call| call.action == "DescribeInstances");
        world.proxy.forget();
        let again = world.provider().provision(&plan, crashed).await.unwrap();
        assert_eq!(again, first);
        assert_eq!(world.proxy.count("RunInstances"), 1);
        assert_eq!(world.moto.instances(REGION).await.len(), 1);
    }
    world.teardown().await;
}

/// A group that is still in use is removed later; who does not let go of it is named.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_in_use_is_waited_for_and_named_if_it_stays() {
    let world = World::new().await;
    world.provision(&world.plan("c7g.medium", 1)).await.unwrap();
    let deletes = |call: &Call| call.action == "DeleteSecurityGroup";
    world.proxy.fail(3, Fault::Refuse(400, "DependencyViolation"), deletes);
    world.teardown().await;
    assert_eq!(world.proxy.count("DeleteSecurityGroup"), 4);

    world.provision(&world.plan("c7g.medium", 1)).await.unwrap();
    world.proxy.fail(usize::MAX, Fault::Refuse(400, "DependencyViolation"), deletes);
    let impatient =
        world.provider().with_pace(crate::world::LOOK_EVERY, std::time::Duration::from_millis(200));
    let error = impatient.teardown(&world.scope()).await.unwrap_err();
    let ProviderError::LeftBehind { resources, .. } = &error else { panic!("{error:?}") };
    assert_eq!(resources.len(), 1);
    assert_eq!(resources[0].kind, "security group");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_the_region_does_not_offer_is_refused_before_anything_is_made() {
    let world = World::new().await;
    world.proxy.offer("m5.large", &[]);
    let error = world.provision(&world.plan("m5.large", 1)).await.unwrap_err().to_string();
    assert!(error.contains("us-east-1 does not offer it"), "{error}");
    assert_eq!(world.proxy.count("CreateSecurityGroup"), 0);
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_are_named_with_the_fix() {
    let world = World::new().await;
    for (code, fix) in [
        ("AuthFailure", "AWS_PROFILE"),
        ("RequestExpired", "log in again"),
        ("UnauthorizedOperation", "docs/providers/aws-policy.json"),
        ("OptInRequired", "enable the region"),
    ] {
        world.proxy.fail(1, Fault::Refuse(401, code), |call| call.action == "CreateSecurityGroup");
        let error = world.provision(&world.plan("c7g.medium", 1)).await.unwrap_err();
        assert!(matches!(error, ProviderError::Credentials { .. }), "{code}: {error:?}");
        assert!(error.to_string().contains(fix), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
        world.is_empty().await;
    }
}
