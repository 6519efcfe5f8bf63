//! What is sent to make each resource.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use railsbench_core::provider::{Arch, UserData};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::machine::{Group, MachineIds};
use super::sku::Sku;
use super::user_data::encode;
use crate::vm::Tags;

/// What a disk for a Debian, a Ruby image and the runner's files needs, in GiB; Azure charges in
/// steps, and this is one.
pub(super) const DISK_GIB: u32 = 32;

/// The lowest priority that a rule may have: all others of the group come before it, those that
/// every group has from the start come after it.
const LAST: u32 = 4096;

/// Nobody logs in as this user. Azure demands one.
const USER: &str = "railsbench";

/// Tags as Azure takes them.
pub(super) fn tags(tags: &Tags) -> Value {
    let pairs: Map<String, Value> =
        tags.pairs().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    Value::Object(pairs)
}

pub(super) fn group(region: &str, tagged: &Value) -> Value {
    json!({"location": region, "tags": tagged})
}

/// Nothing comes in; TCP 443 goes out to the internet, nothing else does.
pub(super) fn security_group(region: &str, tagged: &Value) -> Value {
    let rule = |name: &str, direction: &str, access: &str, priority: u32, to: [&str; 3]| {
        let [protocol, destination, port] = to;
        json!({"name": name, "properties": {
            "direction": direction, "access": access, "priority": priority, "protocol": protocol,
            "sourceAddressPrefix": "*", "sourcePortRange": "*",
            "destinationAddressPrefix": destination, "destinationPortRange": port,
        }})
    };
    json!({"location": region, "tags": tagged, "properties": {"securityRules": [
        rule("deny-in", "Inbound", "Deny", LAST, ["*", "*", "*"]),
        rule("https-out", "Outbound", "Allow", 100, ["Tcp", "Internet", "443"]),
        rule("deny-out", "Outbound", "Deny", LAST, ["*", "*", "*"]),
    ]}})
}

/// A network of its own, with one subnet that the security group surrounds.
pub(super) fn network(region: &str, tagged: &Value, group: &Group) -> Value {
    json!({"location": region, "tags": tagged, "properties": {
        "addressSpace": {"addressPrefixes": ["10.71.0.0/16"]},
        "subnets": [{"name": "machines", "properties": {
            "addressPrefix": "10.71.0.0/20",
            "defaultOutboundAccess": false,
            "networkSecurityGroup": {"id": group.security_group()},
        }}],
    }})
}

/// An address by which a machine reaches the orchestrator; nothing reaches it.
pub(super) fn address(region: &str, tagged: &Value) -> Value {
    json!({"location": region, "tags": tagged, "sku": {"name": "Standard", "tier": "Regional"},
    "properties": {
        "publicIPAddressVersion": "IPv4",
        "publicIPAllocationMethod": "Static",
        "deleteOption": "Delete",
    }})
}

pub(super) fn interface(region: &str, tagged: &Value, group: &Group, ids: &MachineIds) -> Value {
    json!({"location": region, "tags": tagged, "properties": {
        "networkSecurityGroup": {"id": group.security_group()},
        "ipConfigurations": [{"name": "primary", "properties": {
            "primary": true,
            "privateIPAllocationMethod": "Dynamic",
            "subnet": {"id": group.subnet()},
            "publicIPAddress": {"id": ids.address, "properties": {"deleteOption": "Delete"}},
        }}],
    }})
}

/// A machine, with a disk that goes when it goes, as its interface and address do.
pub(super) fn machine(
    region: &str,
    tagged: &Value,
    ids: &MachineIds,
    sku: &Sku,
    place: Option<&str>,
    script: &UserData,
) -> Value {
    let mut properties = json!({
        "hardwareProfile": {"vmSize": sku.name},
        "storageProfile": {
            "imageReference": image(sku),
            "osDisk": {
                "name": ids.disk_name(), "createOption": "FromImage", "deleteOption": "Delete",
                "diskSizeGB": DISK_GIB, "caching": "ReadWrite",
                "managedDisk": {"storageAccountType": "StandardSSD_LRS"},
            },
        },
        "osProfile": {
            "computerName": ids.name,
            "adminUsername": USER,
            "customData": encode(script).expose_secret(),
            "allowExtensionOperations": false,
            "linuxConfiguration": {
                "disablePasswordAuthentication": true,
                "provisionVMAgent": true,
                "ssh": {"publicKeys": [{
                    "path": format!("/home/{USER}/.ssh/authorized_keys"),
                    "keyData": public_key_of_nobody(),
                }]},
            },
        },
        "networkProfile": {"networkInterfaces": [
            {"id": ids.interface, "properties": {"primary": true, "deleteOption": "Delete"}},
        ]},
        // Managed by Azure: it keeps what the machine prints to its console.
        "diagnosticsProfile": {"bootDiagnostics": {"enabled": true}},
    });
    if sku.nvme_only {
        properties["storageProfile"]["diskControllerType"] = "NVMe".into();
    }
    if sku.trusted_launch {
        properties["securityProfile"] = json!({
            "securityType": "TrustedLaunch",
            "uefiSettings": {"secureBootEnabled": true, "vTpmEnabled": true},
        });
    }
    let mut body = json!({"location": region, "tags": tagged, "properties": properties});
    if let Some(zone) = place {
        body["zones"] = json!([zone]);
    }
    body
}

/// Debian 12, by the architecture and the generation of the size.
fn image(sku: &Sku) -> Value {
    let edition = match (sku.arch, sku.second_generation) {
        (Some(Arch::Aarch64), _) => "12-arm64",
        (_, true) => "12-gen2",
        (_, false) => "12",
    };
    json!({"publisher": "Debian", "offer": "debian-12", "sku": edition, "version": "latest"})
}

/// Azure makes no Linux machine without a password or a public key. This is a key of 32 random
/// bytes that was never made from a private one, so there is none that fits; it is kept nowhere.
fn public_key_of_nobody() -> String {
    const KIND: &[u8] = b"ssh-ed25519";
    let point: [u8; 32] = rand::random();
    let mut key = Vec::new();
    for part in [KIND, &point] {
        key.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        key.extend(part);
    }
    format!("ssh-ed25519 {} nobody", STANDARD.encode(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_machines_have_the_same_key() {
        let key = public_key_of_nobody();
        assert!(key.starts_with("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"), "{key}");
        assert_ne!(key, public_key_of_nobody());
    }
}
