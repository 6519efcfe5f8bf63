//! Making what a plan says: firewall rules first, so that no instance is ever without them, then
//! all instances at once. What was made is taken back if anything fails.

use std::sync::Arc;

use futures::future::join_all;
use jiff::Timestamp;
use railsbench_core::id::MachineId;
use railsbench_core::provider::{
    Deployment, Journal, Machine, Plan, PlannedMachine, ProviderError,
};
use serde_json::Value;

use super::api::{Compute, Made, Place};
use super::body::{self, InstanceBody};
use super::errors::{ELSEWHERE, OperationFailure, call, capacity};
use super::ledger::{Item, Ledger, request_id};
use super::naming::provider_name;
use super::plan::{DEFAULT_REGION, Rule, network_tag};
use super::tags;
use crate::vm::Tags;

/// How often something is tried to be made. More than once only where the first attempt shows
/// that something was in its way.
const ATTEMPTS: u32 = 3;

/// One provision at work.
pub(super) struct Provision<'a> {
    compute: &'a Compute,
    plan: &'a Plan,
    network: &'a str,
    region: &'a str,
    network_tag: String,
    tags: Tags,
    ledger: Ledger,
}

impl<'a> Provision<'a> {
    pub(super) fn new(
        compute: &'a Compute,
        plan: &'a Plan,
        journal: Arc<dyn Journal>,
        network: &'a str,
    ) -> Self {
        let first = plan.machines.first();
        let region = first.and_then(|machine| machine.region.as_deref()).unwrap_or(DEFAULT_REGION);
        Self {
            compute,
            plan,
            network,
            region,
            network_tag: network_tag(first.map_or("", |machine| machine.name.as_str())),
            tags: Tags::new(&plan.run_id, Timestamp::now(), plan.max_lifetime),
            ledger: Ledger::new(journal, plan.run_id.clone(), region),
        }
    }

    pub(super) async fn run(self) -> Result<Deployment, ProviderError> {
        match self.make_all().await {
            Ok(machines) => Ok(Deployment {
                provider: provider_name(),
                run_id: self.plan.run_id.clone(),
                machines,
            }),
            Err(cause) => Err(self.take_back(cause).await),
        }
    }

    async fn make_all(&self) -> Result<Vec<Machine>, ProviderError> {
        let zones = self.zones().await?;
        let looks = self.plan.machines.iter().map(|machine| self.adopt(machine, &zones));
        let adopted = first_error(join_all(looks).await)?;
        let keeps_rules = adopted.iter().any(Option::is_some);
        let rules = Rule::ALL.into_iter().map(|rule| self.firewall(rule, keeps_rules));
        first_error(join_all(rules).await)?;
        let machines = self.plan.machines.iter().zip(adopted).enumerate();
        let machines = machines.map(|(index, (machine, adopted))| {
            // Machines start in different zones, so that no zone has to have room for all.
            let mut zones = zones.clone();
            let first = index % zones.len().max(1);
            zones.rotate_left(first);
            self.machine(machine, adopted, zones)
        });
        // All are waited for, also if one fails: only then is it known what there is.
        first_error(join_all(machines).await)
    }

    /// The zones of the region that have the machine type.
    async fn zones(&self) -> Result<Vec<String>, ProviderError> {
        let Some(machine) = self.plan.machines.first() else { return Ok(Vec::new()) };
        let name = machine.instance_type.as_str();
        let all = self.compute.zones(self.region).await?;
        let looks = all.iter().map(|zone| self.compute.machine_type(zone, name));
        let found = first_error(join_all(looks).await)?;
        let having = all.into_iter().zip(found);
        let zones: Vec<String> = having.filter_map(|(zone, found)| found.map(|_| zone)).collect();
        if zones.is_empty() {
            let detail = format!("no zone of {} has this machine type; {ELSEWHERE}", self.region);
            return Err(capacity(name, &detail));
        }
        Ok(zones)
    }

