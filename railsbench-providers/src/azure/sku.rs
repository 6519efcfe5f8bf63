//! What Azure says of a size in a region: whether this subscription may have it there, in which
//! zones, and what it can do.

use railsbench_core::provider::Arch;
use serde_json::Value;

/// What Azure says of a size in a region.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // they are independent, as Azure lists them
pub(super) struct Sku {
    /// Its name, as Azure spells it.
    pub(super) name: String,
    /// What its quota is called.
    pub(super) family: String,
    /// Why this subscription cannot have it in the region at all.
    pub(super) refusal: Option<String>,
    /// The zones that it can be had in.
    pub(super) zones: Vec<String>,
    pub(super) arch: Option<Arch>,
    /// What the guest sees.
    pub(super) vcpus: Option<u32>,
    /// What counts for the quota.
    pub(super) charged_vcpus: u32,
    /// Whether it starts images of the second generation, by UEFI.
    pub(super) second_generation: bool,
    /// Whether it has a measured and verified start.
    pub(super) trusted_launch: bool,
    /// Whether its disks must be on NVMe.
    pub(super) nvme_only: bool,
    /// Whether it starts only images for confidential computing.
    pub(super) confidential: bool,
}

impl Sku {
    /// Finds a size of this name among what Azure lists for the region.
    pub(super) fn find(listed: &[Value], size: &str, region: &str) -> Option<Self> {
        let sku = listed.iter().find(|sku| {
            sku["resourceType"] == "virtualMachines"
                && sku["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(size))
        })?;
        let capability = |wanted: &str| {
            let all = sku["capabilities"].as_array()?;
            all.iter().find(|one| one["name"] == wanted)?["value"].as_str()
        };
        let number = |wanted| capability(wanted).and_then(|value| value.parse::<u32>().ok());
        let is_true = |wanted| capability(wanted).is_some_and(|v| v.eq_ignore_ascii_case("true"));
        let (refusal, barred) = restrictions(sku);
        let here = sku["locationInfo"].as_array().into_iter().flatten().find(|info| {
            info["location"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(region))
        });
        let mut zones = here.map(|info| texts(&info["zones"])).unwrap_or_default();
        zones.retain(|zone| !barred.contains(zone));
        zones.sort();
        let arch = match capability("CpuArchitectureType") {
            Some("x64") => Some(Arch::X86_64),
            Some("Arm64") => Some(Arch::Aarch64),
            _ => None,
        };
        let second_generation =
            capability("HyperVGenerations").is_none_or(|list| list.contains("V2"));
        let controllers = capability("DiskControllerTypes").unwrap_or("SCSI");
        let vcpus = number("vCPUsAvailable").or_else(|| number("vCPUs"));
        Some(Self {
            name: sku["name"].as_str()?.to_owned(),
            family: sku["family"].as_str().unwrap_or_default().to_owned(),
            refusal,
            zones,
            arch,
            vcpus,
            charged_vcpus: number("vCPUs").or(vcpus).unwrap_or(1),
            second_generation,
            // Debian's image for ARM does not support it.
            trusted_launch: second_generation
                && arch != Some(Arch::Aarch64)
                && !is_true("TrustedLaunchDisabled"),
            nvme_only: controllers.eq_ignore_ascii_case("nvme"),
            confidential: capability("ConfidentialComputingType")
                .is_some_and(|kind| !kind.eq_ignore_ascii_case("sgx")),
        })
    }

    /// Where to try to have it, in this order: wherever Azure likes, then in each zone.
    pub(super) fn places(&self) -> Vec<Option<&str>> {
        std::iter::once(None).chain(self.zones.iter().map(|zone| Some(zone.as_str()))).collect()
    }
}

/// Why it cannot be had at all, and the zones where it cannot be had.
fn restrictions(sku: &Value) -> (Option<String>, Vec<String>) {
    let mut refusal = None;
    let mut zones = Vec::new();
    for restriction in sku["restrictions"].as_array().into_iter().flatten() {
        if restriction["type"] == "Zone" {
            zones.extend(texts(&restriction["restrictionInfo"]["zones"]));
        } else {
            let reason = restriction["reasonCode"].as_str().unwrap_or("no reason given");
            refusal = Some(reason.to_owned());
        }
    }
    (refusal, zones)
}

fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sku(mut more: Value) -> Value {
        let mut sku = json!({
            "resourceType": "virtualMachines", "name": "Standard_D2ps_v5",
            "family": "standardDPSv5Family",
            "locationInfo": [{"location": "EastUS", "zones": ["3", "1", "2"]}],
            "capabilities": [
                {"name": "vCPUs", "value": "2"}, {"name": "CpuArchitectureType", "value": "Arm64"},
                {"name": "HyperVGenerations", "value": "V2"},
            ],
            "restrictions": [],
        });
        for (name, value) in more.as_object_mut().unwrap() {
            sku[name] = value.take();
        }
        sku
    }

    #[test]
    fn zones_that_are_barred_are_left_out() {
        let restrictions =
            json!([{"type": "Zone", "restrictionInfo": {"zones": ["2"]}, "reasonCode": "x"}]);
        let listed = [json!({"resourceType": "disks"}), sku(json!({"restrictions": restrictions}))];
        let found = Sku::find(&listed, "standard_D2PS_v5", "eastus").unwrap();
        assert_eq!(found.places(), [None, Some("1"), Some("3")]);
        assert_eq!(found.arch, Some(Arch::Aarch64));
        assert!(found.second_generation && !found.trusted_launch && !found.nvme_only);
        assert_eq!(found.refusal, None);
        assert_eq!(Sku::find(&listed, "Standard_D4ps_v5", "eastus"), None);
    }

    #[test]
    fn a_size_that_the_subscription_may_not_have_says_why() {
        let reason = "NotAvailableForSubscription";
        let listed = [sku(json!({"restrictions": [{"type": "Location", "reasonCode": reason}]}))];
        let found = Sku::find(&listed, "Standard_D2ps_v5", "eastus").unwrap();
        assert_eq!(found.refusal.as_deref(), Some(reason));
    }

    #[test]
    fn what_a_size_can_do_is_read() {
        let capabilities = json!([
            {"name": "vCPUs", "value": "32"}, {"name": "vCPUsAvailable", "value": "16"},
            {"name": "CpuArchitectureType", "value": "x64"},
            {"name": "HyperVGenerations", "value": "V1,V2"},
            {"name": "DiskControllerTypes", "value": "NVMe"},
            {"name": "ConfidentialComputingType", "value": "SNP"},
        ]);
        let listed = [sku(json!({"capabilities": capabilities}))];
        let found = Sku::find(&listed, "Standard_D2ps_v5", "eastus").unwrap();
        assert_eq!((found.vcpus, found.charged_vcpus), (Some(16), 32));
        assert!(found.trusted_launch && found.nvme_only && found.confidential);
    }
}
