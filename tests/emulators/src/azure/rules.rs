//! What Azure demands of each resource beyond its schema: what it refers to is there and free,
//! and what is in use does not go.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::answer::Answer;
use super::sizes;

/// Resources by their ids in small letters.
pub type Resources = BTreeMap<String, Value>;

/// The schema of each kind of resource.
pub(super) fn schema_of(kind: &str) -> Option<&'static str> {
    Some(match kind.to_ascii_lowercase().as_str() {
        "microsoft.compute/virtualmachines" => "VirtualMachine",
        "microsoft.network/networkinterfaces" => "NetworkInterface",
        "microsoft.network/networksecuritygroups" => "NetworkSecurityGroup",
        "microsoft.network/publicipaddresses" => "PublicIPAddress",
        "microsoft.network/virtualnetworks" => "VirtualNetwork",
        _ => return None,
    })
}

fn bad(code: &str, message: impl Into<String>) -> Answer {
    Answer::error(400, code, &message.into())
}

fn reference(value: &Value) -> String {
    value["id"].as_str().unwrap_or_default().to_ascii_lowercase()
}

fn ip_configurations(interface: &Value) -> impl Iterator<Item = &Value> {
    interface["properties"]["ipConfigurations"].as_array().into_iter().flatten()
}

fn interfaces(machine: &Value) -> impl Iterator<Item = &Value> {
    machine["properties"]["networkProfile"]["networkInterfaces"].as_array().into_iter().flatten()
}

/// Why a resource cannot be made or changed so.
pub(super) fn refusal(all: &Resources, id: &str, root: &str, body: &Value) -> Option<Answer> {
    let there = |value: &Value| {
        let id = reference(value);
        // A subnet is a part of its network.
        let (owner, subnet) = match id.split_once("/subnets/") {
            Some((owner, subnet)) => (owner.to_owned(), Some(subnet.to_owned())),
            None => (id.clone(), None),
        };
        let found = all.get(&owner).is_some_and(|owner| {
            subnet.as_ref().is_none_or(|name| {
                let subnets = owner["properties"]["subnets"].as_array().into_iter().flatten();
                subnets.into_iter().any(|known| known["name"] == name.as_str())
            })
        });
        if found { None } else { Some(bad("InvalidResourceReference", format!("no {id}"))) }
    };
    let properties = &body["properties"];
    match root {
        "NetworkSecurityGroup" => {
            let mut seen = Vec::new();
            for rule in properties["securityRules"].as_array().into_iter().flatten() {
                let rule = &rule["properties"];
                let priority = rule["priority"].as_u64().unwrap_or(0);
                let key = (rule["direction"].clone(), priority);
                if !(100..=4096).contains(&priority) || seen.contains(&key) {
                    return Some(bad("SecurityRuleInvalidPriority", priority.to_string()));
                }
                seen.push(key);
            }
            None
        }
        "VirtualNetwork" => properties["subnets"]
            .as_array()
            .into_iter()
            .flatten()
            .find_map(|subnet| there(&subnet["properties"]["networkSecurityGroup"])),
        "NetworkInterface" => there(&properties["networkSecurityGroup"]).or_else(|| {
            ip_configurations(body).find_map(|configuration| {
                let properties = &configuration["properties"];
                let address = &properties["publicIPAddress"];
                let taken = all.iter().any(|(other, resource)| {
                    other != id
                        && ip_configurations(resource).any(|configuration| {
                            reference(&configuration["properties"]["publicIPAddress"])
                                == reference(address)
                        })
                });
                there(&properties["subnet"])
                    .or_else(|| there(address))
                    .or_else(|| taken.then(|| bad("PublicIPAddressInUse", reference(address))))
            })
        }),
        "VirtualMachine" => interfaces(body)
            .find_map(|interface| {
                let taken = all.iter().any(|(other, resource)| {
                    other != id
                        && interfaces(resource).any(|used| reference(used) == reference(interface))
                });
                there(interface).or_else(|| taken.then(|| bad("NicInUse", reference(interface))))
            })
            .or_else(|| machine_refusal(body, all.get(id))),
        _ => None,
    }
}

