//! The [`Provider`] trait for Heroku.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use railsbench_core::id::{MachineId, ProviderName};
use railsbench_core::provider::{
    Deployment, Expectations, InstanceFacts, Journal, MachineState, MachineStatus, Plan, PlanError,
    Preflight, Price, Provider, ProviderError, ProvisionRequest, RenderError, Resource, Scope,
    Setup, Shape, ShapeError, Teardown, UserData, UserDataVars,
};

use super::api::Api;
use super::catalog::CATALOG;
use super::inventory::Inventory;
use super::make::Maker;
use super::naming::{DynoKey, provider_name};
use super::patience::Patience;
use super::settings::Settings;
use super::turns::Turns;
use super::user_data::API_KEY;
use super::watch::Watch;
use super::{checks, naming, plan, setup, user_data};
use crate::diary::Diary;
use crate::rest::RetryPolicy;

/// How long and how often to look until what was deleted is no longer listed.
const PATIENCE: Patience =
    Patience { longest: Duration::from_mins(1), every: Duration::from_secs(2) };

/// For how long a look at the dynos of an app is as good as another.
const LOOK_GOOD_FOR: Duration = Duration::from_secs(15);

/// Heroku as a provider. Cheap to make: nothing is read or connected before it is needed.
pub struct HerokuProvider {
    name: ProviderName,
    settings: Settings,
    retry: RetryPolicy,
    patience: Patience,
    api: OnceLock<Api>,
    watch: Watch,
    turns: Turns,
}

impl HerokuProvider {
    /// A provider with these settings.
    pub fn new(settings: Settings) -> Self {
        Self {
            name: provider_name(),
            settings,
            retry: RetryPolicy::default(),
            patience: PATIENCE,
            api: OnceLock::new(),
            watch: Watch::new(LOOK_GOOD_FOR),
            turns: Turns::default(),
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

    /// Sets how long to wait until what was deleted is no longer listed, and how long to wait
    /// between two looks at anything.
    #[must_use]
    pub fn with_patience(mut self, longest: Duration, every: Duration) -> Self {
        self.patience = Patience { longest, every };
        self
    }

    /// Sets for how long an answer about the dynos of an app is as good as another.
    #[must_use]
    pub fn with_looks_good_for(mut self, good_for: Duration) -> Self {
        self.watch = Watch::new(good_for);
        self
    }

    fn api(&self) -> Result<&Api, ProviderError> {
        if let Some(api) = self.api.get() {
            return Ok(api);
        }
        let api = Api::new(&self.settings, self.retry)?;
        Ok(self.api.get_or_init(|| api))
    }

    fn inventory(&self) -> Result<Inventory<'_>, ProviderError> {
        Ok(Inventory { api: self.api()?, team: self.settings.team.as_deref() })
    }

    /// Scales to zero what has ended by itself: Heroku would start it again, and charges for it
    /// until then. That this fails is no reason not to tell how the machines are.
    async fn retire(&self, api: &Api, app: &str, process_types: HashSet<String>) {
        for process_type in process_types {
            self.watch.forget(app);
            match api.scale(app, &process_type, 0).await {
                Ok(()) => tracing::info!(app, process_type, "all of its dynos ended: scaled to 0"),
                Err(error) => tracing::warn!(%error, app, process_type, "not scaled to 0"),
            }
        }
    }
}

#[async_trait]
impl Provider for HerokuProvider {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn shape(&self, instance_type: &str) -> Result<Shape, ShapeError> {
        naming::shape(instance_type)
    }

    fn instance_types(&self) -> Vec<(String, Shape, Option<Price>)> {
        CATALOG.instance_types()
    }

    fn look_up(&self, instance_type: &str) -> Result<InstanceFacts, ShapeError> {
        let shape = self.shape(instance_type)?;
        Ok(CATALOG.facts(instance_type, shape))
    }

    async fn setup(&self) -> Setup {
        setup::setup(&self.settings).await
    }

