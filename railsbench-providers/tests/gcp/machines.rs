//! What is made, how it is told of, and how it goes.

use std::sync::Arc;

use railsbench_core::id::{MachineId, RunId};
use railsbench_core::money::Usd;
use railsbench_core::provider::{JournalStep, MachineState, Provider, Scope};
use railsbench_emulators::gcp::Emulator;
use railsbench_providers::MemoryJournal;
use serde_json::json;

use crate::fixture::{
    RUN_TOKEN, instances, nothing_is_left, plan, plan_of, provider, provision, request, teardown,
};

#[tokio::test]
async fn an_instance_is_closed_short_lived_and_without_rights() {
    let emulator = Emulator::start().await;
    let plan = plan_of(&request("r1", "t2a-standard-1", 1));
    let deployment = provision(&emulator, &plan).await.unwrap();
    assert_eq!(deployment.machines[0].id.as_str(), "us-central1-a/railsbench-r1-t2a-standard-1-1");
    {
        let world = emulator.world();
        let body = &world.instances[deployment.machines[0].id.as_str()].body;
        assert_eq!(body["serviceAccounts"], json!([]));
        assert_eq!(body["scheduling"]["maxRunDuration"], json!({"seconds": "3600"}));
        assert_eq!(body["scheduling"]["instanceTerminationAction"], "DELETE");
        assert_eq!(body["disks"][0]["autoDelete"], true);
        let image = "projects/debian-cloud/global/images/family/debian-12-arm64";
        assert_eq!(body["disks"][0]["initializeParams"]["sourceImage"], image);
        assert_eq!(body["labels"]["railsbench-run"], "r1");
        let script = &body["metadata"]["items"][0];
        assert_eq!(script["key"], "startup-script");
        assert!(script["value"].as_str().unwrap().contains(RUN_TOKEN));
        assert_eq!(body["tags"]["items"].as_array().unwrap().len(), 1);

        // Every rule is for the tag of the instance, and the stronger one comes first.
        let mut rules: Vec<_> = world.firewalls.values().map(|rule| rule.body.clone()).collect();
        rules.sort_by_key(|rule| (rule["direction"].to_string(), rule["priority"].as_i64()));
        assert!(rules.iter().all(|rule| rule["targetTags"] == body["tags"]["items"]));
        assert_eq!(rules[0]["allowed"], json!([{"IPProtocol": "tcp", "ports": ["443"]}]));
        assert_eq!(rules[1]["denied"], json!([{"IPProtocol": "all"}]));
        assert_eq!(rules[2]["direction"], "INGRESS");
        assert_eq!(rules[2]["denied"], json!([{"IPProtocol": "all"}]));
        assert_eq!(rules.len(), 3);
        let planned: Vec<_> = plan.resources.iter().map(|resource| resource.name.clone()).collect();
        assert!(world.firewalls.keys().all(|name| planned.contains(name)), "{planned:?}");
    }
    let log = provider(&emulator).console_log(&deployment.machines[0].id).await.unwrap();
    assert_eq!(log.as_deref(), Some("railsbench: starting the runner\n"));
    assert_eq!(teardown(&emulator, "r1").await, 4);
}

#[tokio::test]
async fn machines_are_spread_over_the_zones_that_have_the_type() {
    let emulator = Emulator::start().await;
    provision(&emulator, &plan("r1", 4)).await.unwrap();
    let zones: Vec<String> =
        instances(&emulator).iter().map(|id| id.split('/').next().unwrap().to_owned()).collect();
    assert_eq!(zones, ["us-central1-a", "us-central1-a", "us-central1-b", "us-central1-c"]);
    let custom = plan_of(&request("r1", "n2-custom-2-4096", 2));
    provision(&emulator, &custom).await.unwrap();
    let custom = instances(&emulator).into_iter().filter(|id| id.contains("custom"));
    assert!(custom.into_iter().all(|id| id.starts_with("us-central1-b/")));
    teardown(&emulator, "r1").await;
}

#[tokio::test]
async fn states_are_told_and_what_nobody_knows_is_gone() {
    let emulator = Emulator::start().await;
    let mut deployment = provision(&emulator, &plan("r1", 1)).await.unwrap();
    let provider = provider(&emulator);
    let id = deployment.machines[0].id.clone();
    for (status, expected) in [
        ("RUNNING", "Running"),
        ("STAGING", "Starting"),
        ("TERMINATED", "Stopped { reason: \"Google says TERMINATED"),
    ] {
        emulator.world().instances.get_mut(id.as_str()).unwrap().body["status"] = status.into();
        let state = &provider.status(&deployment).await.unwrap()[0].state;
        assert!(format!("{state:?}").starts_with(expected), "{status}: {state:?}");
    }
    for other in ["us-central1-a/nothing", "../../x", "no-zone"] {
        deployment.machines[0].id = MachineId::new(other).unwrap();
        let state = provider.status(&deployment).await.unwrap().remove(0).state;
        assert_eq!(state, MachineState::Gone, "{other}");
        let log = provider.console_log(&deployment.machines[0].id).await.unwrap();
        assert_eq!(log, None);
    }
    teardown(&emulator, "r1").await;
}

