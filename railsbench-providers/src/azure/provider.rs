//! The [`Provider`] trait for Azure.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use railsbench_core::id::{MachineId, ProviderName};
use railsbench_core::provider::{
    Deployment, Expectations, InstanceFacts, Journal, MachineState, MachineStatus, Plan, PlanError,
    Preflight, Price, Provider, ProviderError, ProvisionRequest, RenderError, Resource, Scope,
    Setup, Shape, ShapeError, Teardown, UserData, UserDataVars,
};
use reqwest::Method;

use super::api::{Arm, Pace};
use super::catalog::catalog;
use super::machine::{is_machine, state};
use super::naming::provider_name;
use super::plan::EXPECTATIONS;
use super::removal::Tenants;
use super::settings::Settings;
use super::setup::Surroundings;
use super::{checks, console, inventory, naming, plan, provision, removal, setup, user_data};
use crate::rest::RetryPolicy;

/// Microsoft Azure. It asks for credentials when it makes its first call, not before.
pub struct AzureProvider {
    name: ProviderName,
    settings: Settings,
    retry: RetryPolicy,
    pace: Pace,
    arm: OnceLock<Arm>,
    tenants: Tenants,
}

impl AzureProvider {
    /// A provider with these settings.
    pub fn new(settings: Settings) -> Self {
        Self {
            name: provider_name(),
            settings,
            retry: RetryPolicy::default(),
            pace: Pace::default(),
            arm: OnceLock::new(),
            tenants: Tenants::default(),
        }
    }

    /// A provider with the settings of this process's environment.
    pub fn from_environment() -> Self {
        Self::new(Settings::from_variables(|name| std::env::var(name).ok()))
    }

    /// Sets how often and how long calls are tried.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Sets how long to wait until what was removed is no longer listed, and how long to wait
    /// between two looks at anything, where Azure does not ask for another time.
    #[must_use]
    pub fn with_patience(mut self, longest: Duration, every: Duration) -> Self {
        self.pace = Pace { patience: longest, every, ..self.pace };
        self
    }

    fn arm(&self) -> Result<&Arm, ProviderError> {
        if let Some(arm) = self.arm.get() {
            return Ok(arm);
        }
        let arm = Arm::new(&self.settings, self.retry, self.pace)?;
        Ok(self.arm.get_or_init(|| arm))
    }
}

impl std::fmt::Debug for AzureProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AzureProvider").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[async_trait]
impl Provider for AzureProvider {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn shape(&self, instance_type: &str) -> Result<Shape, ShapeError> {
        naming::shape(instance_type)
    }

    fn instance_types(&self) -> Vec<(String, Shape, Option<Price>)> {
        catalog().instance_types()
    }

    fn look_up(&self, instance_type: &str) -> Result<InstanceFacts, ShapeError> {
        let shape = self.shape(instance_type)?;
        Ok(catalog().facts(instance_type, shape))
    }

    async fn setup(&self) -> Setup {
        setup::setup(&self.settings, &Surroundings::real())
    }

    fn render_user_data(&self, vars: &UserDataVars) -> Result<UserData, RenderError> {
        user_data::render(vars)
    }

    fn plan(&self, request: &ProvisionRequest) -> Result<Plan, PlanError> {
        plan::plan(request)
    }

    async fn preflight(&self, plan: &Plan) -> Result<Preflight, ProviderError> {
        let arm = self.arm()?;
        checks::run(arm, plan, arm.is_emulated()).await
    }

    async fn provision(
        &self,
        plan: &Plan,
        journal: Arc<dyn Journal>,
    ) -> Result<Deployment, ProviderError> {
        provision::run(self.arm()?, &self.tenants, plan, journal).await
    }

    async fn status(&self, deployment: &Deployment) -> Result<Vec<MachineStatus>, ProviderError> {
        let arm = self.arm()?;
        let action = "looking at a machine";
        let mut looks = Vec::new();
        for machine in &deployment.machines {
            let id = machine.id.clone();
            looks.push(async move {
                if !is_machine(&id) {
                    return Ok(MachineStatus { id, state: MachineState::Gone });
                }
                let call = arm.call(Method::GET, action, id.as_str());
                let found = arm.find(action, call.query("$expand", "instanceView")).await?;
                Ok(MachineStatus { id, state: found.as_ref().map_or(MachineState::Gone, state) })
            });
        }
        futures::future::try_join_all(looks).await
    }

    async fn regions(&self) -> Result<Vec<String>, ProviderError> {
        checks::regions(self.arm()?).await
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Resource>, ProviderError> {
        inventory::list(self.arm()?, scope).await
    }

    async fn teardown(&self, scope: &Scope) -> Result<Teardown, ProviderError> {
        removal::teardown(self.arm()?, scope).await
    }

    async fn console_log(&self, machine: &MachineId) -> Result<Option<String>, ProviderError> {
        if !is_machine(machine) {
            return Ok(None);
        }
        console::log(self.arm()?, machine.as_str()).await
    }

    fn expectations(&self) -> Expectations {
        EXPECTATIONS
    }
}
