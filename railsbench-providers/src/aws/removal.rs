//! What of ours exists in a region, and removing it until EC2 knows of nothing more.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_ec2::types::InstanceStateName;
use railsbench_core::provider::{ProviderError, Resource, Scope};
use tokio::time::Instant;

use super::api::{Failure, Instance, Leftover, RegionApi};
use super::catalog::catalog;
use super::naming::provider_name;
use super::plan::{GROUP, address_hour};

/// How to wait for what takes time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) look_every: Duration,
    /// Longest that something may take to be gone.
    pub(super) patience: Duration,
}

impl Default for Pace {
    /// Most instances end within a minute; those without a hypervisor take ten.
    fn default() -> Self {
        Self { look_every: Duration::from_secs(1), patience: Duration::from_mins(15) }
    }
}

/// Everything of ours in a region.
struct Inventory {
    instances: Vec<Instance>,
    leftovers: Vec<Leftover>,
}

impl Inventory {
    async fn take(api: &RegionApi, scope: &Scope) -> Result<Self, Failure> {
        let (instances, leftovers) = tokio::try_join!(api.instances(scope), api.leftovers(scope))?;
        let mut inventory = Self { instances, leftovers };
        let meant = scope.select(inventory.resources(api.name()));
        let is_meant = |id: &str| meant.iter().any(|resource| resource.id == id);
        inventory.instances.retain(|instance| is_meant(&instance.id));
        inventory.leftovers.retain(|leftover| is_meant(&leftover.id));
        Ok(inventory)
    }

    fn resources(&self, region: &str) -> Vec<Resource> {
        let instances = self.instances.iter().map(|instance| Resource {
            provider: provider_name(),
            kind: "instance".to_owned(),
            id: instance.id.clone(),
            name: instance.machine.clone().unwrap_or_default(),
            run_id: instance.tags.as_ref().and_then(|tags| tags.run_id.clone()),
            region: Some(region.to_owned()),
            created_at: instance.tags.as_ref().and_then(|tags| tags.created_at),
            expires_at: instance.tags.as_ref().and_then(|tags| tags.expires_at),
            per_hour: instance
                .is_alive()
                .then(|| catalog().price(&instance.kind))
                .flatten()
                .map(|price| price.per_hour + address_hour()),
        });
        let leftovers = self.leftovers.iter().map(|leftover| Resource {
            provider: provider_name(),
            kind: leftover.kind.to_owned(),
            id: leftover.id.clone(),
            name: leftover.name.clone(),
            run_id: leftover.tags.as_ref().and_then(|tags| tags.run_id.clone()),
            region: Some(region.to_owned()),
            created_at: leftover.tags.as_ref().and_then(|tags| tags.created_at),
            expires_at: leftover.tags.as_ref().and_then(|tags| tags.expires_at),
            per_hour: leftover.per_hour,
        });
        instances.chain(leftovers).collect()
    }
}

/// Lists everything of ours in a region.
pub(super) async fn list(api: &RegionApi, scope: &Scope) -> Result<Vec<Resource>, ProviderError> {
    Ok(Inventory::take(api, scope).await?.resources(api.name()))
}

/// Removes everything of ours in a region, and returns what it was when nothing is left.
pub(super) async fn remove_all(
    api: &RegionApi,
    scope: &Scope,
    pace: Pace,
) -> Result<Vec<Resource>, ProviderError> {
    let begun = Instant::now();
    let mut seen = BTreeMap::new();
    let mut pause = false;
    loop {
        let inventory = Inventory::take(api, scope).await?;
        let left = inventory.resources(api.name());
        if left.is_empty() {
            return Ok(seen.into_values().collect());
        }
        seen.extend(left.iter().map(|resource| (resource.id.clone(), resource.clone())));
        if begun.elapsed() > pace.patience {
            return Err(ProviderError::LeftBehind { provider: provider_name(), resources: left });
        }
        if pause {
            tokio::time::sleep(pace.look_every).await;
        }
        let working = inventory.instances.iter().filter(|instance| !instance.is_ending());
        let working: Vec<String> = working.map(|instance| instance.id.clone()).collect();
        let mut refused = api.terminate(&working).await.err();
        // What an instance uses mostly goes with it, and cannot go before it.
        pause = !inventory.instances.is_empty();
        if inventory.instances.is_empty() {
            for leftover in &inventory.leftovers {
                match api.remove(leftover).await {
                    Ok(gone) => pause |= !gone,
                    // The others can go all the same.
                    Err(failure) => refused = refused.or(Some(failure)),
                }
            }
        }
        if let Some(failure) = refused {
            return Err(failure.into());
        }
    }
}

/// Ends these instances, waits until they are gone, and then removes the group if it is given;
/// one that other machines use stays theirs.
pub(super) async fn take_back(
    api: &RegionApi,
    instances: &[String],
    group: Option<&str>,
    pace: Pace,
) -> Result<(), ProviderError> {
    api.terminate(instances).await?;
    let begun = Instant::now();
    while !instances.is_empty() {
        let known = api.known(instances.to_vec()).await?;
        let left: Vec<&Instance> = known
            .iter()
            .filter(|instance| instance.state != InstanceStateName::Terminated)
            .collect();
        if left.is_empty() {
            break;
        }
        if begun.elapsed() > pace.patience {
            let left = left.into_iter().cloned().collect();
            let left = Inventory { instances: left, leftovers: Vec::new() };
            let resources = left.resources(api.name());
            return Err(ProviderError::LeftBehind { provider: provider_name(), resources });
        }
        tokio::time::sleep(pace.look_every).await;
    }
    let Some(group) = group else { return Ok(()) };
    let begun = Instant::now();
    // EC2 takes a while to see that the last instance of a group is gone.
    while !api.delete_group(group).await? {
        if begun.elapsed() > pace.patience {
            return Err(ProviderError::Call {
                provider: provider_name(),
                action: format!("removing {GROUP} {group}"),
                detail: "something still uses it; railsbench teardown removes it later".to_owned(),
            });
        }
        tokio::time::sleep(pace.look_every).await;
    }
    Ok(())
}
