//! The [`Provider`] trait for a Docker daemon.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use railsbench_core::id::{MachineId, ProviderName};
use railsbench_core::provider::{
    Deployment, Expectations, Journal, MachineState, MachineStatus, Plan, PlanError, Preflight,
    Price, Provider, ProviderError, ProvisionRequest, RenderError, Resource, Scope, Setting, Setup,
    Shape, ShapeError, Teardown, UserData, UserDataVars,
};

use super::api::Api;
use super::daemon::{Daemon, failed};
use super::naming::{provider_name, size};
use super::provision::Maker;
use super::{catalog, checks, plan, removal, user_data};
use crate::diary::Diary;

/// A Docker daemon as a provider. Cheap to make: nothing is connected before it is needed.
pub struct DockerProvider {
    name: ProviderName,
    daemon: Daemon,
    /// One provision at a time: they share the CPUs of the daemon, and the network of a run.
    turn: tokio::sync::Mutex<()>,
}

impl DockerProvider {
    /// The machines of a daemon.
    pub fn new(daemon: Daemon) -> Self {
        Self { name: provider_name(), daemon, turn: tokio::sync::Mutex::default() }
    }

    /// The machines of the daemon that `DOCKER_HOST` names, or else of this host's.
    pub fn from_environment() -> Self {
        Self::new(Daemon::from_environment())
    }
}

#[async_trait]
impl Provider for DockerProvider {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn shape(&self, instance_type: &str) -> Result<Shape, ShapeError> {
        let facts = self.daemon.facts();
        Ok(size(instance_type, &catalog::sizes(&facts))?.shape(facts.arch))
    }

    fn instance_types(&self) -> Vec<(String, Shape, Option<Price>)> {
        catalog::instance_types(&self.daemon.facts())
    }

    async fn setup(&self) -> Setup {
        const NAME: &str = "daemon";
        let daemon = if self.daemon.is_absent() {
            let problem = format!("there is no {}", self.daemon.host());
            let fix = "install Docker (on Debian: apt-get install docker.io), or set DOCKER_HOST";
            Setting::missing(NAME, problem, fix)
        } else {
            Setting::unasked(NAME, self.daemon.host())
        };
        Setup { settings: vec![daemon] }
    }

    fn render_user_data(&self, vars: &UserDataVars) -> Result<UserData, RenderError> {
        user_data::render(vars)
    }

    fn plan(&self, request: &ProvisionRequest) -> Result<Plan, PlanError> {
        plan::plan(request, &self.daemon.facts())
    }

    /// The address of the daemon's default bridge: containers of every network reach it, and
    /// what listens there is not open to other hosts.
    async fn host_address(&self) -> Result<IpAddr, ProviderError> {
        let action = "finding the address at which containers reach this host";
        if !self.daemon.is_here() {
            let detail = format!("{} is on another host", self.daemon.host());
            return Err(failed(action, detail));
        }
        let address = Api::of(&self.daemon).await?.bridge_address().await?;
        address.filter(|address| checks::is_of_this_host(*address)).ok_or_else(|| {
            let detail = "the daemon's network \"bridge\" has no address on this host; host \
                          railsbench-server where containers reach it, and name it with \
                          --orchestrator https://…";
            failed(action, detail)
        })
    }

    async fn preflight(&self, plan: &Plan) -> Result<Preflight, ProviderError> {
        checks::run(&self.daemon, plan).await
    }

    async fn provision(
        &self,
        plan: &Plan,
        journal: Arc<dyn Journal>,
    ) -> Result<Deployment, ProviderError> {
        let _turn = self.turn.lock().await;
        let api = Api::of(&self.daemon).await?;
        let diary = Diary::new(journal, self.name.clone(), plan.run_id.clone());
        let mut maker = Maker { api, daemon: &self.daemon, plan, diary, made: Vec::new() };
        match maker.make().await {
            Ok(machines) => Ok(Deployment {
                provider: self.name.clone(),
                run_id: plan.run_id.clone(),
                machines,
            }),
            Err(cause) => Err(maker.take_back(cause).await),
        }
    }

    async fn status(&self, deployment: &Deployment) -> Result<Vec<MachineStatus>, ProviderError> {
        let api = Api::of(&self.daemon).await?;
        let mut statuses = Vec::new();
        for machine in &deployment.machines {
            let found = api.container(machine.id.as_str()).await?;
            let state = found.map_or(MachineState::Gone, |container| container.state);
            statuses.push(MachineStatus { id: machine.id.clone(), state });
        }
        Ok(statuses)
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Resource>, ProviderError> {
        if self.daemon.is_absent() {
            return Ok(Vec::new());
        }
        removal::list(&Api::of(&self.daemon).await?, scope).await
    }

    async fn teardown(&self, scope: &Scope) -> Result<Teardown, ProviderError> {
        if self.daemon.is_absent() {
            return Ok(Teardown::default());
        }
        removal::tear_down(&Api::of(&self.daemon).await?, scope).await
    }

    async fn console_log(&self, machine: &MachineId) -> Result<Option<String>, ProviderError> {
        let api = Api::of(&self.daemon).await?;
        let Some(container) = api.container(machine.as_str()).await? else { return Ok(None) };
        let log = api.log(machine.as_str()).await?;
        // The runner prints its token nowhere; this is for a program beside it that does.
        Ok(log.map(|log| match container.variable("API_KEY") {
            Some(token) if !token.is_empty() => log.replace(token, "********"),
            _ => log,
        }))
    }

    fn expectations(&self) -> Expectations {
        plan::EXPECTATIONS
    }
}