    /// Makes a firewall rule. Where a machine of an earlier provision is at work, `keep` leaves
    /// the rule there also if this provision fails.
    async fn firewall(&self, rule: Rule, keep: bool) -> Result<(), ProviderError> {
        let name = rule.name(&self.network_tag);
        let description = tags::description(&self.tags, self.region);
        let body = body::firewall(rule, &self.network_tag, self.network, &description);
        let action = format!("making the firewall rule {name}");
        let item = Item::Firewall(name.clone());
        for _ in 0..ATTEMPTS {
            let token = self.ledger.intend(&item).await?;
            if !keep {
                self.ledger.touch(&item, &token);
            }
            let made = self.compute.make_firewall(&name, &body, &request_id(&token)).await?;
            if !matches!(made, Ok(()) | Err(OperationFailure::Exists)) {
                return made.map_err(|failure| failure.into_error(&action));
            }
            // Also of what was made it is looked whether it is there: a request that Google has
            // had before has no second effect, even if that of the first is gone.
            if let Some(found) = self.compute.firewall(&name).await? {
                self.is_ours(&action, &found.description)
                    .inspect_err(|_| self.ledger.untouch(&item, &token))?;
                return self.ledger.created(&item, &token).await;
            }
            self.ledger.removed(&item, &token).await?;
        }
        Err(call(&action, "it was made and is not there; is another teardown at work?"))
    }

    /// Makes a machine in the first zone that has room for it.
    async fn machine(
        &self,
        machine: &PlannedMachine,
        adopted: Option<Place>,
        zones: Vec<String>,
    ) -> Result<Machine, ProviderError> {
        if let Some(place) = adopted {
            let item = Item::Instance(place.clone());
            let token = self.ledger.intend(&item).await?;
            self.ledger.created(&item, &token).await?;
            return Ok(self.made(machine, &place));
        }
        let mut full = Vec::new();
        for zone in &zones {
            let place = Place::new(zone, &machine.name);
            match self.insert(machine, &place).await? {
                None => return Ok(self.made(machine, &place)),
                Some(detail) => full.push(format!("{zone}: {detail}")),
            }
        }
        let what = format!("{} in {}", machine.instance_type, self.region);
        Err(capacity(&what, &format!("{}; {ELSEWHERE}", full.join("; "))))
    }

    /// The machine that an earlier provision of the same plan has made, if it is at work. One that
    /// has ended is removed.
    async fn adopt(
        &self,
        machine: &PlannedMachine,
        zones: &[String],
    ) -> Result<Option<Place>, ProviderError> {
        let looks = zones.iter().map(async |zone| {
            let place = Place::new(zone, &machine.name);
            self.compute.instance(&place).await.map(|found| (place, found))
        });
        let mut adopted = None;
        for (place, found) in first_error(join_all(looks).await)? {
            let Some(found) = found else { continue };
            self.is_ours(&format!("making the instance {place}"), &found.description)?;
            if found.is_alive() && adopted.is_none() {
                adopted = Some(place);
            } else {
                self.compute.delete_instance(&place).await?;
            }
        }
        Ok(adopted)
    }

    /// Makes a machine in one zone; gives what the zone says if it has no room.
    async fn insert(
        &self,
        machine: &PlannedMachine,
        place: &Place,
    ) -> Result<Option<String>, ProviderError> {
        let body = InstanceBody {
            plan: self.plan,
            machine,
            tags: &self.tags,
            network_tag: &self.network_tag,
            network: self.network,
            region: self.region,
        }
        .in_zone(&place.zone);
        let action = format!("making the instance {place}");
        let item = Item::Instance(place.clone());
        for _ in 0..ATTEMPTS {
            let token = self.ledger.intend(&item).await?;
            self.ledger.touch(&item, &token);
            match self.attempt(place, &body, &item, &token).await? {
                Ok(()) => {
                    self.ledger.created(&item, &token).await?;
                    return Ok(None);
                }
                Err(OperationFailure::ZoneIsFull(detail)) => {
                    self.ledger.removed(&item, &token).await?;
                    return Ok(Some(detail));
                }
                // Its name is taken and yet it is not there: by a disk that was left.
                Err(OperationFailure::Exists) => {
                    self.compute.delete_disk(place).await?;
                    self.ledger.removed(&item, &token).await?;
                }
                // The request was made before, and what it made is gone.
                Err(OperationFailure::Missing) => self.ledger.removed(&item, &token).await?,
                Err(failure) => return Err(failure.into_error(&action)),
            }
        }
        Err(call(&action, "it was made and is not there; is another teardown at work?"))
    }

