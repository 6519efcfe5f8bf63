//! The [`Provider`] trait for Google Compute Engine.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use railsbench_core::id::{MachineId, ProviderName};
use railsbench_core::provider::{
    Deployment, Expectations, InstanceFacts, Journal, MachineState, MachineStatus, Plan, PlanError,
    Preflight, Price, Provider, ProviderError, ProvisionRequest, RenderError, Resource, Scope,
    Setup, Shape, ShapeError, Teardown, UserData, UserDataVars,
};

use super::api::{Compute, Patience, Place};
use super::catalog::catalog;
use super::credentials::DefaultCredentials;
use super::errors::{GcpDialect, call};
use super::naming::provider_name;
use super::plan::EXPECTATIONS;
use super::provision::Provision;
use super::settings::Settings;
use super::setup::Surroundings;
use super::{checks, inventory, naming, plan, setup, user_data};
use crate::rest::{RestClient, RetryPolicy, TokenSource};

/// How long Google may take for an instance or a deletion, and how often that is looked at.
const PATIENCE: Patience = Patience {
    longest: Duration::from_mins(10),
    first: Duration::from_millis(500),
    between: Duration::from_secs(5),
};

/// Google Compute Engine as a provider. Cheap to make: nothing is read or connected before it is
/// needed.
pub struct GcpProvider {
    name: ProviderName,
    settings: Settings,
    retry: RetryPolicy,
    patience: Patience,
    tokens: Option<Arc<dyn TokenSource>>,
    compute: OnceLock<Compute>,
}

impl GcpProvider {
    /// A provider with these settings.
    pub fn new(settings: Settings) -> Self {
        Self {
            name: provider_name(),
            settings,
            retry: RetryPolicy::default(),
            patience: PATIENCE,
            tokens: None,
            compute: OnceLock::new(),
        }
    }

    /// A provider with the settings of this process's environment.
    pub fn from_environment() -> Self {
        Self::new(Settings::from_variables(|name| std::env::var(name).ok()))
    }

    /// Asks this source for tokens; the Application Default Credentials if never called.
    #[must_use]
    pub fn with_tokens(mut self, tokens: Arc<dyn TokenSource>) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Sets how often and how long calls are tried.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Sets how long to wait at most until something is made, deleted or no longer listed, and
    /// how long to wait between two looks.
    #[must_use]
    pub fn with_patience(mut self, longest: Duration, between: Duration) -> Self {
        self.patience = Patience { longest, first: between.min(self.patience.first), between };
        self
    }

    fn compute(&self) -> Result<&Compute, ProviderError> {
        if let Some(compute) = self.compute.get() {
            return Ok(compute);
        }
        let endpoint = self.settings.endpoint.parse().map_err(|error| {
            call(
                &format!("using {:?} as its interface", self.settings.endpoint),
                &format!("{error}"),
            )
        })?;
        let tokens = self.tokens.clone();
        let tokens = tokens.unwrap_or_else(|| Arc::new(DefaultCredentials::default()));
        let client = RestClient::new(provider_name(), &endpoint, Arc::new(GcpDialect))?
            .with_tokens(tokens)
            .with_retry(self.retry);
        let project = self.settings.project()?;
        Ok(self.compute.get_or_init(|| Compute { client, project, patience: self.patience }))
    }
}

#[async_trait]
impl Provider for GcpProvider {
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
        setup::setup(&self.settings, self.tokens.is_some(), Surroundings::real())
    }

    fn render_user_data(&self, vars: &UserDataVars) -> Result<UserData, RenderError> {
        user_data::render(vars)
    }

    fn plan(&self, request: &ProvisionRequest) -> Result<Plan, PlanError> {
        plan::plan(request)
    }

    async fn preflight(&self, plan: &Plan) -> Result<Preflight, ProviderError> {
        match self.compute() {
            Ok(compute) => checks::run(compute, plan, &self.settings.network).await,
            Err(error) => checks::unusable(error),
        }
    }

    async fn provision(
        &self,
        plan: &Plan,
        journal: Arc<dyn Journal>,
    ) -> Result<Deployment, ProviderError> {
        Provision::new(self.compute()?, plan, journal, &self.settings.network).run().await
    }

    async fn status(&self, deployment: &Deployment) -> Result<Vec<MachineStatus>, ProviderError> {
        let compute = self.compute()?;
        let looks = deployment.machines.iter().map(async |machine| {
            let state = match Place::parse(machine.id.as_str()) {
                Some(place) => state(compute, &place).await?,
                // Not an id of ours: no such machine can exist here.
                None => MachineState::Gone,
            };
            Ok(MachineStatus { id: machine.id.clone(), state })
        });
        join_all(looks).await.into_iter().collect()
    }

    async fn regions(&self) -> Result<Vec<String>, ProviderError> {
        self.compute()?.regions().await
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Resource>, ProviderError> {
        inventory::list(self.compute()?, scope).await
    }

    async fn teardown(&self, scope: &Scope) -> Result<Teardown, ProviderError> {
        inventory::teardown(self.compute()?, scope).await
    }

    async fn console_log(&self, machine: &MachineId) -> Result<Option<String>, ProviderError> {
        match Place::parse(machine.as_str()) {
            Some(place) => self.compute()?.serial_port(&place).await,
            None => Ok(None),
        }
    }

    fn expectations(&self) -> Expectations {
        EXPECTATIONS
    }
}

async fn state(compute: &Compute, place: &Place) -> Result<MachineState, ProviderError> {
    Ok(match compute.instance(place).await? {
        None => MachineState::Gone,
        Some(found) if found.status == "RUNNING" => MachineState::Running,
        Some(found) if found.is_alive() => MachineState::Starting,
        Some(found) => MachineState::Stopped {
            reason: format!("Google says {}; the console log says why", found.status),
        },
    })
}