    fn render_user_data(&self, vars: &UserDataVars) -> Result<UserData, RenderError> {
        user_data::render(vars)
    }

    fn plan(&self, request: &ProvisionRequest) -> Result<Plan, PlanError> {
        plan::plan(request, &self.settings)
    }

    async fn preflight(&self, plan: &Plan) -> Result<Preflight, ProviderError> {
        checks::run(self.api()?, &self.settings, plan).await
    }

    async fn provision(
        &self,
        plan: &Plan,
        journal: Arc<dyn Journal>,
    ) -> Result<Deployment, ProviderError> {
        let region = plan.machines.first().and_then(|machine| machine.region.clone());
        let diary = Diary::new(journal, self.name.clone(), plan.run_id.clone()).within(region);
        let mut maker = Maker {
            api: self.api()?,
            settings: &self.settings,
            plan,
            diary,
            patience: self.patience,
            made: Vec::new(),
        };
        let apps = maker.apps()?;
        let _turns = self.turns.take(&apps).await;
        for app in &apps {
            self.watch.forget(app);
        }
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
        let api = self.api()?;
        let mut apps: BTreeMap<String, Vec<DynoKey>> = BTreeMap::new();
        for machine in &deployment.machines {
            if let Ok(key) = machine.id.as_str().parse::<DynoKey>() {
                apps.entry(key.app.clone()).or_default().push(key);
            }
        }
        let mut states: HashMap<String, MachineState> = HashMap::new();
        for (app, keys) in apps {
            let Some(seen) = self.watch.look(api, &app).await? else { continue };
            states.extend(keys.iter().map(|key| (key.to_string(), seen.state(key))));
            self.retire(api, &app, seen.ended()).await;
        }
        // What is not ours, or of an app that is not there, is not there either.
        let state = |id: &MachineId| states.get(id.as_str()).cloned().unwrap_or(MachineState::Gone);
        Ok(deployment
            .machines
            .iter()
            .map(|machine| MachineStatus { id: machine.id.clone(), state: state(&machine.id) })
            .collect())
    }

    async fn regions(&self) -> Result<Vec<String>, ProviderError> {
        let regions = self.api()?.regions().await?;
        Ok(regions.into_iter().map(|region| region.name).collect())
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Resource>, ProviderError> {
        self.inventory()?.list(scope).await
    }

    async fn teardown(&self, scope: &Scope) -> Result<Teardown, ProviderError> {
        let inventory = self.inventory()?;
        let removed = inventory.list(scope).await?;
        let mut failure = None;
        let mut refused = HashSet::new();
        for app in &removed {
            self.watch.forget(&app.id);
            if let Err(error) = inventory.api.delete_app(&app.id).await {
                refused.insert(&app.id);
                failure = failure.or(Some(error));
            }
        }
        let waiting = self.patience.begin();
        loop {
            let left = inventory.list(scope).await?;
            if left.is_empty() {
                return Ok(Teardown { removed });
            }
            // What may not be deleted does not go with time.
            let hopeless = left.iter().all(|app| refused.contains(&app.id));
            if hopeless || !waiting.next_look().await {
                return Err(failure.map_or_else(
                    || ProviderError::LeftBehind { provider: self.name.clone(), resources: left },
                    ProviderError::from,
                ));
            }
        }
    }

    async fn console_log(&self, machine: &MachineId) -> Result<Option<String>, ProviderError> {
        let Ok(key) = machine.as_str().parse::<DynoKey>() else { return Ok(None) };
        let api = self.api()?;
        let Some(vars) = api.config_vars(&key.app).await? else { return Ok(None) };
        let log = api.log(&key).await?;
        // The dyno prints its token nowhere; this is for a program on it that does.
        let token = vars.get(API_KEY).map(secrecy::ExposeSecret::expose_secret);
        Ok(log.map(|log| match token {
            Some(token) if !token.is_empty() => log.replace(token, "********"),
            _ => log,
        }))
    }

    fn expectations(&self) -> Expectations {
        plan::EXPECTATIONS
    }
}
