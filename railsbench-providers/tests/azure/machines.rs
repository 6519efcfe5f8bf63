//! Machines at work: made, looked at, listed, made again, removed.

use std::sync::Arc;
use std::time::Duration;

use railsbench_core::id::{InstanceType, MachineId};
use railsbench_core::provider::{
    Deployment, Journal, JournalStep, Machine, MachineState, Provider, Scope,
};
use railsbench_emulators::azure::Emulator;
use railsbench_providers::MemoryJournal;

use crate::setup::{TOKEN, plan, provider, provision, request, run, teardown};

#[tokio::test]
async fn a_run_has_all_of_it_in_one_group_and_a_teardown_from_nothing_finds_it() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    let arm_plan = plan(&provider, "r1", "Standard_D2ps_v5", 2);
    let x86_plan = plan(&provider, "r1", "Standard_D4s_v5", 1);
    let (arm, x86) = tokio::join!(provision(&provider, &arm_plan), provision(&provider, &x86_plan));
    let (arm, x86) = (arm.unwrap(), x86.unwrap());
    assert_eq!((arm.machines.len(), x86.machines.len()), (2, 1));
    assert_eq!(emulator.world().groups.len(), 1);
    provision(&provider, &plan(&provider, "r2", "Standard_D4s_v5", 1)).await.unwrap();

    let listed = provider.list(&Scope::run(run("r1"))).await.unwrap();
    let count = |kind: &str| listed.iter().filter(|resource| resource.kind == kind).count();
    let kinds = [
        ("resource group", 1),
        ("network security group", 1),
        ("virtual network", 1),
        ("virtual machine", 3),
        ("network interface", 3),
        ("public IP address", 3),
        ("disk", 3),
    ];
    for (kind, expected) in kinds {
        assert_eq!(count(kind), expected, "{kind}: {listed:?}");
    }
    assert!(listed.iter().all(|resource| resource.expires_at.is_some()), "{listed:?}");
    assert!(listed.iter().all(|resource| resource.run_id == Some(run("r1"))), "{listed:?}");
    let hourly = listed.iter().filter_map(|resource| resource.per_hour);
    let beside = 3 * (3_288 + 5_000);
    let expected = 2 * 77_000 + 192_000 + beside;
    assert_eq!(hourly.map(railsbench_core::money::Usd::micros).sum::<u64>(), expected);

    let elsewhere = Scope { regions: vec!["westeurope".to_owned()], ..Scope::run(run("r1")) };
    assert_eq!(provider.list(&elsewhere).await.unwrap(), []);
    assert!(provider.teardown(&elsewhere).await.unwrap().removed.is_empty());

    let fresh = crate::setup::provider(&emulator);
    let removed = fresh.teardown(&Scope::run(run("r1"))).await.unwrap().removed;
    assert_eq!(removed.len(), listed.len());
    assert_eq!(emulator.machines().len(), 1, "the other run is left alone");
    for status in fresh.status(&arm).await.unwrap() {
        assert_eq!(status.state, MachineState::Gone);
    }
    teardown(&emulator, "r2").await;
}

#[tokio::test]
async fn each_region_has_a_group_of_its_own() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    for region in ["eastus", "westeurope"] {
        let mut request = request("r1", "Standard_D4s_v5", 1);
        request.region = Some(region.to_owned());
        let plan = provider.plan(&request).unwrap();
        let deployment = provision(&provider, &plan).await.unwrap();
        assert_eq!(deployment.machines[0].region.as_deref(), Some(region));
    }
    let one = Scope { regions: vec!["westeurope".to_owned()], ..Scope::run(run("r1")) };
    assert!(!provider.teardown(&one).await.unwrap().removed.is_empty());
    assert_eq!(emulator.world().groups.keys().collect::<Vec<_>>(), ["railsbench-r1-eastus"]);
    teardown(&emulator, "r1").await;
}

