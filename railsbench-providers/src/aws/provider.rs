//! The [`Provider`] trait for Amazon EC2.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ec2::types::InstanceStateName;
use futures::future::try_join_all;
use railsbench_core::id::{MachineId, ProviderName};
use railsbench_core::provider::{
    Deployment, Expectations, InstanceFacts, Journal, MachineState, MachineStatus, Plan, PlanError,
    Preflight, Price, Provider, ProviderError, ProvisionRequest, RenderError, Resource, Scope,
    Setting, Setup, Shape, ShapeError, Teardown, UserData, UserDataVars,
};
use url::Url;

use super::api::{Access, Aws, Instance};
use super::catalog::catalog;
use super::naming::{self, DEFAULT_REGION, parse_machine_id, provider_name};
use super::removal::{self, Pace};
use super::setup::Sources;
use super::{plan, preflight, provision, setup, user_data};

/// How often a machine that EC2 does not know is looked for: what was just made shows late.
const LOOKS: usize = 3;

/// Amazon EC2.
///
/// Credentials are those of the usual chain of AWS (environment, profile, web identity,
/// container, instance); they are looked for at the first call. The machines it makes end when
/// their runner does, when their time is over, or by [`teardown`](Provider::teardown), also one
/// of another process.
#[derive(Debug)]
pub struct AwsProvider {
    name: ProviderName,
    default_region: String,
    access: Access,
    pace: Pace,
    aws: Aws,
}

impl AwsProvider {
    /// EC2 as the environment says: in the region that `AWS_REGION` or `AWS_DEFAULT_REGION`
    /// names where a plan names none, or else in us-east-1.
    pub fn new() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
        let pace = Pace::default();
        let access = Access { endpoint: None, credentials: None, first_backoff: pace.look_every };
        Self {
            name: provider_name(),
            default_region: region.unwrap_or_else(|| DEFAULT_REGION.to_owned()),
            aws: Aws::new(access.clone()),
            access,
            pace,
        }
    }

    /// Where machines are made and looked for if nobody says where.
    #[must_use]
    pub fn with_default_region(mut self, region: impl Into<String>) -> Self {
        self.default_region = region.into();
        self
    }

    /// Calls another service that speaks EC2's API, e.g. an emulator. `AWS_ENDPOINT_URL` does
    /// the same for the whole process.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: Url) -> Self {
        self.access.endpoint = Some(endpoint);
        self.aws = Aws::new(self.access.clone());
        self
    }

    /// Uses these credentials instead of those of the usual chain.
    #[must_use]
    pub fn with_credentials(mut self, credentials: SharedCredentialsProvider) -> Self {
        self.access.credentials = Some(credentials);
        self.aws = Aws::new(self.access.clone());
        self
    }

    /// Sets how long to pause between two looks at something that takes time, and before the
    /// first repetition of a call: 1 second if never called. And how long what is removed may
    /// take to be gone, until it counts as left behind: 15 minutes if never called.
    #[must_use]
    pub fn with_pace(mut self, look_every: Duration, patience: Duration) -> Self {
        self.pace = Pace { look_every, patience };
        self.access.first_backoff = look_every;
        self.aws = Aws::new(self.access.clone());
        self
    }

    fn regions(&self, scope: &Scope) -> Vec<String> {
        let mut regions = scope.regions.clone();
        if regions.is_empty() {
            regions.push(self.default_region.clone());
        }
        regions.sort();
        regions.dedup();
        regions
    }

    /// Those of the instances of one region that EC2 knows, after some patience for the others.
    async fn known(&self, region: &str, ids: &[&str]) -> Result<Vec<Instance>, ProviderError> {
        let api = self.aws.region(region).await;
        let mut known: Vec<Instance> = Vec::new();
        for look in 0..LOOKS {
            let missing: Vec<String> = ids
                .iter()
                .filter(|id| !known.iter().any(|instance| instance.id == **id))
                .map(ToString::to_string)
                .collect();
            if missing.is_empty() {
                break;
            }
            if look > 0 {
                tokio::time::sleep(self.pace.look_every).await;
            }
            known.extend(api.known(missing).await?);
        }
        Ok(known)
    }
}

impl Default for AwsProvider {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Provider for AwsProvider {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn shape(&self, instance_type: &str) -> Result<Shape, ShapeError> {
        naming::shape(instance_type)
    }

