//! Removing: groups as a whole, and what one provision has made.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use futures::{StreamExt, stream};
use railsbench_core::provider::{ProviderError, Resource, Scope, Teardown};
use reqwest::Method;
use tokio::time::Instant;

use super::api::{Arm, ArmError};
use super::inventory::{self, GROUP};
use super::machine::{Group, MachineIds};
use super::naming::provider_name;
use crate::rest::Call;

/// How many groups are removed at a time.
const AT_A_TIME: usize = 8;

/// In which order what is not in a group of ours is removed: nothing goes while it is in use.
const ORDER: [&str; 6] = [
    "virtual machine",
    "network interface",
    "public IP address",
    "disk",
    "virtual network",
    "network security group",
];

/// The word for an interface of a machine that could not be made: it is kept for that machine for
/// three minutes, and does not go before.
const RESERVED: &str = "NicReservedForAnotherVm";

/// Removes all in scope, and proves it by listing again.
pub(super) async fn teardown(arm: &Arm, scope: &Scope) -> Result<Teardown, ProviderError> {
    let mut removed = inventory::list(arm, scope).await?;
    let mut left = removed.clone();
    // What is tagged late is found by the last look, and removed by another round.
    for _ in 0..3 {
        if left.is_empty() {
            return Ok(Teardown { removed });
        }
        let trouble = remove(arm, &left).await;
        left = left_after(arm, scope).await?;
        if let Some(error) = trouble.filter(|_| !left.is_empty()) {
            return Err(error);
        }
        for late in &left {
            if !removed.iter().any(|known| known.id.eq_ignore_ascii_case(&late.id)) {
                removed.push(late.clone());
            }
        }
    }
    if left.is_empty() {
        Ok(Teardown { removed })
    } else {
        Err(ProviderError::LeftBehind { provider: provider_name(), resources: left })
    }
}

/// Lists until nothing is left, or patience ends: a list may lag behind.
async fn left_after(arm: &Arm, scope: &Scope) -> Result<Vec<Resource>, ProviderError> {
    let deadline = Instant::now() + arm.pace.patience;
    loop {
        let left = inventory::list(arm, scope).await?;
        if left.is_empty() || Instant::now() >= deadline {
            return Ok(left);
        }
        tokio::time::sleep(arm.pace.every).await;
    }
}

/// Removes groups with all that is in them, and then what is in none of them. Gives the first
/// error, after it has tried all.
async fn remove(arm: &Arm, resources: &[Resource]) -> Option<ProviderError> {
    let (groups, others): (Vec<&Resource>, Vec<&Resource>) =
        resources.iter().partition(|resource| resource.kind == GROUP);
    let removals: Vec<_> = groups.iter().map(|group| remove_group(arm, &group.id)).collect();
    let removed: Vec<Result<(), ProviderError>> =
        stream::iter(removals).buffer_unordered(AT_A_TIME).collect().await;
    let mut errors: Vec<ProviderError> = removed.into_iter().filter_map(Result::err).collect();
    let mut strays: Vec<&Resource> = others
        .into_iter()
        .filter(|resource| !groups.iter().any(|group| is_within(&resource.id, &group.id)))
        .collect();
    strays.sort_by_key(|stray| {
        ORDER.iter().position(|kind| *kind == stray.kind).unwrap_or(ORDER.len())
    });
    for stray in strays {
        errors.extend(remove_resource(arm, &stray.kind, &stray.id).await.err());
    }
    errors.into_iter().next()
}

fn is_within(id: &str, group: &str) -> bool {
    id.get(..group.len()).is_some_and(|start| start.eq_ignore_ascii_case(group))
        && id[group.len()..].starts_with('/')
}

/// Removes a group and waits until it has gone.
pub(super) async fn remove_group(arm: &Arm, id: &str) -> Result<(), ProviderError> {
    let action = "removing the resource group";
    match arm.delete(action, group_call(arm, action, id)).await {
        Ok(_) => Ok(()),
        Err(error) => Err(error.into_error(&format!("{action} {id}"))),
    }
}

/// Machines are ended without waiting for their system: there is nothing on them to be saved.
fn group_call<'a>(arm: &'a Arm, action: &str, id: &str) -> Call<'a> {
    let force = "Microsoft.Compute/virtualMachines";
    arm.call(Method::DELETE, action, id).query("forceDeletionTypes", force)
}

