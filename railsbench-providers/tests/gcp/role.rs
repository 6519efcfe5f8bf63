//! The role that the documentation gives away: it must allow all that is called.

use std::collections::BTreeSet;

/// What instances and rules need beside the permission of their method, by Google's reference of
/// `instances.insert` and `firewalls.insert`.
const IMPLIED: [&str; 10] = [
    "compute.disks.create",
    "compute.disks.setLabels",
    "compute.firewalls.create",
    "compute.instances.create",
    "compute.instances.setLabels",
    "compute.instances.setMetadata",
    "compute.instances.setTags",
    "compute.networks.updatePolicy",
    "compute.subnetworks.use",
    "compute.subnetworks.useExternalIp",
];

#[test]
fn the_role_allows_what_is_called_and_no_more() {
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("compute-schema.json")).unwrap();
    let called = schema["methods"].as_object().unwrap().keys().filter_map(|method| {
        let (resource, verb) = method.rsplit_once('.').unwrap();
        match verb {
            // The first is among the implied ones, as `create`; public images need none.
            "insert" | "getFromFamily" => None,
            "aggregatedList" => Some(format!("{resource}.list")),
            _ => Some(method.clone()),
        }
    });
    let needed: BTreeSet<String> = called.chain(IMPLIED.map(str::to_owned)).collect();
    let role = include_str!("../../../docs/providers/gcp-role.yaml");
    let given = role.lines().filter_map(|line| line.trim().strip_prefix("- "));
    let given: BTreeSet<String> = given.map(str::to_owned).collect();
    assert_eq!(given, needed);
}
