//! What of ours is at Google, by what Google lists; and removing it until nothing is listed.

use std::collections::BTreeMap;

use futures::future::join_all;
use railsbench_core::money::Usd;
use railsbench_core::provider::{ProviderError, Resource, Scope, Teardown};
use tokio::time::Instant;

use super::api::{Compute, Place, region_of_url};
use super::catalog::catalog;
use super::ledger::INSTANCE;
use super::naming::provider_name;
use super::plan::{DISK_GIB, DISK_GIB_MONTH, FIREWALL, PUBLIC_IP_HOUR};
use super::tags;
use super::wire::{Disk, Firewall, Instance, last_part};
use crate::vm::{Tags, hour_of_month};

/// The kind of a disk in lists.
const DISK: &str = "disk";

/// How often in a row nothing must be listed: a list may lag behind what was made a moment ago.
const EMPTY_LOOKS: u32 = 2;

/// Everything in scope that Google lists.
pub(super) async fn list(compute: &Compute, scope: &Scope) -> Result<Vec<Resource>, ProviderError> {
    let run = scope.run.as_ref();
    let (instances, disks, firewalls) =
        futures::join!(compute.instances(run), compute.free_disks(run), compute.firewalls());
    let instances = instances?.into_iter().filter_map(|found| instance(&found));
    let disks = disks?.into_iter().filter_map(|found| disk(&found));
    let firewalls = firewalls?.into_iter().filter_map(|found| firewall(&found));
    Ok(scope.select(instances.chain(disks).chain(firewalls).collect()))
}

/// Removes everything in scope and then proves it: lists again until twice in a row nothing is
/// there.
pub(super) async fn teardown(compute: &Compute, scope: &Scope) -> Result<Teardown, ProviderError> {
    let deadline = Instant::now() + compute.patience.longest;
    let mut removed: BTreeMap<(String, String), Resource> = BTreeMap::new();
    let mut empty_looks = 0;
    loop {
        let found = list(compute, scope).await?;
        if found.is_empty() {
            empty_looks += 1;
            if empty_looks == EMPTY_LOOKS {
                return Ok(Teardown { removed: removed.into_values().collect() });
            }
        } else {
            empty_looks = 0;
            if Instant::now() >= deadline {
                return Err(ProviderError::LeftBehind {
                    provider: provider_name(),
                    resources: found,
                });
            }
            remove(compute, &found).await?;
            for resource in found {
                removed.insert((resource.kind.clone(), resource.id.clone()), resource);
            }
        }
        tokio::time::sleep(compute.patience.between).await;
    }
}

/// Instances first, so that none is ever without its firewall rules. What refuses to go does not
/// keep the others: it is found again by the next look.
async fn remove(compute: &Compute, found: &[Resource]) -> Result<(), ProviderError> {
    for kind in [INSTANCE, DISK, FIREWALL] {
        let of_kind = found.iter().filter(|resource| resource.kind == kind);
        let removals = of_kind.map(async |resource| match Place::parse(&resource.id) {
            Some(place) if kind == INSTANCE => compute.delete_instance(&place).await,
            Some(place) => compute.delete_disk(&place).await,
            None => compute.delete_firewall(&resource.id).await,
        });
        for outcome in join_all(removals).await {
            match outcome {
                Err(error @ ProviderError::Call { .. }) => {
                    tracing::warn!(%error, "it is tried again");
                }
                outcome => outcome?,
            }
        }
    }
    Ok(())
}

fn instance(found: &Instance) -> Option<Resource> {
    let (tags, _) = tags::read(&found.description)?;
    let disk = disk_hour(DISK_GIB);
    let per_hour = if found.is_alive() {
        let machine = catalog().price(last_part(&found.machine_type));
        machine.map(|price| price.per_hour + disk + PUBLIC_IP_HOUR)
    } else {
        Some(disk)
    };
    Some(in_zone(INSTANCE, &found.name, &found.zone, tags, per_hour))
}

fn disk(found: &Disk) -> Option<Resource> {
    let (tags, _) = tags::read(&found.description)?;
    let per_hour = found.size_gb.parse().ok().map(disk_hour);
    Some(in_zone(DISK, &found.name, &found.zone, tags, per_hour))
}

fn disk_hour(gib: u32) -> Usd {
    hour_of_month(DISK_GIB_MONTH.times(gib))
}

fn in_zone(kind: &str, name: &str, zone: &str, tags: Tags, per_hour: Option<Usd>) -> Resource {
    Resource {
        provider: provider_name(),
        kind: kind.to_owned(),
        id: Place::new(last_part(zone), name).to_string(),
        name: name.to_owned(),
        run_id: tags.run_id,
        region: Some(region_of_url(zone)),
        created_at: tags.created_at,
        expires_at: tags.expires_at,
        per_hour,
    }
}

fn firewall(found: &Firewall) -> Option<Resource> {
    let (tags, region) = tags::read(&found.description)?;
    Some(Resource {
        provider: provider_name(),
        kind: FIREWALL.to_owned(),
        id: found.name.clone(),
        name: found.name.clone(),
        run_id: tags.run_id,
        region,
        created_at: tags.created_at,
        expires_at: tags.expires_at,
        per_hour: None,
    })
}