async fn remove_resource(arm: &Arm, kind: &str, id: &str) -> Result<(), ProviderError> {
    let action = format!("removing the {kind}");
    let deadline = Instant::now() + arm.pace.longest;
    loop {
        let mut call = arm.call(Method::DELETE, &action, id);
        if kind == "virtual machine" {
            call = call.query("forceDeletion", "true");
        }
        let Err(error) = arm.delete(&action, call).await else { return Ok(()) };
        let reserved = error.trouble().is_some_and(|trouble| trouble.code == RESERVED);
        if !reserved || Instant::now() >= deadline {
            return Err(error.into_error(&format!("{action} {id}")));
        }
        tokio::time::sleep(arm.pace.every).await;
    }
}

/// Removes a machine and what belongs to it. The machine takes the rest along, if it came to
/// exist with it; what is left is removed on its own.
pub(super) async fn remove_machine(arm: &Arm, ids: &MachineIds) -> Result<(), ProviderError> {
    for (kind, id) in [
        ("virtual machine", &ids.machine),
        ("network interface", &ids.interface),
        ("public IP address", &ids.address),
        ("disk", &ids.disk),
    ] {
        remove_resource(arm, kind, id).await?;
    }
    Ok(())
}

/// Removes a machine for which there was no room, so that it can be tried elsewhere.
pub(super) async fn remove_unplaced(arm: &Arm, ids: &MachineIds) -> Result<(), ProviderError> {
    remove_resource(arm, "virtual machine", &ids.machine).await?;
    remove_resource(arm, "disk", &ids.disk).await
}

/// Whether nothing but the network is left in a group.
pub(super) async fn is_bare(arm: &Arm, group: &Group) -> Result<bool, ProviderError> {
    let action = "listing the contents of a resource group";
    let call = arm.call(Method::GET, action, &format!("{}/resources", group.id));
    let listed = match arm.list(action, call).await {
        Ok(listed) => listed,
        Err(error) if error.status() == Some(404) => return Ok(true),
        Err(error) => return Err(ArmError::from(error).into_error(action)),
    };
    Ok(listed.iter().all(|item| {
        item["type"].as_str().is_some_and(|kind| {
            ["Microsoft.Network/networkSecurityGroups", "Microsoft.Network/virtualNetworks"]
                .iter()
                .any(|network| kind.eq_ignore_ascii_case(network))
        })
    }))
}

/// How many provisions of this process are at work in each group. Only the last one may take a
/// group back.
#[derive(Debug, Default)]
pub(super) struct Tenants(Mutex<HashMap<String, usize>>);

impl Tenants {
    /// Counts one more, for as long as what is given lives.
    pub(super) fn enter(&self, group: &Group) -> Tenant<'_> {
        *self.counts().entry(group.id.clone()).or_default() += 1;
        Tenant { tenants: self, group: group.id.clone() }
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One provision in a group.
pub(super) struct Tenant<'a> {
    tenants: &'a Tenants,
    group: String,
}

impl Tenant<'_> {
    pub(super) fn is_alone(&self) -> bool {
        self.tenants.counts().get(&self.group) == Some(&1)
    }
}

impl Drop for Tenant<'_> {
    fn drop(&mut self) {
        let mut counts = self.tenants.counts();
        if let Some(count) = counts.get_mut(&self.group) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.group);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_of_several_is_alone() {
        let tenants = Tenants::default();
        let group = Group::new("/subscriptions/s", "g");
        let first = tenants.enter(&group);
        assert!(first.is_alone());
        let second = tenants.enter(&group);
        assert!(!first.is_alone() && !second.is_alone());
        assert!(tenants.enter(&Group::new("/subscriptions/s", "h")).is_alone());
        drop(first);
        assert!(second.is_alone());
    }

    #[test]
    fn a_group_is_not_taken_for_another_that_it_begins_like() {
        assert!(is_within("/S/resourcegroups/G/providers/x", "/s/resourceGroups/g"));
        assert!(!is_within("/s/resourceGroups/g2/providers/x", "/s/resourceGroups/g"));
        assert!(!is_within("/s", "/s/resourceGroups/g"));
    }
}
