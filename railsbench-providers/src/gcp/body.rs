//! What Google is asked to make, as the Compute Engine API wants it.

use std::time::Duration;

use railsbench_core::provider::{Arch, Plan, PlannedMachine};
use serde_json::{Value, json};

use super::plan::{DISK_GIB, Rule, disk_type};
use super::tags;
use crate::vm::Tags;

/// The shortest time that Google takes as the longest life of an instance.
const SHORTEST_LIFE: Duration = Duration::from_secs(30);

/// The project that Debian's images are in.
pub(super) const IMAGE_PROJECT: &str = "debian-cloud";

/// The family whose newest image is booted.
pub(super) fn image_family(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "debian-12",
        Arch::Aarch64 => "debian-12-arm64",
    }
}

/// Everything about an instance but where it is.
pub(super) struct InstanceBody<'a> {
    pub(super) plan: &'a Plan,
    pub(super) machine: &'a PlannedMachine,
    pub(super) tags: &'a Tags,
    pub(super) network_tag: &'a str,
    pub(super) network: &'a str,
    pub(super) region: &'a str,
}

impl InstanceBody<'_> {
    /// The instance in a zone.
    pub(super) fn in_zone(&self, zone: &str) -> Value {
        let Self { plan, machine, tags, network_tag, network, region } = self;
        let machine_type = machine.instance_type.as_str();
        let labels = tags::labels(tags);
        let description = tags::description(tags, region);
        let family = image_family(machine.shape.arch);
        let life = plan.max_lifetime.max(SHORTEST_LIFE).as_secs();
        let mut body = json!({
            "name": machine.name,
            "description": description,
            "machineType": format!("zones/{zone}/machineTypes/{machine_type}"),
            "labels": labels,
            "tags": {"items": [network_tag]},
            "disks": [{
                "boot": true,
                "autoDelete": true,
                "type": "PERSISTENT",
                "mode": "READ_WRITE",
                "initializeParams": {
                    "diskName": machine.name,
                    "description": description,
                    "diskSizeGb": DISK_GIB.to_string(),
                    "diskType": format!("zones/{zone}/diskTypes/{}", disk_type(machine_type)),
                    "sourceImage": format!("projects/{IMAGE_PROJECT}/global/images/family/{family}"),
                    "labels": labels,
                },
            }],
            "networkInterfaces": [{
                "network": format!("global/networks/{network}"),
                "stackType": "IPV4_ONLY",
                // Ephemeral: Google takes it back with the instance.
                "accessConfigs": [{"type": "ONE_TO_ONE_NAT", "name": "External NAT"}],
            }],
            // None: what runs there has no rights in the project.
            "serviceAccounts": [],
            "metadata": {"items": [
                {"key": "startup-script", "value": plan.user_data.expose()},
                {"key": "block-project-ssh-keys", "value": "TRUE"},
                {"key": "serial-port-enable", "value": "FALSE"},
            ]},
            "scheduling": {
                "provisioningModel": "STANDARD",
                // A measurement is ended by a maintenance, not moved by it.
                "onHostMaintenance": "TERMINATE",
                "automaticRestart": false,
                "maxRunDuration": {"seconds": life.to_string()},
                "instanceTerminationAction": "DELETE",
            },
        });
        // A host that is handed out bare has no virtual trusted platform module, and nothing says
        // that Tau T2A boots securely: these are left as Google makes them.
        if !machine_type.ends_with("-metal") && !machine_type.starts_with("t2a-") {
            body["shieldedInstanceConfig"] = json!({
                "enableSecureBoot": true, "enableVtpm": true, "enableIntegrityMonitoring": true,
            });
        }
        body
    }
}

/// A firewall rule for machines with this network tag. A lower priority is stronger, and weaker
/// than ours are the rules that a network has by itself.
pub(super) fn firewall(rule: Rule, tag: &str, network: &str, description: &str) -> Value {
    let everywhere = ["0.0.0.0/0"];
    let everything = json!([{"IPProtocol": "all"}]);
    let mut body = json!({
        "name": rule.name(tag),
        "description": description,
        "network": format!("global/networks/{network}"),
        "targetTags": [tag],
        "disabled": false,
    });
    let specific = match rule {
        Rule::DenyIn => json!({
            "direction": "INGRESS", "priority": 100,
            "denied": everything, "sourceRanges": everywhere,
        }),
        Rule::AllowHttpsOut => json!({
            "direction": "EGRESS", "priority": 100,
            "allowed": [{"IPProtocol": "tcp", "ports": ["443"]}], "destinationRanges": everywhere,
        }),
        Rule::DenyOut => json!({
            "direction": "EGRESS", "priority": 200,
            "denied": everything, "destinationRanges": everywhere,
        }),
    };
    if let (Some(body), Value::Object(specific)) = (body.as_object_mut(), specific) {
        body.extend(specific);
    }
    body
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::request;
    use super::super::plan::{network_tag, plan};
    use super::*;

    fn tags(plan: &Plan) -> Tags {
        Tags {
            run_id: Some(plan.run_id.clone()),
            created_at: Some("2026-11-24T06:00:00Z".parse().unwrap()),
            expires_at: Some("2026-11-24T10:00:00Z".parse().unwrap()),
            owner: Some("ada".to_owned()),
        }
    }

    #[test]
    fn instances_of_x86_and_arm_are_as_reviewed() {
        for machine_type in ["e2-micro", "c4a-standard-1", "c4a-highmem-96-metal"] {
            let plan = plan(&request(machine_type)).unwrap();
            let network_tag = network_tag(&plan.machines[0].name);
            let mut body = InstanceBody {
                plan: &plan,
                machine: &plan.machines[0],
                tags: &tags(&plan),
                network_tag: &network_tag,
                network: "default",
                region: "us-central1",
            }
            .in_zone("us-central1-a");
            let script = &mut body["metadata"]["items"][0]["value"];
            assert_eq!(script.as_str(), Some(plan.user_data.expose()));
            *script = "the script".into();
            insta::assert_json_snapshot!(format!("instance_{machine_type}"), body);
        }
    }

    #[test]
    fn firewall_rules_are_as_reviewed() {
        let bodies =
            Rule::ALL.map(|rule| firewall(rule, "railsbench-r1-e2-micro-1", "default", "{}"));
        insta::assert_json_snapshot!(bodies);
    }
}
