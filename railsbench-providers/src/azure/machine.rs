//! The ids of what belongs to a machine, and how a machine is.
//!
//! A machine's id is that of the virtual machine at Azure; the ids of its address and interface
//! follow from it.

use railsbench_core::id::MachineId;
use railsbench_core::provider::MachineState;
use serde_json::Value;

/// Where everything of a run in one region is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// `/subscriptions/ID/resourceGroups/NAME`.
    pub(super) id: String,
}

impl Group {
    pub(super) fn new(subscription_path: &str, name: &str) -> Self {
        Self { id: format!("{subscription_path}/resourceGroups/{name}") }
    }

    pub(super) fn security_group(&self) -> String {
        format!("{}/providers/Microsoft.Network/networkSecurityGroups/railsbench", self.id)
    }

    pub(super) fn network(&self) -> String {
        format!("{}/providers/Microsoft.Network/virtualNetworks/railsbench", self.id)
    }

    pub(super) fn subnet(&self) -> String {
        format!("{}/subnets/machines", self.network())
    }

    pub(super) fn machines(&self) -> String {
        format!("{}/providers/Microsoft.Compute/virtualMachines", self.id)
    }

    pub(super) fn machine(&self, name: &str) -> MachineIds {
        let network = format!("{}/providers/Microsoft.Network", self.id);
        MachineIds {
            name: name.to_owned(),
            machine: format!("{}/{name}", self.machines()),
            interface: format!("{network}/networkInterfaces/{name}-nic"),
            address: format!("{network}/publicIPAddresses/{name}-ip"),
            disk: format!("{}/providers/Microsoft.Compute/disks/{name}-disk", self.id),
        }
    }
}

/// The ids of a machine and of what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MachineIds {
    pub(super) name: String,
    pub(super) machine: String,
    pub(super) interface: String,
    pub(super) address: String,
    pub(super) disk: String,
}

impl MachineIds {
    pub(super) fn disk_name(&self) -> String {
        format!("{}-disk", self.name)
    }

    /// Whether it is the id of one of these.
    pub(super) fn owns(&self, id: &str) -> bool {
        [&self.machine, &self.interface, &self.address, &self.disk].into_iter().any(|own| own == id)
    }

    pub(super) fn machine_id(&self) -> MachineId {
        MachineId::new(self.machine.clone())
            .expect("subscription, group and name are graphic ASCII, 250 bytes at most")
    }
}

/// Whether it is the id of a virtual machine; what a machine is called by becomes a path.
pub(super) fn is_machine(id: &MachineId) -> bool {
    let parts: Vec<&str> = id.as_str().split('/').collect();
    let is = |index: usize, expected: &str| {
        parts.get(index).is_some_and(|part| part.eq_ignore_ascii_case(expected))
    };
    parts.len() == 9
        && is(0, "")
        && is(1, "subscriptions")
        && is(3, "resourceGroups")
        && is(5, "providers")
        && is(6, "Microsoft.Compute")
        && is(7, "virtualMachines")
        && parts[1..].iter().all(|part| !matches!(*part, "" | "." | ".."))
}

/// How a machine is, by its view of itself.
pub(super) fn state(machine: &Value) -> MachineState {
    let properties = &machine["properties"];
    let statuses = properties["instanceView"]["statuses"].as_array();
    let codes = || {
        let statuses = statuses.map(Vec::as_slice).unwrap_or_default();
        statuses.iter().filter_map(|status| status["code"].as_str())
    };
    let stopped = |reason: &str| MachineState::Stopped { reason: reason.to_owned() };
    if let Some(code) = codes().find_map(|code| code.strip_prefix("ProvisioningState/failed")) {
        let code = code.trim_start_matches('/');
        return stopped(&format!(
            "it could not be made: {}",
            if code.is_empty() { "Azure gives no reason" } else { code }
        ));
    }
    match codes().find_map(|code| code.strip_prefix("PowerState/")) {
        Some("running") => MachineState::Running,
        Some("stopped" | "stopping") => {
            stopped("it has shut down; it is charged until it is removed")
        }
        Some("deallocated" | "deallocating") => stopped("it was deallocated"),
        _ if properties["provisioningState"] == "Failed" => stopped("it could not be made"),
        _ if properties["provisioningState"] == "Deleting" => stopped("it is being removed"),
        _ => MachineState::Starting,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_ids_of_machines_are_taken() {
        let group = Group::new("/subscriptions/s", "g");
        assert!(is_machine(&group.machine("m").machine_id()));
        for wrong in [
            group.network(),
            format!("{}/../x", group.id),
            format!("{}/..", group.machines()),
            format!("{}/a/b", group.machines()),
            "r1/host-1".to_owned(),
        ] {
            assert!(!is_machine(&MachineId::new(wrong.clone()).unwrap()), "{wrong}");
        }
    }

    #[test]
    fn states_are_read_from_the_instance_view() {
        let view = |codes: &[&str]| {
            let statuses: Vec<_> = codes.iter().map(|code| json!({"code": code})).collect();
            state(&json!({"properties": {"instanceView": {"statuses": statuses}}}))
        };
        assert_eq!(
            view(&["ProvisioningState/succeeded", "PowerState/running"]),
            MachineState::Running
        );
        assert_eq!(view(&["ProvisioningState/creating"]), MachineState::Starting);
        assert_eq!(view(&[]), MachineState::Starting);
        for (codes, word) in [
            (vec!["ProvisioningState/succeeded", "PowerState/stopped"], "charged"),
            (vec!["PowerState/deallocated"], "deallocated"),
            (vec!["ProvisioningState/failed/OSProvisioningTimedOut"], "OSProvisioningTimedOut"),
        ] {
            let MachineState::Stopped { reason } = view(&codes) else { panic!("{codes:?}") };
            assert!(reason.contains(word), "{reason}");
        }
    }
}
