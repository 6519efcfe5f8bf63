//! Making what a plan says: the group, the network, then the machines, several at a time.
//!
//! Names follow from the plan, so making something again finds what is there; each is in the
//! journal before it is made. What was made is taken back if the rest cannot be made.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use railsbench_core::provider::{
    Deployment, Journal, JournalStep, Machine, MachineState, Plan, PlannedMachine, ProviderError,
};
use reqwest::Method;
use serde_json::Value;
use tokio::time::Instant;

use super::api::{Arm, ArmError};
use super::body;
use super::dialect::{Trouble, refused};
use super::inventory::{GROUP, read_tags};
use super::machine::{Group, MachineIds, state};
use super::naming::{DEFAULT_REGION, group_name, provider_name};
use super::removal::{Tenant, Tenants, is_bare, remove_group, remove_machine, remove_unplaced};
use super::sku::Sku;
use crate::diary::Diary;
use crate::vm::Tags;

/// How many machines are made at a time.
const AT_A_TIME: usize = 16;

/// Makes sure that what is planned exists; takes back what it made if it fails.
pub(super) async fn run(
    arm: &Arm,
    tenants: &Tenants,
    plan: &Plan,
    journal: Arc<dyn Journal>,
) -> Result<Deployment, ProviderError> {
    let now = Timestamp::now();
    let region = plan.machines.first().and_then(|machine| machine.region.as_deref());
    let region = region.unwrap_or(DEFAULT_REGION);
    let group = Group::new(&arm.subscription_path(), &group_name(&plan.run_id, region));
    let sku = sku(arm, plan, region).await?;
    let tenant = tenants.enter(&group);
    let tags = tags(arm, &group, plan, now).await?;
    let work = Provision {
        arm,
        plan,
        region,
        tagged: body::tags(&tags),
        group,
        sku,
        diary: Diary::new(journal, provider_name(), plan.run_id.clone())
            .within(Some(region.to_owned())),
        announced: Mutex::default(),
        made: Mutex::default(),
    };
    match work.all().await {
        Ok(machines) => {
            Ok(Deployment { provider: provider_name(), run_id: plan.run_id.clone(), machines })
        }
        Err(cause) => Err(work.take_back(&tenant, cause).await),
    }
}

/// What Azure says of the planned size in the region.
async fn sku(arm: &Arm, plan: &Plan, region: &str) -> Result<Sku, ProviderError> {
    let size = plan.vars.instance_type.as_str();
    let lacks = |detail: String| ProviderError::Capacity {
        provider: provider_name(),
        what: format!("{size} in {region}"),
        detail,
    };
    let listed = skus(arm, region).await?;
    let sku = Sku::find(&listed, size, region).ok_or_else(|| {
        lacks("the region does not offer it; see `az vm list-skus --location`".to_owned())
    })?;
    match &sku.refusal {
        Some(reason) => Err(lacks(format!(
            "this subscription may not have it there ({reason}); use another region or size"
        ))),
        None => Ok(sku),
    }
}

/// What Azure says of all sizes in a region.
pub(super) async fn skus(arm: &Arm, region: &str) -> Result<Vec<Value>, ProviderError> {
    let action = "looking up what the region offers";
    let path = format!("{}/providers/Microsoft.Compute/skus", arm.subscription_path());
    let filter = format!("location eq '{region}'");
    let call = arm.call(Method::GET, action, &path).query("$filter", &filter);
    arm.list(action, call).await.map_err(refused)
}