fn machine_refusal(body: &Value, earlier: Option<&Value>) -> Option<Answer> {
    let system = &body["properties"]["osProfile"];
    let disk = &body["properties"]["storageProfile"]["osDisk"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let script = decode(&text(&system["customData"]));
    let keys = system["linuxConfiguration"]["ssh"]["publicKeys"].as_array();
    let key = keys.and_then(|keys| keys.first()).map(|key| text(&key["keyData"]));
    let without_password = system["linuxConfiguration"]["disablePasswordAuthentication"] == true;
    if interfaces(body).count() == 0 {
        return Some(bad("InvalidParameter", "networkProfile"));
    }
    if text(&disk["createOption"]) != "FromImage" {
        return Some(bad("InvalidParameter", "osDisk.createOption"));
    }
    if script.is_none_or(|script| script.len() > 65_535) {
        return Some(bad("InvalidParameter", "customData is no base64 of at most 65535 bytes"));
    }
    let name = text(&system["computerName"]);
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(fits) || name.ends_with('-') {
        return Some(bad("InvalidParameter", "computerName"));
    }
    if text(&system["adminUsername"]).is_empty()
        || (without_password && !key.is_some_and(|key| is_public_key(&key)))
        || (!without_password && text(&system["adminPassword"]).len() < 12)
    {
        return Some(bad("InvalidParameter", "a public key or a password is needed"));
    }
    if let Some(earlier) = earlier
        && earlier["properties"]["osProfile"] != *system
    {
        return Some(Answer::error(409, "PropertyChangeNotAllowed", "osProfile"));
    }
    sizes::problem(body).map(|(status, code, message)| Answer::error(status, code, &message))
}

fn is_public_key(text: &str) -> bool {
    let mut parts = text.split(' ');
    let (Some("ssh-ed25519"), Some(data)) = (parts.next(), parts.next()) else { return false };
    decode(data).is_some_and(|data| data.len() == 51 && data[4..15] == *b"ssh-ed25519")
}

/// What standard base64 stands for; none if it is not that.
fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// What a machine is told to run at its start.
pub(super) fn script_of(machine: &Value) -> String {
    let data = machine["properties"]["osProfile"]["customData"].as_str().unwrap();
    String::from_utf8(decode(data).unwrap()).unwrap()
}

/// Why a resource cannot go now.
pub(super) fn in_use(all: &Resources, id: &str) -> Option<Answer> {
    all.iter().filter(|(other, _)| *other != id).find_map(|(_, resource)| {
        let used = |value: &Value| {
            let used = reference(value);
            used == id || used.starts_with(&format!("{id}/subnets/"))
        };
        let by_interface = used(&resource["properties"]["networkSecurityGroup"])
            || ip_configurations(resource).any(|configuration| {
                let properties = &configuration["properties"];
                used(&properties["subnet"]) || used(&properties["publicIPAddress"])
            });
        let subnets = resource["properties"]["subnets"].as_array().into_iter().flatten();
        let by_network =
            subnets.into_iter().any(|one| used(&one["properties"]["networkSecurityGroup"]));
        let by_machine = interfaces(resource).any(used)
            || used(&resource["properties"]["storageProfile"]["osDisk"]["managedDisk"]);
        (by_interface || by_network || by_machine)
            .then(|| bad("InUseCannotBeDeleted", format!("{id} is used by {}", resource["id"])))
    })
}

/// What goes along with a resource.
pub(super) fn goes_along(resource: &Value) -> Vec<String> {
    let goes = |value: &Value| value["properties"]["deleteOption"] == "Delete";
    let mut gone: Vec<String> =
        interfaces(resource).filter(|one| goes(one)).map(reference).collect();
    let disk = &resource["properties"]["storageProfile"]["osDisk"];
    if disk["deleteOption"] == "Delete" {
        gone.push(reference(&disk["managedDisk"]));
    }
    gone.extend(
        ip_configurations(resource)
            .map(|configuration| &configuration["properties"]["publicIPAddress"])
            .filter(|address| goes(address))
            .map(reference),
    );
    gone
}
