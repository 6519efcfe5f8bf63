//! Making what a plan says: the security group, then the machines, each in the first zone that
//! has room for it.
//!
//! The journal has each step before it is taken. A machine's step is known by its client token:
//! with the token of a start whose answer was lost, EC2 answers with the machine that this start
//! has made, instead of making another one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::join_all;
use jiff::Timestamp;
use railsbench_core::provider::{
    Deployment, Journal, JournalEntry, JournalStep, Machine, Plan, PlannedMachine, ProviderError,
    Scope,
};

use super::api::{Aws, Failure, Instance, Launch, RegionApi, Zone};
use super::naming::{DEFAULT_REGION, machine_id, provider_name, token_prefix};
use super::plan::GROUP;
use super::removal::{Pace, take_back};
use super::tags::Labels;
use super::user_data;
use crate::diary::Diary;
use crate::vm::Tags;

/// In words, as the journal calls it.
const INSTANCE: &str = "instance";

/// How often what EC2 may show late is looked for.
const LOOKS: usize = 5;

/// Makes sure that what is planned exists; takes back what it made if it fails.
pub(super) async fn run(
    aws: &Aws,
    pace: Pace,
    plan: &Plan,
    journal: Arc<dyn Journal>,
) -> Result<Deployment, ProviderError> {
    let region = plan.machines.first().and_then(|machine| machine.region.as_deref());
    let api = aws.region(region.unwrap_or(DEFAULT_REGION)).await;
    let diary = Diary::new(journal, provider_name(), plan.run_id.clone())
        .within(Some(api.name().to_owned()));
    let work = Provision {
        before: api.instances(&Scope::run(plan.run_id.clone())).await?,
        past: diary.entries().await?,
        diary,
        made: Mutex::default(),
        tags: Tags::new(&plan.run_id, Timestamp::now(), plan.max_lifetime),
        api: &api,
        plan,
        pace,
    };
    match work.machines().await {
        Ok(machines) => {
            Ok(Deployment { provider: provider_name(), run_id: plan.run_id.clone(), machines })
        }
        Err(cause) => Err(work.take_back(cause).await),
    }
}

/// What this call has made: to be taken back if the rest cannot be made.
#[derive(Debug, Default)]
struct Made {
    group: Option<String>,
    /// Tokens and ids.
    instances: Vec<(String, String)>,
    /// A call got no answer, and may have had its effect.
    maybe_more: bool,
}

struct Provision<'a> {
    api: &'a RegionApi,
    plan: &'a Plan,
    pace: Pace,
    /// The run's instances before this call.
    before: Vec<Instance>,
    past: Vec<JournalEntry>,
    diary: Diary,
    made: Mutex<Made>,
    tags: Tags,
}

