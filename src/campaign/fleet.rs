//! The machines of a campaign: started, looked after, replaced, removed.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::join_all;
use jiff::Timestamp;
use railsbench_core::config::MachineRequest;
use railsbench_core::id::{MachineId, ProviderName};
use railsbench_core::lifecycle::Replay;
use railsbench_core::money::Usd;
use railsbench_core::provider::{
    Deployment, Journal, MachineState, Plan, Provider, ProviderError, Scope,
};
use railsbench_providers::Registry;

use super::journey::Events;
use super::limit::Commitment;
use super::plan::{Home, Wanted, provider_of};
use super::{Campaign, CampaignError, CampaignEvent};
use crate::cost::{Ledger, LedgerEntry, LedgerStep, Terms};

/// Machines of one instance type.
struct Group {
    machine: MachineRequest,
    provider: Arc<dyn Provider>,
    deployments: Vec<Deployment>,
    ended: HashSet<MachineId>,
    /// How many machines have been asked for, so that names never clash.
    started: u32,
    replacements: u32,
    given_up: bool,
    /// What its machines can cost, by provision.
    commitments: Vec<Commitment>,
}

pub(super) struct Fleet<'a> {
    campaign: &'a Campaign,
    registry: Registry,
    journal: Arc<dyn Journal>,
    ledger: Ledger,
    events: &'a Events,
    home: Home,
    groups: Vec<Group>,
}

impl<'a> Fleet<'a> {
    pub(super) fn new(
        campaign: &'a Campaign,
        journal: Arc<dyn Journal>,
        ledger: Ledger,
        events: &'a Events,
        home: Home,
    ) -> Result<Self, CampaignError> {
        let registry = campaign.registry();
        let groups = campaign
            .config
            .machines
            .iter()
            .map(|machine| {
                Ok(Group {
                    machine: machine.clone(),
                    provider: provider_of(&registry, machine)?,
                    deployments: Vec::new(),
                    ended: HashSet::new(),
                    started: 0,
                    replacements: 0,
                    given_up: false,
                    commitments: Vec::new(),
                })
            })
            .collect::<Result<_, CampaignError>>()?;
        Ok(Self { campaign, registry, journal, ledger, events, home, groups })
    }

    /// Starts the machines of every instance type that has work left. A type whose machines
    /// cannot be started is given up; the others go on.
    ///
    /// # Errors
    /// [`CampaignError::NothingStarted`] if there is work and no machine for any of it.
    pub(super) async fn provision(&mut self, replay: &Replay) -> Result<(), CampaignError> {
        let campaign = self.campaign;
        let wanted: Vec<usize> = (0..self.groups.len())
            .filter(|index| unfinished(&self.groups[*index].machine, replay) > 0)
            .collect();
        let count = campaign.config.instances_per_type;
        let mut plans = Vec::new();
        for index in &wanted {
            let plan = self.plan(*index, count);
            if let Ok(plan) = &plan {
                self.groups[*index].commitments.push(Commitment::new(plan.cost.clone()));
            }
            plans.push((*index, plan));
        }
        let starts = plans.into_iter().map(|(index, plan)| self.start(index, plan));
        let made = join_all(starts).await;
        let mut problems = Vec::new();
        for (index, made) in wanted.iter().zip(made) {
            if let Err(error) = self.keep(*index, count, made) {
                problems.push(error.to_string());
            }
        }
        for problem in &problems {
            self.events.warn(problem.clone());
        }
        if !problems.is_empty() && problems.len() == wanted.len() {
            return Err(CampaignError::NothingStarted(problems.join("; ")));
        }
        Ok(())
    }

    fn plan(&self, index: usize, count: u32) -> Result<Plan, CampaignError> {
        let group = &self.groups[index];
        let wanted =
            Wanted { machine: &group.machine, count, first: group.started + 1, home: &self.home };
        self.campaign.plan_machines(&self.registry, &wanted)
    }

    async fn start(
        &self,
        index: usize,
        plan: Result<Plan, CampaignError>,
    ) -> Result<Deployment, CampaignError> {
        let plan = plan?;
        let provider = &self.groups[index].provider;
        self.note_started(&plan, provider.as_ref());
        let made = provider.provision(&plan, self.journal.clone()).await;
        if made.is_err() {
            // What was made is removed again.
            let names: Vec<String> =
                plan.machines.into_iter().map(|machine| machine.name).collect();
            self.note_ended(provider.name(), Some(&names));
        }
        Ok(made?)
    }

    /// Remembers what machines cost, from now on. It is no reason to stop if that fails.
    fn note_started(&self, plan: &Plan, provider: &dyn Provider) {
        let at = Timestamp::now();
        let terms = Terms::of(plan, &provider.expectations());
        let entries = plan.machines.iter().map(|machine| LedgerEntry {
            at,
            run_id: plan.run_id.clone(),
            provider: plan.provider.clone(),
            machine: machine.name.clone(),
            step: LedgerStep::Started {
                instance_type: machine.instance_type.clone(),
                region: machine.region.clone(),
                terms: terms.clone(),
            },
        });
        if let Err(error) = self.ledger.record(&entries.collect::<Vec<_>>()) {
            self.events.warn(error.to_string());
        }
    }

    /// Remembers that machines cost nothing more: these, or all of the run at this provider.
    fn note_ended(&self, provider: &ProviderName, machines: Option<&[String]>) {
        let run_id = &self.campaign.run_id;
        if let Err(error) = self.ledger.close(run_id, provider, machines, Timestamp::now()) {
            self.events.warn(error.to_string());
        }
    }

