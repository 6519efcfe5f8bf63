//! The sizes that the emulated region offers.

use serde_json::{Value, json};

/// A size: name, processor, vCPUs, generations, controllers, zones, why it cannot be had.
const SIZES: [(&str, &str, u32, &str, &str, &[&str], &str); 7] = [
    ("Standard_D2ps_v5", "Arm64", 2, "V2", "SCSI", &["1", "2"], ""),
    ("Standard_D4s_v5", "x64", 4, "V1,V2", "SCSI", &["1", "2", "3"], ""),
    ("Standard_D2s_v6", "x64", 2, "V2", "NVMe", &["1"], ""),
    ("Standard_A2_v2", "x64", 2, "V1", "SCSI", &[], ""),
    ("Standard_E4-2as_v5", "x64", 4, "V1,V2", "SCSI", &["1"], ""),
    ("Standard_D8s_v3", "x64", 8, "V1,V2", "SCSI", &["1"], "NotAvailableForSubscription"),
    // Not what its name says.
    ("Standard_D64ps_v9", "x64", 32, "V1,V2", "SCSI", &[], ""),
];

pub fn listed(region: &str) -> Vec<Value> {
    let sizes =
        SIZES.iter().map(|(name, arch, vcpus, generations, controllers, zones, refusal)| {
            let mut capabilities = vec![
                json!({"name": "vCPUs", "value": vcpus.to_string()}),
                json!({"name": "CpuArchitectureType", "value": arch}),
                json!({"name": "HyperVGenerations", "value": generations}),
                json!({"name": "DiskControllerTypes", "value": controllers}),
            ];
            if name.contains("-2") {
                capabilities.push(json!({"name": "vCPUsAvailable", "value": "2"}));
            }
            let restrictions = if refusal.is_empty() {
                json!([])
            } else {
                json!([{"type": "Location", "reasonCode": refusal, "values": [region]}])
            };
            json!({
                "resourceType": "virtualMachines", "name": name, "family": family(name),
                "locations": [region],
                "locationInfo": [{"location": region, "zones": zones}],
                "capabilities": capabilities, "restrictions": restrictions,
            })
        });
    sizes.chain([json!({"resourceType": "disks", "name": "StandardSSD_LRS"})]).collect()
}

/// The quota that a size counts for.
pub fn family(size: &str) -> &'static str {
    if size.contains('p') { "standardDPSv5Family" } else { "standardDSv5Family" }
}

/// What keeps a machine of this size from being made so.
pub fn problem(machine: &Value) -> Option<(u16, &'static str, String)> {
    let properties = &machine["properties"];
    let size = properties["hardwareProfile"]["vmSize"].as_str().unwrap_or_default();
    let Some((name, arch, _, generations, controllers, zones, refusal)) =
        SIZES.iter().find(|known| known.0 == size)
    else {
        return Some((400, "InvalidParameter", format!("{size:?} is not offered")));
    };
    if !refusal.is_empty() {
        return Some((409, "SkuNotAvailable", format!("{name} is not available")));
    }
    let wrong = |message: &str| Some((400, "BadRequest", format!("{name}: {message}")));
    let image = &properties["storageProfile"]["imageReference"];
    if image["publisher"] != "Debian"
        || image["offer"] != "debian-12"
        || image["version"] != "latest"
    {
        return Some((404, "PlatformImageNotFound", image.to_string()));
    }
    let edition = image["sku"].as_str().unwrap_or_default();
    let (image_arch, generation) = match edition {
        "12" => ("x64", "V1"),
        "12-gen2" => ("x64", "V2"),
        "12-arm64" => ("Arm64", "V2"),
        _ => return Some((404, "PlatformImageNotFound", image.to_string())),
    };
    if image_arch != *arch {
        return wrong("the image is for another processor");
    }
    if !generations.contains(generation) {
        return wrong("it does not start images of this generation");
    }
    let controller = properties["storageProfile"]["diskControllerType"].as_str().unwrap_or("SCSI");
    if controller != *controllers {
        return wrong("it has no such disk controller");
    }
    let trusted = properties["securityProfile"]["securityType"] == "TrustedLaunch";
    if trusted && (*arch != "x64" || generation != "V2") {
        return wrong("trusted launch is not supported");
    }
    let asked = machine["zones"].as_array().into_iter().flatten();
    for zone in asked {
        if !zones.iter().any(|known| zone == known) {
            return wrong("there is no such zone");
        }
    }
    None
}
