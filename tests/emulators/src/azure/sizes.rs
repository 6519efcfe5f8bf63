//! The sizes that the emulated region offers.

use serde_json::{Value, json};

/// A size of machine.
struct Size {
    name: &'static str,
    /// `x64` or `Arm64`.
    arch: &'static str,
    vcpus: u32,
    /// The generations of images that it starts.
    generations: &'static str,
    /// The disk controller that it has.
    controller: &'static str,
    zones: &'static [&'static str],
    /// Why it cannot be had; empty if it can.
    refusal: &'static str,
}

const USUAL: Size = Size {
    name: "Standard_D4s_v5",
    arch: "x64",
    vcpus: 4,
    generations: "V1,V2",
    controller: "SCSI",
    zones: &["1", "2", "3"],
    refusal: "",
};

const SIZES: [Size; 7] = [
    USUAL,
    Size {
        name: "Standard_D2ps_v5",
        arch: "Arm64",
        vcpus: 2,
        generations: "V2",
        zones: &["1", "2"],
        ..USUAL
    },
    Size {
        name: "Standard_D2s_v6",
        vcpus: 2,
        generations: "V2",
        controller: "NVMe",
        zones: &["1"],
        ..USUAL
    },
    Size { name: "Standard_A2_v2", vcpus: 2, generations: "V1", zones: &[], ..USUAL },
    Size { name: "Standard_E4-2as_v5", zones: &["1"], ..USUAL },
    Size {
        name: "Standard_D8s_v3",
        vcpus: 8,
        zones: &["1"],
        refusal: "NotAvailableForSubscription",
        ..USUAL
    },
    // Not what its name says.
    Size { name: "Standard_D64ps_v9", vcpus: 32, zones: &[], ..USUAL },
];

/// The sizes as a region lists them.
pub(super) fn listed(region: &str) -> Vec<Value> {
    let sizes = SIZES.iter().map(|size| {
        let mut capabilities = vec![
            json!({"name": "vCPUs", "value": size.vcpus.to_string()}),
            json!({"name": "CpuArchitectureType", "value": size.arch}),
            json!({"name": "HyperVGenerations", "value": size.generations}),
            json!({"name": "DiskControllerTypes", "value": size.controller}),
        ];
        if size.name.contains("-2") {
            capabilities.push(json!({"name": "vCPUsAvailable", "value": "2"}));
        }
        let restrictions = if size.refusal.is_empty() {
            json!([])
        } else {
            json!([{"type": "Location", "reasonCode": size.refusal, "values": [region]}])
        };
        json!({
            "resourceType": "virtualMachines", "name": size.name, "family": family(size.name),
            "locations": [region],
            "locationInfo": [{"location": region, "zones": size.zones}],
            "capabilities": capabilities, "restrictions": restrictions,
        })
    });
    sizes.chain([json!({"resourceType": "disks", "name": "StandardSSD_LRS"})]).collect()
}

/// The quota that a size counts for.
fn family(size: &str) -> &'static str {
    if size.contains('p') { "standardDPSv5Family" } else { "standardDSv5Family" }
}

/// What keeps a machine of this size from being made so.
pub(super) fn problem(machine: &Value) -> Option<(u16, &'static str, String)> {
    let properties = &machine["properties"];
    let size = properties["hardwareProfile"]["vmSize"].as_str().unwrap_or_default();
    let Some(known) = SIZES.iter().find(|known| known.name == size) else {
        return Some((400, "InvalidParameter", format!("{size:?} is not offered")));
    };
    if !known.refusal.is_empty() {
        return Some((409, "SkuNotAvailable", format!("{size} is not available")));
    }
    let wrong = |message: &str| Some((400, "BadRequest", format!("{size}: {message}")));
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
    if image_arch != known.arch {
        return wrong("the image is for another processor");
    }
    if !known.generations.contains(generation) {
        return wrong("it does not start images of this generation");
    }
    let controller = properties["storageProfile"]["diskControllerType"].as_str().unwrap_or("SCSI");
    if controller != known.controller {
        return wrong("it has no such disk controller");
    }
    let trusted = properties["securityProfile"]["securityType"] == "TrustedLaunch";
    if trusted && (known.arch != "x64" || generation != "V2") {
        return wrong("trusted launch is not supported");
    }
    let asked = machine["zones"].as_array().into_iter().flatten();
    for zone in asked {
        if !known.zones.iter().any(|known| zone == known) {
            return wrong("there is no such zone");
        }
    }
    None
}
