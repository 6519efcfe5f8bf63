//! What Google has before anything is made: zones, machine types, quotas, images.

use serde_json::{Value, json};

use super::world::missing;
use super::{Call, PROJECT, Refusal, World};

impl World {
    pub(super) fn zones(&self) -> Value {
        let zones = self.zones.iter().map(|(name, status)| {
            let region = name.rsplit_once('-').unwrap().0;
            let region = format!(
                "https://www.googleapis.com/compute/v1/projects/{PROJECT}/regions/{region}"
            );
            json!({"name": name, "status": status, "region": region})
        });
        json!({"items": zones.collect::<Vec<_>>()})
    }

    pub(super) fn region(&self, name: &str) -> Result<Value, Refusal> {
        let prefix = format!("{name}-");
        if !self.zones.iter().any(|(zone, _)| zone.starts_with(&prefix)) {
            return Err(missing(name));
        }
        let quotas = self.quotas.iter();
        let quotas = quotas.map(
            |(metric, limit, usage)| json!({"metric": metric, "limit": limit, "usage": usage}),
        );
        Ok(json!({"name": name, "status": "UP", "quotas": quotas.collect::<Vec<_>>()}))
    }

    pub(super) fn machine_type(&self, call: &Call) -> Result<Value, Refusal> {
        let (zone, name) = (call.path("zone"), call.path("machineType"));
        let found = self.types.iter().find(|(of, known, ..)| *of == zone && *known == name);
        let (_, _, arch, vcpus) = found.ok_or_else(|| missing(name))?;
        Ok(json!({"name": name, "guestCpus": vcpus, "memoryMb": 1024, "architecture": arch}))
    }
}

pub(super) fn image(call: &Call) -> Result<Value, Refusal> {
    match (call.path("project"), call.path("family")) {
        ("debian-cloud", family @ ("debian-12" | "debian-12-arm64")) => {
            Ok(json!({"name": format!("{family}-v20260701"), "family": family, "status": "READY"}))
        }
        (_, family) => Err(missing(family)),
    }
}