impl Provision<'_> {
    async fn machines(&self) -> Result<Vec<Machine>, ProviderError> {
        let mut found = Vec::new();
        for machine in &self.plan.machines {
            let Some(instance) = self.there(machine) else { break };
            found.push(self.adopt(machine, instance).await?);
        }
        if found.len() == self.plan.machines.len() {
            return Ok(found);
        }
        let rest = &self.plan.machines[found.len()..];
        let (launch, zones) = self.prepare(&rest[0]).await?;
        let starts = rest.iter().map(|machine| self.provide(machine, &launch, &zones));
        // All of them to their end: what is dropped on its way may have been made all the same.
        let started = join_all(starts).await;
        found.extend(started.into_iter().collect::<Result<Vec<_>, _>>()?);
        Ok(found)
    }

    /// The instance that a planned machine was before this call.
    fn there(&self, machine: &PlannedMachine) -> Option<&Instance> {
        self.before.iter().find(|instance| {
            instance.is_alive() && instance.machine.as_ref() == Some(&machine.name)
        })
    }

    async fn provide(
        &self,
        machine: &PlannedMachine,
        launch: &Launch,
        zones: &[Zone],
    ) -> Result<Machine, ProviderError> {
        if let Some(instance) = self.there(machine) {
            return self.adopt(machine, instance).await;
        }
        let _turn = self.api.turn().await;
        self.start(machine, launch, zones).await
    }

    /// A machine that was there before.
    async fn adopt(
        &self,
        machine: &PlannedMachine,
        instance: &Instance,
    ) -> Result<Machine, ProviderError> {
        let token = instance.client_token.as_deref().unwrap_or(&instance.id);
        self.diary.write(INSTANCE, token, JournalStep::Intend).await?;
        let step = JournalStep::Created { id: instance.id.clone() };
        self.diary.write(INSTANCE, token, step).await?;
        Ok(self.machine(machine, &instance.id))
    }

    fn machine(&self, planned: &PlannedMachine, instance: &str) -> Machine {
        Machine {
            id: machine_id(self.api.name(), instance),
            name: planned.name.clone(),
            instance_type: planned.instance_type.clone(),
            region: Some(self.api.name().to_owned()),
        }
    }

    /// What all machines need, and where they can be.
    async fn prepare(
        &self,
        machine: &PlannedMachine,
    ) -> Result<(Launch, Vec<Zone>), ProviderError> {
        let instance_type = machine.instance_type.as_str();
        let user_data = user_data::encode(&self.plan.user_data)
            .map_err(|error| call("encoding the user data", error.to_string()))?;
        let (image, offered, vpc) = tokio::try_join!(
            self.api.debian_image(machine.shape.arch),
            self.api.offered_in(instance_type),
            self.api.default_vpc(),
        )?;
        if offered.is_empty() {
            return Err(not_offered(instance_type, self.api.name()));
        }
        let vpc = match vpc {
            Some(vpc) => vpc,
            None => self.api.create_default_vpc().await?,
        };
        let zones = zones(&offered, &self.api.subnets(&vpc).await?);
        if zones.is_empty() {
            return Err(no_subnet(instance_type, &offered));
        }
        let group = self.group(&vpc).await?;
        let instance_type = instance_type.to_owned();
        Ok((Launch { instance_type, image, group, user_data }, zones))
    }

    /// The security group of the machines, made if it is not there, with the right rules.
    async fn group(&self, vpc: &str) -> Result<String, ProviderError> {
        let planned = self.plan.resources.iter().find(|resource| resource.kind == GROUP);
        let planned = planned.ok_or_else(|| call("making a security group", "none is planned"))?;
        let name = &planned.name;
        self.diary.write(GROUP, name, JournalStep::Intend).await?;
        let id = match self.api.group(vpc, name).await? {
            Some(group) => group.id,
            None => match self.api.create_group(vpc, name, &Labels::new(&self.tags, name)).await {
                Ok(id) => {
                    self.made().group = Some(id.clone());
                    id
                }
                // Somebody else was faster, or our own first attempt was, whose answer was lost.
                Err(failure) if failure.is("InvalidGroup.Duplicate") => {
                    self.api.group(vpc, name).await?.ok_or(failure)?.id
                }
                Err(failure) => {
                    if failure.may_have_happened() {
                        self.made().group = self.api.group(vpc, name).await?.map(|group| group.id);
                    }
                    return Err(failure.into());
                }
            },
        };
        self.diary.write(GROUP, name, JournalStep::Created { id: id.clone() }).await?;
        for _ in 0..LOOKS {
            if self.api.close(vpc, name).await? {
                return Ok(id);
            }
            tokio::time::sleep(self.pace.look_every).await;
        }
        Err(call(
            format!("setting the rules of security group {name}"),
            "EC2 does not show the group that it has made; try again",
        ))
    }

    /// Starts a machine in the first zone that has room for it.
    async fn start(
        &self,
        machine: &PlannedMachine,
        launch: &Launch,
        zones: &[Zone],
    ) -> Result<Machine, ProviderError> {
        let mut full = Vec::new();
        let mut last = None;
        for zone in zones {
            match self.start_in(zone, machine, launch).await? {
                Ok(id) => return Ok(self.machine(machine, &id)),
                Err(failure) => {
                    tracing::info!(machine = machine.name, zone = zone.name, %failure, "no room");
                    full.push(zone.name.as_str());
                    last = Some(failure);
                }
            }
        }
        let said = last.map(|failure| failure.to_string()).unwrap_or_default();
        Err(ProviderError::Capacity {
            provider: provider_name(),
            what: format!("{} in {}", launch.instance_type, full.join(", ")),
            detail: format!(
                "{said}; try later, set regions.aws to another region, or take another type"
            ),
        })
    }

    /// Starts a machine in a zone and gives its id, or says that the zone has no room.
    async fn start_in(
        &self,
        zone: &Zone,
        machine: &PlannedMachine,
        launch: &Launch,
    ) -> Result<Result<String, Failure>, ProviderError> {
        let prefix = token_prefix(&machine.name, &zone.name);
        let labels = Labels::of_machine(&self.tags, &machine.name);
        let mut tokens = self.unanswered(&prefix);
        loop {
            let token = tokens.pop();
            let reused = token.is_some();
            let token = token.unwrap_or_else(|| new_token(&prefix));
            self.diary.write(INSTANCE, &token, JournalStep::Intend).await?;
            let instance = match self.launch(launch, zone, &token, &labels).await {
                Ok(instance) => instance,
                Err(failure) if failure.is_lack_of_capacity() => {
                    self.diary.write(INSTANCE, &token, JournalStep::Removed).await?;
                    return Ok(Err(failure));
                }
                Err(failure) => {
                    self.made().maybe_more |= failure.may_have_happened();
                    return Err(failure.into());
                }
            };
            if reused && instance.is_ending() {
                // The start of back then has made one, but it was removed since.
                self.diary.write(INSTANCE, &token, JournalStep::Removed).await?;
                continue;
            }
            self.made().instances.push((token.clone(), instance.id.clone()));
            let step = JournalStep::Created { id: instance.id.clone() };
            self.diary.write(INSTANCE, &token, step).await?;
            return Ok(Ok(instance.id));
        }
    }

    /// Starts a machine, or finds the one that was started with this token but, as time has
    /// passed, with another time in its tags.
    async fn launch(
        &self,
        launch: &Launch,
        zone: &Zone,
        token: &str,
        labels: &Labels,
    ) -> Result<Instance, Failure> {
        match self.api.launch(launch, zone, token, labels).await {
            Err(failure) if failure.is("IdempotentParameterMismatch") => {
                for _ in 0..LOOKS {
                    if let Some(instance) = self.api.started_with(&self.plan.run_id, token).await? {
                        return Ok(instance);
                    }
                    tokio::time::sleep(self.pace.look_every).await;
                }
                Err(failure)
            }
            answer => answer,
        }
    }

    /// Tokens of starts of which the journal knows no end.
    fn unanswered(&self, prefix: &str) -> Vec<String> {
        let mut open: Vec<String> = Vec::new();
        for entry in self.past.iter().filter(|entry| entry.token.starts_with(prefix)) {
            open.retain(|token| *token != entry.token);
            if entry.step == JournalStep::Intend {
                open.push(entry.token.clone());
            }
        }
        open
    }

    /// Takes back what this call has made.
    async fn take_back(&self, cause: ProviderError) -> ProviderError {
        let Made { group, instances, maybe_more } = std::mem::take(&mut *self.made());
        let mut ids: Vec<String> = instances.iter().map(|(_, id)| id.clone()).collect();
        if maybe_more {
            match self.unknown(&ids).await {
                Ok(more) => ids.extend(more),
                Err(error) => return also(&cause, &error),
            }
        }
        if let Err(error) = take_back(self.api, &ids, group.as_deref(), self.pace).await {
            return also(&cause, &error);
        }
        let mut removed: Vec<(&str, &str)> =
            instances.iter().map(|(token, _)| (INSTANCE, token.as_str())).collect();
        let name = self.plan.resources.iter().find(|resource| resource.kind == GROUP);
        removed.extend(name.filter(|_| group.is_some()).map(|found| (GROUP, found.name.as_str())));
        for (kind, token) in removed {
            self.diary.removed(kind, token).await;
        }
        cause
    }

    /// Instances of planned machines that were not there before, and that no answer has named.
    async fn unknown(&self, known: &[String]) -> Result<Vec<String>, Failure> {
        let scope = Scope::run(self.plan.run_id.clone());
        for _ in 0..LOOKS {
            let found = self.api.instances(&scope).await?;
            let planned = |name: &String| self.plan.machines.iter().any(|m| m.name == *name);
            let new: Vec<String> = found
                .into_iter()
                .filter(|instance| instance.machine.as_ref().is_some_and(planned))
                .map(|instance| instance.id)
                .filter(|id| !known.contains(id))
                .filter(|id| !self.before.iter().any(|before| before.id == *id))
                .collect();
            if !new.is_empty() {
                return Ok(new);
            }
            tokio::time::sleep(self.pace.look_every).await;
        }
        Ok(Vec::new())
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The zones that can take a machine: they offer its type, and have a default subnet.
pub(super) fn zones(offered: &[String], subnets: &BTreeMap<String, String>) -> Vec<Zone> {
    let zone =
        |name: &String| Some(Zone { name: name.clone(), subnet: subnets.get(name)?.clone() });
    offered.iter().filter_map(zone).collect()
}

/// A token that no other start has. Starts of one machine in one zone follow one another.
fn new_token(prefix: &str) -> String {
    format!("{prefix}-{:x}", Timestamp::now().as_nanosecond())
}

fn not_offered(instance_type: &str, region: &str) -> ProviderError {
    call(
        format!("finding a zone for {instance_type}"),
        format!(
            "{region} does not offer it; set regions.aws to another region, or take another type"
        ),
    )
}

fn no_subnet(instance_type: &str, offered: &[String]) -> ProviderError {
    let zone = offered.first().map_or("", String::as_str);
    call(
        format!("finding a zone for {instance_type}"),
        format!(
            "{} offer it, and none of them has a default subnet; make one: \
             aws ec2 create-default-subnet --availability-zone {zone}",
            offered.join(", ")
        ),
    )
}

fn also(cause: &ProviderError, error: &impl std::fmt::Display) -> ProviderError {
    call("starting machines", format!("{cause}; and taking back what was made failed: {error}"))
}

fn call(action: impl Into<String>, detail: impl Into<String>) -> ProviderError {
    ProviderError::Call { provider: provider_name(), action: action.into(), detail: detail.into() }
}