    fn instance_types(&self) -> Vec<(String, Shape, Option<Price>)> {
        let mut types = catalog().instance_types();
        types.retain(|(name, _, _)| !naming::runs_macos_only(name));
        types
    }

    fn look_up(&self, instance_type: &str) -> Result<InstanceFacts, ShapeError> {
        let shape = self.shape(instance_type)?;
        Ok(catalog().facts(instance_type, shape))
    }

    async fn setup(&self) -> Setup {
        let mut setup = setup::setup(&Sources::real(), &self.default_region).await;
        if self.access.credentials.is_some() {
            let given = Setting::found("credentials", "those that the program gave");
            setup.settings.retain(|setting| setting.name != given.name);
            setup.settings.insert(0, given);
        }
        setup
    }

    fn render_user_data(&self, vars: &UserDataVars) -> Result<UserData, RenderError> {
        user_data::render(vars)
    }

    fn plan(&self, request: &ProvisionRequest) -> Result<Plan, PlanError> {
        plan::plan(request, &self.default_region)
    }

    async fn preflight(&self, plan: &Plan) -> Result<Preflight, ProviderError> {
        preflight::run(&self.aws, plan).await
    }

    async fn provision(
        &self,
        plan: &Plan,
        journal: Arc<dyn Journal>,
    ) -> Result<Deployment, ProviderError> {
        provision::run(&self.aws, self.pace, plan, journal).await
    }

    async fn status(&self, deployment: &Deployment) -> Result<Vec<MachineStatus>, ProviderError> {
        let places: Vec<_> = deployment
            .machines
            .iter()
            .filter_map(|machine| parse_machine_id(&machine.id))
            .collect();
        let mut regions: Vec<&str> = places.iter().map(|(region, _)| *region).collect();
        regions.sort_unstable();
        regions.dedup();
        let mut known = Vec::new();
        for region in regions {
            let here = places.iter().filter(|(place, _)| *place == region);
            let ids: Vec<&str> = here.map(|(_, instance)| *instance).collect();
            known.extend(self.known(region, &ids).await?);
        }
        let state = |id: &MachineId| {
            let (_, id) = parse_machine_id(id)?;
            known.iter().find(|instance| instance.id == id).map(state)
        };
        let machines = deployment.machines.iter();
        Ok(machines
            .map(|machine| MachineStatus {
                id: machine.id.clone(),
                state: state(&machine.id).unwrap_or(MachineState::Gone),
            })
            .collect())
    }

    fn default_regions(&self) -> Vec<String> {
        vec![self.default_region.clone()]
    }

    async fn regions(&self) -> Result<Vec<String>, ProviderError> {
        let all = self.aws.region(&self.default_region).await.regions().await?;
        Ok(all.into_iter().filter(|(_, usable)| *usable).map(|(name, _)| name).collect())
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Resource>, ProviderError> {
        let regions = self.regions(scope);
        let listed = regions.iter().map(|region| async {
            let api = self.aws.region(region).await;
            removal::list(&api, scope).await
        });
        Ok(try_join_all(listed).await?.concat())
    }

    async fn teardown(&self, scope: &Scope) -> Result<Teardown, ProviderError> {
        let regions = self.regions(scope);
        let removals = regions.iter().map(|region| async {
            let api = self.aws.region(region).await;
            removal::remove_all(&api, scope, self.pace).await
        });
        // Each region is cleared, also if another one cannot be.
        let mut removed = Vec::new();
        let mut problem = None;
        for outcome in futures::future::join_all(removals).await {
            match outcome {
                Ok(gone) => removed.extend(gone),
                Err(error) => problem = problem.or(Some(error)),
            }
        }
        problem.map_or(Ok(Teardown { removed }), Err)
    }

    async fn console_log(&self, machine: &MachineId) -> Result<Option<String>, ProviderError> {
        let Some((region, instance)) = parse_machine_id(machine) else { return Ok(None) };
        Ok(self.aws.region(region).await.console(instance).await?)
    }

    fn expectations(&self) -> Expectations {
        plan::EXPECTATIONS
    }
}

fn state(instance: &Instance) -> MachineState {
    match &instance.state {
        InstanceStateName::Pending => MachineState::Starting,
        InstanceStateName::Running => MachineState::Running,
        other if instance.reason.is_empty() => {
            MachineState::Stopped { reason: other.as_str().to_owned() }
        }
        other => MachineState::Stopped { reason: format!("{other}: {}", instance.reason) },
    }
}