/// The tags of what is made now. A group that is there already, and is ours, keeps its time if
/// that is later. One that is being removed is waited for.
async fn tags(
    arm: &Arm,
    group: &Group,
    plan: &Plan,
    now: Timestamp,
) -> Result<Tags, ProviderError> {
    let action = "looking for the resource group";
    let failed = |detail: &str| ProviderError::Call {
        provider: provider_name(),
        action: format!("{action} {}", group.id),
        detail: detail.to_owned(),
    };
    let deadline = Instant::now() + arm.pace.longest;
    let settled = loop {
        let found = arm.find(action, arm.call(Method::GET, action, &group.id)).await?;
        let leaving = |group: &Value| group["properties"]["provisioningState"] == "Deleting";
        if !found.as_ref().is_some_and(leaving) {
            break found;
        }
        if Instant::now() >= deadline {
            return Err(failed("it is being removed, and that takes too long; try again later"));
        }
        tokio::time::sleep(arm.pace.every).await;
    };
    let mut tags = Tags::new(&plan.run_id, now, plan.max_lifetime);
    if let Some(there) = settled {
        let earlier = read_tags(&there).filter(|tags| tags.run_id.as_ref() == Some(&plan.run_id));
        let earlier = earlier.ok_or_else(|| {
            failed("there is one of that name without the tags of this run; use another run id")
        })?;
        tags.expires_at = tags.expires_at.max(earlier.expires_at);
    }
    Ok(tags)
}

struct Provision<'a> {
    arm: &'a Arm,
    plan: &'a Plan,
    region: &'a str,
    tagged: Value,
    group: Group,
    sku: Sku,
    diary: Diary,
    /// Kinds and ids of what was written down as intended.
    announced: Mutex<BTreeSet<(String, String)>>,
    /// The machines that were not there before, by name.
    made: Mutex<BTreeSet<String>>,
}