    /// One attempt, and a look at what is there after it, be it by this attempt or an earlier one.
    async fn attempt(
        &self,
        place: &Place,
        body: &Value,
        item: &Item,
        token: &str,
    ) -> Result<Made, ProviderError> {
        let made = self.compute.make_instance(place, body, &request_id(token)).await?;
        let otherwise = match made {
            Ok(()) => OperationFailure::Missing,
            Err(OperationFailure::Exists) => OperationFailure::Exists,
            failed => return Ok(failed),
        };
        let Some(found) = self.compute.instance(place).await? else { return Ok(Err(otherwise)) };
        self.is_ours(&format!("making the instance {place}"), &found.description)
            .inspect_err(|_| self.ledger.untouch(item, token))?;
        if found.is_alive() {
            return Ok(Ok(()));
        }
        self.compute.delete_instance(place).await?;
        Ok(Err(OperationFailure::Missing))
    }

    /// That something of a name of ours is of this run.
    fn is_ours(&self, action: &str, description: &str) -> Result<(), ProviderError> {
        let owner = tags::read(description).and_then(|(tags, _)| tags.run_id);
        if owner.as_ref() == Some(&self.plan.run_id) {
            return Ok(());
        }
        let whose = owner.map_or("nobody that railsbench knows".to_owned(), |run_id| {
            format!("the run {run_id}")
        });
        Err(call(action, &format!("there is one of that name, of {whose}; use another run id")))
    }

    fn made(&self, machine: &PlannedMachine, place: &Place) -> Machine {
        Machine {
            id: MachineId::new(place.to_string()).expect("zones and names are graphic ASCII"),
            name: machine.name.clone(),
            instance_type: machine.instance_type.clone(),
            region: Some(self.region.to_owned()),
        }
    }

    /// Takes back what was made before something failed: instances first, so that none is ever
    /// without its firewall rules.
    async fn take_back(&self, cause: ProviderError) -> ProviderError {
        let (instances, firewalls): (Vec<_>, Vec<_>) = self
            .ledger
            .take_touched()
            .into_iter()
            .partition(|(item, _)| matches!(item, Item::Instance(_)));
        for items in [instances, firewalls] {
            let removals = items.iter().map(|(item, token)| self.remove(item, token));
            if let Err(error) = first_error(join_all(removals).await) {
                let run_id = &self.plan.run_id;
                return call(
                    &format!("provisioning for the run {run_id}"),
                    &format!(
                        "{cause}; taking back what was made failed: {error}; run \
                         `railsbench teardown {run_id}`"
                    ),
                );
            }
        }
        cause
    }

    async fn remove(&self, item: &Item, token: &str) -> Result<(), ProviderError> {
        match item {
            Item::Instance(place) => self.compute.delete_instance(place).await?,
            Item::Firewall(name) => self.compute.delete_firewall(name).await?,
        }
        if let Err(error) = self.ledger.removed(item, token).await {
            tracing::warn!(%error, token, "removed, but the journal does not say so");
        }
        Ok(())
    }
}

/// All values, or the first error.
fn first_error<T>(results: Vec<Result<T, ProviderError>>) -> Result<Vec<T>, ProviderError> {
    results.into_iter().collect()
}
