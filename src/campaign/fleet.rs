//! The machines of a campaign: started, looked after, replaced, removed.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::join_all;
use railsbench_core::config::MachineRequest;
use railsbench_core::id::MachineId;
use railsbench_core::lifecycle::Replay;
use railsbench_core::provider::{
    Deployment, Journal, MachineState, Provider, ProviderError, Scope,
};
use railsbench_providers::Registry;
use secrecy::SecretString;

use super::journey::Events;
use super::plan::{Wanted, provider_of};
use super::{Campaign, CampaignError, CampaignEvent};

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
}

pub(super) struct Fleet<'a> {
    campaign: &'a Campaign,
    registry: Registry,
    journal: Arc<dyn Journal>,
    events: &'a Events,
    orchestrator_url: String,
    run_token: SecretString,
    groups: Vec<Group>,
}

impl<'a> Fleet<'a> {
    pub(super) fn new(
        campaign: &'a Campaign,
        journal: Arc<dyn Journal>,
        events: &'a Events,
        orchestrator_url: String,
        run_token: SecretString,
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
                })
            })
            .collect::<Result<_, CampaignError>>()?;
        Ok(Self { campaign, registry, journal, events, orchestrator_url, run_token, groups })
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
        let made = join_all(wanted.iter().map(|index| self.start(*index, count))).await;
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

    async fn start(&self, index: usize, count: u32) -> Result<Deployment, CampaignError> {
        let group = &self.groups[index];
        let wanted = Wanted {
            machine: &group.machine,
            count,
            first: group.started + 1,
            orchestrator_url: &self.orchestrator_url,
            run_token: self.run_token.clone(),
        };
        let plan = self.campaign.plan_machines(&self.registry, wanted)?;
        Ok(group.provider.provision(&plan, self.journal.clone()).await?)
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
            let alive = self.alive(index, left > 0).await;
            if left == 0 {
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
                self.events.send(CampaignEvent::MachineEnded {
                    provider: group.machine.provider.clone(),
                    machine: status.id,
                    reason,
                    console,
                });
            }
        }
        alive
    }

    async fn replace(&mut self, index: usize) -> bool {
        let budget = self.campaign.config.max_attempts.saturating_sub(1);
        if self.groups[index].replacements >= budget {
            return false;
        }
        self.groups[index].replacements += 1;
        let made = self.start(index, 1).await;
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
        let scope = Scope::run(self.campaign.run_id.clone());
        let mut failure = None;
        let mut seen = HashSet::new();
        for group in &self.groups {
            if !seen.insert(group.machine.provider.clone()) {
                continue;
            }
            match group.provider.teardown(&scope).await {
                Ok(done) => self.events.send(CampaignEvent::Removed {
                    provider: group.machine.provider.clone(),
                    resources: done.removed,
                }),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(()), Err)
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