impl Provision<'_> {
    async fn all(&self) -> Result<Vec<Machine>, ProviderError> {
        let tagged = &self.tagged;
        self.make(GROUP, &self.group.id, &body::group(self.region, tagged)).await?;
        let id = self.group.security_group();
        let security_group = body::security_group(self.region, tagged);
        self.make("network security group", &id, &security_group).await?;
        let network = body::network(self.region, tagged, &self.group);
        self.make("virtual network", &self.group.network(), &network).await?;
        // All come to an end, also after one has failed: what is dropped midway may be made.
        let machines: Vec<_> =
            self.plan.machines.iter().map(|machine| self.machine(machine)).collect();
        let machines: Vec<Result<Machine, ProviderError>> =
            stream::iter(machines).buffered(AT_A_TIME).collect().await;
        machines.into_iter().collect()
    }

    async fn make(&self, kind: &str, id: &str, body: &Value) -> Result<(), ProviderError> {
        self.try_make(kind, id, body)
            .await?
            .map_err(|error| error.into_error(&format!("making the {kind} {}", last(id))))
    }

    async fn announce(&self, kind: &str, id: &str) -> Result<(), ProviderError> {
        self.announced().insert((kind.to_owned(), id.to_owned()));
        self.diary.write(kind, id, JournalStep::Intend).await
    }

    /// Writes it down, makes it, and writes that down. The outer error is the journal's.
    async fn try_make(
        &self,
        kind: &str,
        id: &str,
        body: &Value,
    ) -> Result<Result<(), ArmError>, ProviderError> {
        self.announce(kind, id).await?;
        if let Err(error) = self.arm.put(&format!("making the {kind}"), id, body).await {
            return Ok(Err(error));
        }
        self.diary.write(kind, id, JournalStep::Created { id: id.to_owned() }).await?;
        Ok(Ok(()))
    }

    /// Makes sure that a planned machine runs.
    async fn machine(&self, machine: &PlannedMachine) -> Result<Machine, ProviderError> {
        let ids = self.group.machine(&machine.name);
        if self.is_there(&ids).await? {
            let kind = "virtual machine";
            self.announce(kind, &ids.machine).await?;
            let created = JournalStep::Created { id: ids.machine.clone() };
            self.diary.write(kind, &ids.machine, created).await?;
        } else {
            self.made().insert(ids.name.clone());
            self.make_machine(&ids).await?;
        }
        Ok(Machine {
            id: ids.machine_id(),
            name: machine.name.clone(),
            instance_type: machine.instance_type.clone(),
            region: Some(self.region.to_owned()),
        })
    }

    /// Whether the machine is there and at work. One that has ended is removed.
    async fn is_there(&self, ids: &MachineIds) -> Result<bool, ProviderError> {
        let action = "looking for the machine";
        let call = self.arm.call(Method::GET, action, &ids.machine);
        let call = call.query("$expand", "instanceView");
        let Some(found) = self.arm.find(action, call).await? else { return Ok(false) };
        if matches!(state(&found), MachineState::Running | MachineState::Starting) {
            return Ok(true);
        }
        remove_machine(self.arm, ids).await?;
        Ok(false)
    }

    /// Makes a machine in the first place that has room for it.
    async fn make_machine(&self, ids: &MachineIds) -> Result<(), ProviderError> {
        let mut full = None;
        for place in self.sku.places() {
            let address = body::address(self.region, &self.tagged);
            self.make("public IP address", &ids.address, &address).await?;
            let interface = body::interface(self.region, &self.tagged, &self.group, ids);
            self.make("network interface", &ids.interface, &interface).await?;
            let script = &self.plan.user_data;
            let machine = body::machine(self.region, &self.tagged, ids, &self.sku, place, script);
            let kind = "virtual machine";
            let Err(error) = self.try_make(kind, &ids.machine, &machine).await? else {
                return Ok(());
            };
            let action = format!("making {} ({}) in {}", ids.name, self.sku.name, self.region);
            let Some(trouble) = error.trouble().filter(Trouble::is_lack_of_room) else {
                return Err(error.into_error(&action));
            };
            tracing::info!(machine = %ids.name, place, "there is no room");
            // What could not be placed keeps its name, and cannot be moved to another zone.
            remove_unplaced(self.arm, ids).await?;
            full = Some(trouble.error(&action));
        }
        Err(full.unwrap_or_else(|| ProviderError::Capacity {
            provider: provider_name(),
            what: ids.name.clone(),
            detail: "there is no place to try".to_owned(),
        }))
    }

    /// Removes the machines that this call has made, and the group if nothing but the network is
    /// left in it.
    async fn take_back(&self, tenant: &Tenant<'_>, cause: ProviderError) -> ProviderError {
        let names = self.made().clone();
        let removals: Vec<_> = names
            .iter()
            .map(|name| {
                let ids = self.group.machine(name);
                async move { remove_machine(self.arm, &ids).await }
            })
            .collect();
        let removed: Vec<Result<(), ProviderError>> =
            stream::iter(removals).buffer_unordered(AT_A_TIME).collect().await;
        let mut errors: Vec<ProviderError> = removed.into_iter().filter_map(Result::err).collect();
        let mut group_is_gone = false;
        if errors.is_empty() && tenant.is_alone() {
            match self.remove_bare_group().await {
                Ok(gone) => group_is_gone = gone,
                Err(error) => errors.push(error),
            }
        }
        if let Some(error) = errors.into_iter().next() {
            return ProviderError::Call {
                provider: provider_name(),
                action: format!("making the machines of {}", self.plan.run_id),
                detail: format!(
                    "{cause}; after that, {error}; run `railsbench teardown {}`",
                    self.plan.run_id
                ),
            };
        }
        let is_gone =
            |id: &str| group_is_gone || names.iter().any(|name| self.group.machine(name).owns(id));
        let announced = self.announced().clone();
        for (kind, id) in announced.iter().filter(|(_, id)| is_gone(id)) {
            self.diary.removed(kind, id).await;
        }
        cause
    }

    async fn remove_bare_group(&self) -> Result<bool, ProviderError> {
        let bare = is_bare(self.arm, &self.group).await?;
        if bare {
            remove_group(self.arm, &self.group.id).await?;
        }
        Ok(bare)
    }

    fn announced(&self) -> MutexGuard<'_, BTreeSet<(String, String)>> {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn made(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last part of an id: a name.
fn last(id: &str) -> &str {
    id.rsplit_once('/').map_or(id, |(_, name)| name)
}
