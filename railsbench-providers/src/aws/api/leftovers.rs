//! What goes with an instance or is left of it: volumes, network interfaces, security groups.

use aws_sdk_ec2::types::Tag;
use railsbench_core::money::Usd;
use railsbench_core::provider::Scope;

use super::super::plan::disk_hour;
use super::super::tags::{self, NAME};
use super::instances::ours;
use super::{Failure, RegionApi};
use crate::vm::Tags;

/// Something of ours that is no instance.
#[derive(Debug, Clone)]
pub(in super::super) struct Leftover {
    /// In words, e.g. `volume`.
    pub(in super::super) kind: &'static str,
    pub(in super::super) id: String,
    pub(in super::super) name: String,
    /// What its tags say.
    pub(in super::super) tags: Option<Tags>,
    /// What it costs, if it costs anything.
    pub(in super::super) per_hour: Option<Usd>,
}

pub(in super::super) const VOLUME: &str = "volume";
pub(in super::super) const INTERFACE: &str = "network interface";
pub(in super::super) const GROUP: &str = "security group";

impl Leftover {
    fn new(kind: &'static str, id: String, tags: &[Tag]) -> Self {
        Self {
            kind,
            id,
            name: tags::value(tags, NAME).unwrap_or_default().to_owned(),
            tags: tags::read(tags),
            per_hour: None,
        }
    }
}

impl RegionApi {
    /// Everything of ours that is no instance.
    pub(in super::super) async fn leftovers(
        &self,
        scope: &Scope,
    ) -> Result<Vec<Leftover>, Failure> {
        let filters = || Some(ours(scope));
        let mut found = Vec::new();

        let call = self.ec2.describe_volumes().set_filters(filters());
        let mut pages = call.into_paginator().items().send();
        while let Some(volume) = pages.next().await {
            let mut volume = volume.map_err(|error| Failure::new("listing volumes", &error))?;
            let id = volume.volume_id.take();
            let gib = volume.size().and_then(|gib| u32::try_from(gib).ok());
            found.extend(id.map(|id| Leftover {
                per_hour: gib.map(disk_hour),
                ..Leftover::new(VOLUME, id, volume.tags())
            }));
        }
        let call = self.ec2.describe_network_interfaces().set_filters(filters());
        let mut pages = call.into_paginator().items().send();
        while let Some(interface) = pages.next().await {
            let mut interface =
                interface.map_err(|error| Failure::new("listing network interfaces", &error))?;
            let id = interface.network_interface_id.take();
            found.extend(id.map(|id| Leftover::new(INTERFACE, id, interface.tag_set())));
        }
        let call = self.ec2.describe_security_groups().set_filters(filters());
        let mut pages = call.into_paginator().items().send();
        while let Some(group) = pages.next().await {
            let mut group =
                group.map_err(|error| Failure::new("listing security groups", &error))?;
            let id = group.group_id.take();
            found.extend(id.map(|id| Leftover::new(GROUP, id, group.tags())));
        }
        Ok(found)
    }

    /// Removes one of them; one that is gone already is as good. `false` if something still
    /// uses it.
    pub(in super::super) async fn remove(&self, leftover: &Leftover) -> Result<bool, Failure> {
        let id = &leftover.id;
        let action = format!("removing {} {id}", leftover.kind);
        let failure = match leftover.kind {
            VOLUME => {
                let answer = self.ec2.delete_volume().volume_id(id).send().await;
                answer.err().map(|error| Failure::new(action, &error))
            }
            INTERFACE => {
                let call = self.ec2.delete_network_interface().network_interface_id(id);
                call.send().await.err().map(|error| Failure::new(action, &error))
            }
            _ => return self.delete_group(id).await,
        };
        match failure {
            None => Ok(true),
            Some(failure) if failure.is_not_found() => Ok(true),
            Some(failure)
                if ["VolumeInUse", "InvalidParameterValue", "InvalidNetworkInterface.InUse"]
                    .iter()
                    .any(|code| failure.is(code)) =>
            {
                Ok(false)
            }
            Some(failure) => Err(failure),
        }
    }
}
