//! What Google answers, as far as it is looked at. Names and meanings are those of the Compute
//! Engine API v1.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A task at Google.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Operation {
    pub(super) name: String,
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    pub(super) error: Option<OperationErrors>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct OperationErrors {
    #[serde(default)]
    pub(super) errors: Vec<OperationError>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct OperationError {
    #[serde(default)]
    pub(super) code: String,
    #[serde(default)]
    pub(super) message: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Instance {
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    pub(super) zone: String,
    #[serde(default)]
    pub(super) machine_type: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Disk {
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) zone: String,
    #[serde(default)]
    pub(super) size_gb: String,
    /// What it is attached to.
    #[serde(default)]
    pub(super) users: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Firewall {
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Zone {
    pub(super) name: String,
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    pub(super) region: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Region {
    #[serde(default)]
    pub(super) quotas: Vec<Quota>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Quota {
    pub(super) metric: String,
    #[serde(default)]
    pub(super) limit: f64,
    #[serde(default)]
    pub(super) usage: f64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MachineType {
    #[serde(default)]
    pub(super) guest_cpus: u32,
    /// `X86_64` or `ARM64`; absent for types that are older than the field.
    #[serde(default)]
    pub(super) architecture: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Image {
    pub(super) name: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct SerialPortOutput {
    #[serde(default)]
    pub(super) contents: String,
}

/// One page of a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<T> {
    #[serde(default = "Vec::new")]
    pub(super) items: Vec<T>,
    #[serde(default)]
    pub(super) next_page_token: Option<String>,
}

/// One page of a list over all zones, by zone.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AggregatedPage<T> {
    #[serde(default = "BTreeMap::new")]
    pub(super) items: BTreeMap<String, T>,
    #[serde(default)]
    pub(super) next_page_token: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct InstancesOfZone {
    #[serde(default)]
    pub(super) instances: Vec<Instance>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct DisksOfZone {
    #[serde(default)]
    pub(super) disks: Vec<Disk>,
}

impl Instance {
    /// Whether it starts or runs.
    pub(super) fn is_alive(&self) -> bool {
        matches!(
            self.status.as_str(),
            "PENDING" | "PROVISIONING" | "STAGING" | "RUNNING" | "REPAIRING"
        )
    }
}

/// The last part of a resource's URL, which is its name.
pub(super) fn last_part(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

/// The region that a zone is in: `us-central1` of `us-central1-a`.
pub(super) fn region_of(zone: &str) -> &str {
    zone.rsplit_once('-').map_or(zone, |(region, _)| region)
}