    fn keep(
        &mut self,
        index: usize,
        count: u32,
        made: Result<Deployment, CampaignError>,
    ) -> Result<(), CampaignError> {
        let group = &mut self.groups[index];
        group.started += count;
        match made {
            Ok(deployment) => {
                self.events.send(CampaignEvent::Provisioned { deployment: deployment.clone() });
                group.deployments.push(deployment);
                Ok(())
            }
            Err(error) => {
                group.given_up = true;
                Err(error)
            }
        }
    }

    /// Looks how the machines are, and starts another where work is left and none is alive.
    /// Gives whether there is still hope: a type that has work and has not been given up.
    pub(super) async fn look_after(&mut self, replay: &Replay) -> bool {
        let mut hope = false;
        for index in 0..self.groups.len() {
            let left = unfinished(&self.groups[index].machine, replay);
            if self.groups[index].given_up {
                continue;
            }
            let ended_before = self.groups[index].ended.len();
            let alive = self.alive(index, left > 0).await;
            if left == 0 {
                continue;
            }
            // A machine that has just ended may have done its last tasks since `replay` was read:
            // the next look knows.
            if self.groups[index].ended.len() > ended_before {
                hope = true;
                continue;
            }
            if alive == 0 && !self.replace(index).await {
                self.groups[index].given_up = true;
                self.events.warn(format!(
                    "{} on {} is given up: {left} tasks are left and its machines keep ending",
                    self.groups[index].machine.instance_type, self.groups[index].machine.provider
                ));
                continue;
            }
            hope = true;
        }
        hope
    }

    /// How many machines of a group are alive or may be; tells of those that have ended.
    async fn alive(&mut self, index: usize, work_left: bool) -> usize {
        let group = &mut self.groups[index];
        let mut alive = 0;
        let mut ended = Vec::new();
        for deployment in &group.deployments {
            let statuses = match group.provider.status(deployment).await {
                Ok(statuses) => statuses,
                Err(error) => {
                    // Not knowing is no reason to start another.
                    tracing::warn!(%error, provider = %group.machine.provider, "no machine status");
                    alive += deployment.machines.len();
                    continue;
                }
            };
            for status in statuses {
                let reason = match status.state {
                    MachineState::Starting | MachineState::Running => {
                        alive += 1;
                        continue;
                    }
                    MachineState::Stopped { reason } => reason,
                    MachineState::Gone => "it is gone".to_owned(),
                };
                if !group.ended.insert(status.id.clone()) {
                    continue;
                }
                let console = if work_left {
                    group.provider.console_log(&status.id).await.ok().flatten()
                } else {
                    None
                };
                let planned = deployment.machines.iter().find(|machine| machine.id == status.id);
                ended.extend(planned.map(|machine| machine.name.clone()));
                self.events.send(CampaignEvent::MachineEnded {
                    provider: group.machine.provider.clone(),
                    machine: status.id,
                    reason,
                    console,
                });
            }
        }
        let provider = group.provider.clone();
        if !ended.is_empty() && !provider.expectations().charged_when_ended {
            self.note_ended(provider.name(), Some(&ended));
        }
        alive
    }

    async fn replace(&mut self, index: usize) -> bool {
        let budget = self.campaign.config.max_attempts.saturating_sub(1);
        if self.groups[index].replacements >= budget {
            return false;
        }
        let plan = self.plan(index, 1);
        let expectations = self.groups[index].provider.expectations();
        for commitment in &mut self.groups[index].commitments {
            commitment.end(&expectations);
        }
        if let Ok(plan) = &plan {
            let commitment = Commitment::new(plan.cost.clone());
            if let Some(max) = self.campaign.config.max_cost {
                let so_far = self.groups.iter().flat_map(|group| &group.commitments);
                let with_it: Usd = so_far.chain([&commitment]).map(Commitment::at_most).sum();
                if with_it > max {
                    self.events.warn(format!(
                        "no other {} is started on {}: with it the run could cost {with_it}, more \
                         than the {max} allowed",
                        plan.vars.instance_type, plan.provider
                    ));
                    return false;
                }
            }
            self.groups[index].commitments.push(commitment);
        }
        self.groups[index].replacements += 1;
        let made = self.start(index, plan).await;
        match self.keep(index, 1, made) {
            Ok(()) => true,
            Err(error) => {
                self.events.warn(error.to_string());
                false
            }
        }
    }

    /// Removes everything of this run at every provider of the campaign, and proves it.
    ///
    /// # Errors
    /// The first [`ProviderError`], after every provider has been tried.
    pub(super) async fn tear_down(&self) -> Result<(), ProviderError> {
        let mut seen = HashSet::new();
        let providers = self.groups.iter().map(|group| &group.provider);
        let providers = providers.filter(|provider| seen.insert(provider.name().clone()));
        let removals = providers.map(|provider| async move {
            let name = provider.name();
            let regions = self.campaign.config.regions.get(name).cloned();
            let scope = Scope::run(self.campaign.run_id.clone());
            let scope = scope.in_regions(regions.into_iter().collect());
            let done = provider.teardown(&scope).await?;
            self.note_ended(name, None);
            let (provider, resources) = (name.clone(), done.removed);
            self.events.send(CampaignEvent::Removed { provider, resources });
            Ok(())
        });
        join_all(removals).await.into_iter().fold(Ok(()), Result::and)
    }
}

/// How many tasks of an instance type have not ended.
fn unfinished(machine: &MachineRequest, replay: &Replay) -> usize {
    replay
        .tasks
        .values()
        .filter(|task| {
            task.provider == machine.provider
                && task.instance_type == machine.instance_type
                && !task.status.is_ended()
        })
        .count()
}
