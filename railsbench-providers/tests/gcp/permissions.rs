//! The role that the documentation gives away: it permits what is called, and nothing else.

use std::collections::BTreeSet;

use railsbench_core::provider::{Provider, Scope};
use railsbench_emulators::gcp::{Emulator, methods};
use serde_json::{Value, json};

use crate::fixture::{plan, provider, provision, teardown};

/// The permission of a method. It is called as the method is, except for these:
/// <https://cloud.google.com/compute/docs/access/iam-permissions>. The image is public.
fn permission(method: &str) -> Option<String> {
    let (resource, verb) = method.rsplit_once('.').unwrap();
    match verb {
        "insert" => Some(format!("{resource}.create")),
        "aggregatedList" => Some(format!("{resource}.list")),
        "getFromFamily" => None,
        _ => Some(method.to_owned()),
    }
}

/// What an instance needs beside `compute.instances.create`, by what it is made with:
/// <https://cloud.google.com/compute/docs/reference/rest/v1/instances/insert#iam-permissions>.
fn of_instance(body: &Value) -> BTreeSet<&'static str> {
    let disk = &body["disks"][0]["initializeParams"];
    let interface = &body["networkInterfaces"][0];
    let parts = [
        (&body["labels"], "compute.instances.setLabels"),
        (&body["metadata"], "compute.instances.setMetadata"),
        (&body["tags"], "compute.instances.setTags"),
        (disk, "compute.disks.create"),
        (&disk["labels"], "compute.disks.setLabels"),
        (interface, "compute.subnetworks.use"),
        (&interface["accessConfigs"], "compute.subnetworks.useExternalIp"),
    ];
    parts.into_iter().filter(|(part, _)| !part.is_null()).map(|(_, needed)| needed).collect()
}

#[tokio::test]
async fn the_role_permits_what_is_called_and_no_more() {
    let emulator = Emulator::start().await;
    let planned = plan("r1", 2);
    let provider = provider(&emulator);
    provider.preflight(&planned).await.unwrap();
    let deployment = provision(&emulator, &planned).await.unwrap();
    // What is there already is looked at and kept.
    provision(&emulator, &planned).await.unwrap();
    provider.status(&deployment).await.unwrap();
    provider.console_log(&deployment.machines[0].id).await.unwrap();
    provider.list(&Scope::all()).await.unwrap();
    let instances: Vec<Value> =
        emulator.world().instances.values().map(|instance| instance.body.clone()).collect();
    let left = "railsbench-r1-left";
    let disk = json!({
        "name": left, "zone": "zones/us-central1-a", "sizeGb": "20", "users": [],
        "labels": instances[0]["labels"], "description": instances[0]["description"],
    });
    emulator.world().leave_disk(&format!("us-central1-a/{left}"), disk);
    teardown(&emulator, "r1").await;

    let called: BTreeSet<String> = emulator
        .world()
        .calls
        .iter()
        .map(|call| call.split_once(' ').unwrap().0.to_owned())
        .collect();
    assert_eq!(called, methods().into_iter().collect(), "the schema has what is called");
    let mut needed: BTreeSet<String> =
        called.iter().filter_map(|method| permission(method)).collect();
    for instance in &instances {
        needed.extend(of_instance(instance).into_iter().map(str::to_owned));
    }
    // A rule is a part of its network's policy:
    // https://cloud.google.com/compute/docs/reference/rest/v1/firewalls/insert#iam-permissions
    if called.iter().any(|method| method.starts_with("compute.firewalls.")) {
        needed.insert("compute.networks.updatePolicy".to_owned());
    }
    let role = include_str!("../../../docs/providers/gcp-role.yaml");
    let given = role.lines().filter_map(|line| line.trim().strip_prefix("- "));
    let given: BTreeSet<String> = given.map(str::to_owned).collect();
    let missing: Vec<_> = needed.difference(&given).collect();
    let superfluous: Vec<_> = given.difference(&needed).collect();
    assert!(missing.is_empty() && superfluous.is_empty(), "{missing:?} {superfluous:?}");
}