/// A machine that has shut itself down is not one that a second provision could use.
#[tokio::test]
async fn a_machine_that_has_ended_is_made_anew() {
    let emulator = Emulator::start().await;
    let plan = plan("r1", 1);
    let deployment = provision(&emulator, &plan).await.unwrap();
    let id = deployment.machines[0].id.as_str();
    emulator.world().instances.get_mut(id).unwrap().body["status"] = "TERMINATED".into();
    assert_eq!(provision(&emulator, &plan).await.unwrap(), deployment);
    assert_eq!(emulator.calls("instances.insert").len(), 2);
    let state = provider(&emulator).status(&deployment).await.unwrap().remove(0).state;
    assert_eq!(state, MachineState::Running);
    teardown(&emulator, "r1").await;
}

#[tokio::test]
async fn a_disk_that_was_left_is_listed_priced_and_in_nobodys_way() {
    let emulator = Emulator::start().await;
    let plan = plan("r1", 1);
    let name = &plan.machines[0].name;
    let tags = r#"{"railsbench":"true","railsbench-run":"r1"}"#;
    let disk = json!({
        "name": name, "description": tags, "sizeGb": "20", "users": [],
        "zone": "https://www.googleapis.com/compute/v1/projects/bench-1/zones/us-central1-a",
        "labels": {"railsbench": "true", "railsbench-run": "r1"},
    });
    emulator.world().leave_disk(&format!("us-central1-a/{name}"), disk);
    let provider = provider(&emulator);
    let found = provider.list(&Scope::run(plan.run_id.clone())).await.unwrap();
    assert_eq!((found[0].kind.as_str(), found.len()), ("disk", 1));
    assert_eq!(found[0].per_hour.unwrap().micros(), 2_740, "20 GiB at $0.10 a month");
    provision(&emulator, &plan).await.unwrap();
    assert_eq!(instances(&emulator), [format!("us-central1-a/{name}")]);
    teardown(&emulator, "r1").await;
}

#[tokio::test]
async fn runs_and_regions_are_kept_apart() {
    let emulator = Emulator::start().await;
    emulator.world().types.push(("europe-west4-a", "e2-micro", "X86_64", 2));
    // The label of one is the other, so that only the description tells them apart.
    let odd = "Run.1";
    let plain = railsbench_providers::names::name(&["run", odd], 63);
    let mut in_europe = request(&plain, "e2-micro", 1);
    in_europe.region = Some("europe-west4".to_owned());
    provision(&emulator, &plan_of(&in_europe)).await.unwrap();
    provision(&emulator, &plan(odd, 1)).await.unwrap();
    let provider = provider(&emulator);
    let listed = async |run: Option<&str>, regions: &[&str]| {
        let scope = Scope {
            run: run.map(|run| RunId::new(run).unwrap()),
            regions: regions.iter().map(ToString::to_string).collect(),
            ..Scope::all()
        };
        provider.list(&scope).await.unwrap().len()
    };
    assert_eq!(listed(None, &[]).await, 8);
    assert_eq!(listed(Some(odd), &[]).await, 4);
    assert_eq!(listed(None, &["europe-west4"]).await, 4);
    assert_eq!(listed(Some(odd), &["europe-west4"]).await, 0);
    for resource in provider.list(&Scope::all()).await.unwrap() {
        assert!(resource.expires_at.is_some() && resource.run_id.is_some(), "{resource:?}");
        let costs = resource.per_hour.map(Usd::micros);
        assert_eq!(
            costs,
            (resource.kind == "instance").then_some(8_376 + 2_740 + 5_000),
            "{resource:?}"
        );
    }
    let scope = Scope { regions: vec!["europe-west4".to_owned()], ..Scope::all() };
    assert_eq!(provider.teardown(&scope).await.unwrap().removed.len(), 4);
    assert_eq!(teardown(&emulator, odd).await, 4);
}

/// What others have is not touched, whatever its name and labels.
#[tokio::test]
async fn what_is_not_ours_stays() {
    let emulator = Emulator::start().await;
    let plan = plan("r1", 1);
    provision(&emulator, &plan).await.unwrap();
    for thing in emulator.world().firewalls.values_mut() {
        thing.body["description"] = "by hand".into();
    }
    let error = provision(&emulator, &plan).await.unwrap_err().to_string();
    assert!(error.contains("nobody that railsbench knows"), "{error}");
    let scope = Scope::run(plan.run_id.clone());
    provider(&emulator).teardown(&scope).await.unwrap();
    assert_eq!(emulator.world().everything().len(), 3, "the rules made by hand");
}

#[tokio::test]
async fn the_journal_tells_of_every_step_before_it_is_taken() {
    let emulator = Emulator::start().await;
    let journal = Arc::new(MemoryJournal::default());
    let plan = plan("r1", 2);
    provider(&emulator).provision(&plan, journal.clone()).await.unwrap();
    let entries = railsbench_core::provider::Journal::entries(journal.as_ref()).unwrap();
    let intents = entries.iter().filter(|entry| entry.step == JournalStep::Intend).count();
    assert_eq!((intents, entries.len()), (5, 10));
    assert!(entries.iter().all(|entry| entry.region.is_some() && entry.run_id == plan.run_id));
    teardown(&emulator, "r1").await;
    nothing_is_left(&emulator);
}