#[tokio::test]
async fn everything_is_in_the_journal_before_it_is_made_and_when_it_has_gone() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    let journal = Arc::new(MemoryJournal::default());
    let plan = plan(&provider, "r1", "Standard_D2ps_v5", 1);
    provider.provision(&plan, journal.clone()).await.unwrap();
    let entries = journal.entries().unwrap();
    assert_eq!(entries.len(), 12);
    for resource in emulator.world().resources.values() {
        let id = resource["id"].as_str().unwrap();
        let disk = resource["type"] == "Microsoft.Compute/disks";
        assert!(disk || entries.iter().any(|entry| entry.token == id), "{id}");
    }
    assert!(entries.iter().all(|entry| entry.region.as_deref() == Some("eastus")));
    assert!(!serde_json::to_string(&entries).unwrap().contains(TOKEN));
    assert!(entries.iter().all(|entry| entry.step != JournalStep::Removed));
    teardown(&emulator, "r1").await;
}

#[tokio::test]
async fn a_machine_that_has_ended_is_said_to_cost_money_and_made_anew() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    let plan = plan(&provider, "r1", "Standard_D2ps_v5", 1);
    let deployment = provision(&provider, &plan).await.unwrap();
    let id = deployment.machines[0].id.as_str().to_lowercase();
    emulator.world().resources.get_mut(&id).unwrap()["power"] = "stopped".into();
    let state = provider.status(&deployment).await.unwrap().remove(0).state;
    let MachineState::Stopped { reason } = state else { panic!("{state:?}") };
    assert!(reason.contains("charged"), "{reason}");
    assert_eq!(provision(&provider, &plan).await.unwrap(), deployment);
    let state = provider.status(&deployment).await.unwrap().remove(0).state;
    assert_eq!(state, MachineState::Running);
    teardown(&emulator, "r1").await;
}

#[tokio::test]
async fn the_console_is_read_without_showing_the_token_to_the_storage() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    let plan = plan(&provider, "r1", "Standard_D2ps_v5", 1);
    let deployment = provision(&provider, &plan).await.unwrap();
    let log = provider.console_log(&deployment.machines[0].id).await.unwrap().unwrap();
    assert!(log.contains("says hello"), "{log}");
    teardown(&emulator, "r1").await;
    assert_eq!(provider.console_log(&deployment.machines[0].id).await.unwrap(), None);
}

#[tokio::test]
async fn ids_of_others_are_no_paths() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    let id = MachineId::new("/subscriptions/x/../y").unwrap();
    let machine = Machine {
        id: id.clone(),
        name: "m".to_owned(),
        instance_type: InstanceType::new("x").unwrap(),
        region: None,
    };
    let deployment = Deployment {
        provider: provider.name().clone(),
        run_id: run("r1"),
        machines: vec![machine],
    };
    let statuses = provider.status(&deployment).await.unwrap();
    assert_eq!(statuses[0].state, MachineState::Gone);
    assert_eq!(provider.console_log(&id).await.unwrap(), None);
    assert!(emulator.world().calls.is_empty());
}

/// A longer life that was promised before is not cut short.
#[tokio::test]
async fn a_group_keeps_the_later_of_two_times() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    let mut long = request("r1", "Standard_D2ps_v5", 1);
    long.max_lifetime = Duration::from_hours(10);
    provision(&provider, &provider.plan(&long).unwrap()).await.unwrap();
    let expiry = || {
        let world = emulator.world();
        world.groups["railsbench-r1-eastus"]["tags"]["railsbench-expires"].clone()
    };
    let before = expiry();
    provision(&provider, &plan(&provider, "r1", "Standard_D4s_v5", 1)).await.unwrap();
    assert_eq!(expiry(), before);
    teardown(&emulator, "r1").await;
}

#[tokio::test]
async fn a_stranger_s_group_of_the_same_name_is_left_alone() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    let name = "railsbench-r1-eastus".to_owned();
    let stranger = serde_json::json!({"id": "x", "location": "eastus", "tags": {}});
    emulator.world().groups.insert(name.clone(), stranger.clone());
    let error =
        provision(&provider, &plan(&provider, "r1", "Standard_D2ps_v5", 1)).await.unwrap_err();
    assert!(error.to_string().contains("use another run id"), "{error}");
    assert_eq!(emulator.world().groups[&name], stranger);
    assert!(emulator.world().resources.is_empty());
}
