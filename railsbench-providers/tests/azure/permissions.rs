//! The role that the documentation gives away: it permits what is called, and nothing else.

use std::collections::BTreeSet;

use railsbench_core::provider::{Provider, Scope};
use railsbench_emulators::azure::Emulator;
use serde_json::Value;

use crate::setup::{plan, provider, provision, run, teardown};

/// Whoever refers to one of these must be allowed to join it:
/// <https://learn.microsoft.com/azure/virtual-network/virtual-network-network-interface#permissions>
/// and the same section of the pages on addresses, security groups and subnets.
const JOINED: [&str; 4] = [
    "microsoft.network/networkinterfaces",
    "microsoft.network/networksecuritygroups",
    "microsoft.network/publicipaddresses",
    "microsoft.network/virtualnetworks/subnets",
];

/// The types in the part of an id or a path that follows its namespace: names and types take
/// turns there.
fn types(namespace: &str, rest: &[&str]) -> String {
    let types = std::iter::once(namespace).chain(rest.iter().copied().step_by(2));
    types.collect::<Vec<_>>().join("/")
}

/// The action that a call needs, in small letters, since Azure ignores their case. It is made of
/// the types in the path and a word for the method:
/// <https://learn.microsoft.com/azure/role-based-access-control/role-definitions#actions-format>;
/// for what has no namespace, it is among those of
/// <https://learn.microsoft.com/azure/role-based-access-control/permissions/management-and-governance#microsoftresources>.
/// Nothing for tokens, the console's storage, and operations whose path the emulator does not have
/// as Azure has it.
fn action(method: &str, path: &str) -> Option<String> {
    let path = path.to_ascii_lowercase();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let ["subscriptions", _, rest @ ..] = &parts[..] else { return None };
    let subscriptions = "microsoft.resources/subscriptions";
    let word = match method {
        "GET" => "read",
        "PUT" => "write",
        "DELETE" => "delete",
        "POST" => "action",
        other => panic!("{other} {path} has no word yet"),
    };
    Some(match rest {
        [] => format!("{subscriptions}/{word}"),
        ["providers", _] => format!("{subscriptions}/providers/{word}"),
        ["resources"] => format!("{subscriptions}/resources/{word}"),
        ["resourcegroups"] | ["resourcegroups", _] => {
            format!("{subscriptions}/resourcegroups/{word}")
        }
        ["resourcegroups", _, "resources"] => {
            format!("{subscriptions}/resourcegroups/resources/{word}")
        }
        ["providers", namespace, rest @ ..]
        | ["resourcegroups", _, "providers", namespace, rest @ ..] => {
            format!("{}/{word}", types(namespace, rest))
        }
        _ => panic!("{method} {path} has no action yet"),
    })
}

/// The actions by which a change is looked after once it was accepted: what the namespace has for
/// that, and for groups the subscription's own. Azure names the path in its answer:
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations>.
fn followed(action: &str) -> Option<String> {
    let (kind, word) = action.rsplit_once('/')?;
    let (namespace, _) = kind.split_once('/')?;
    match (namespace, word) {
        ("microsoft.resources", "delete") => {
            Some("microsoft.resources/subscriptions/operationresults/read".to_owned())
        }
        ("microsoft.compute" | "microsoft.network", "write" | "delete") => {
            Some(format!("{namespace}/locations/operations/read"))
        }
        _ => None,
    }
}

/// The types of all that a resource refers to.
fn referred(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(id) = fields.get("id").and_then(Value::as_str)
                && let Some((_, rest)) = id.to_ascii_lowercase().split_once("/providers/")
            {
                let parts: Vec<&str> = rest.split('/').collect();
                found.insert(types(parts[0], &parts[1..]));
            }
            fields.values().for_each(|field| referred(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| referred(item, found)),
        _ => {}
    }
}

/// What is needed beside the actions of the calls themselves, by what exists.
fn linked(emulator: &Emulator) -> BTreeSet<String> {
    // A machine's disk is made along with it, by whoever makes the machine.
    let mut needed = BTreeSet::from(["microsoft.compute/disks/write".to_owned()]);
    let mut joined = BTreeSet::new();
    for resource in emulator.world().resources.values() {
        referred(&resource["properties"], &mut joined);
        // Lists show what may be read, and nothing else.
        needed.insert(format!("{}/read", resource["type"].as_str().unwrap().to_ascii_lowercase()));
    }
    joined.retain(|kind| JOINED.contains(&kind.as_str()));
    needed.extend(joined.iter().map(|kind| format!("{kind}/join/action")));
    needed
}

#[tokio::test]
async fn the_role_permits_what_is_called_and_no_more() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    let planned = plan(&provider, "r1", "Standard_D2ps_v5", 1);
    provider.preflight(&planned).await.unwrap();
    let deployment = provision(&provider, &planned).await.unwrap();
    // One that has ended is removed alone, and made anew.
    let id = deployment.machines[0].id.as_str().to_lowercase();
    emulator.world().resources.get_mut(&id).unwrap()["power"] = "stopped".into();
    provision(&provider, &planned).await.unwrap();
    provider.status(&deployment).await.unwrap();
    provider.console_log(&deployment.machines[0].id).await.unwrap();
    provider.list(&Scope::all()).await.unwrap();
    let mut needed = linked(&emulator);
    // What lies in a group of someone else is removed piece by piece.
    provision(&provider, &plan(&provider, "r2", "Standard_D2ps_v5", 1)).await.unwrap();
    emulator.world().groups.get_mut("railsbench-r2-eastus").unwrap()["tags"] =
        serde_json::json!({});
    provider.teardown(&Scope::run(run("r2"))).await.unwrap();
    emulator.world().groups.remove("railsbench-r2-eastus");
    teardown(&emulator, "r1").await;

    let calls = emulator.world().calls.clone();
    let actions: BTreeSet<String> =
        calls.iter().filter_map(|(method, path, _)| action(method, path)).collect();
    for operations in ["/operations/", "/locations/"] {
        assert!(calls.iter().any(|(_, path, _)| path.starts_with(operations)), "{operations}");
    }
    needed.extend(actions.iter().filter_map(|action| followed(action)));
    needed.extend(actions);

    let role: Value =
        serde_json::from_str(include_str!("../../../docs/providers/azure-role.json")).unwrap();
    let given: BTreeSet<String> = role["Actions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| action.as_str().unwrap().to_ascii_lowercase())
        .collect();
    let missing: Vec<_> = needed.difference(&given).collect();
    let superfluous: Vec<_> = given.difference(&needed).collect();
    assert!(missing.is_empty() && superfluous.is_empty(), "{missing:?} {superfluous:?}");
    for none in ["NotActions", "DataActions", "NotDataActions"] {
        assert_eq!(role[none], serde_json::json!([]), "{none}");
    }
}
