//! What railsbench asks of a cloud or host, and the words it asks in.
//!
//! A [`Provider`] knows one place where machines can run: how its instance types are named, how
//! a machine is told to become a runner, what that costs, and how to make and remove it. All the
//! rest, from the claim to the report, is the same everywhere and knows no provider.

mod ca_certificate;
mod cost;
mod deployment;
mod error;
mod journal;
mod plan;
mod preflight;
mod runner_file;
mod scope;
mod setup;
mod shape;
mod user_data;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use async_trait::async_trait;

use crate::id::{MachineId, ProviderName};

pub use ca_certificate::{CaCertificate, CaCertificateError};
pub use cost::{CostItem, CostRange, Expectations, Price, Rate};
pub use deployment::{Deployment, Machine, MachineState, MachineStatus, Resource, Teardown};
pub use error::{PlanError, ProviderError};
pub use journal::{Journal, JournalEntry, JournalError, JournalStep};
pub use plan::{
    Direction, FirewallRule, Plan, PlannedMachine, PlannedResource, ProvisionRequest, Role,
};
pub use preflight::{Check, Outcome, Preflight};
pub use runner_file::{RunnerFile, RunnerTarget, UnknownTarget};
pub use scope::{Due, Scope};
pub use setup::{Setting, SettingState, Setup};
pub use shape::{Arch, InstanceFacts, Shape, ShapeError, ShapeSource};
pub use user_data::{RenderError, ScriptTemplates, UserData, UserDataVars, sh_quote};

/// One cloud or host that machines can be started on.
///
/// Object-safe, so that a registry can hold `Arc<dyn Provider>`. Every implementation must pass
/// the `conformance` suite of `railsbench-providers`.
#[cfg_attr(feature = "test-support", mockall::automock)]
#[async_trait]
pub trait Provider: Send + Sync {
    /// The key of this provider in configurations.
    fn name(&self) -> &ProviderName;

    /// Architecture, vCPUs and memory of an instance type, from the naming grammar checked
    /// against the catalog. Pure.
    ///
    /// # Errors
    /// [`ShapeError`] for a name that does not exist (with the nearest that do) or is ambiguous.
    fn shape(&self, instance_type: &str) -> Result<Shape, ShapeError>;

    /// Known instance types with their prices, for listing and completion. Pure.
    fn instance_types(&self) -> Vec<(String, Shape, Option<Price>)>;

    /// What is known of one instance type by its name: its shape, its price, and whether the
    /// catalog knows it. Pure. A provider whose catalog takes names in several spellings says so
    /// here; otherwise the catalog is what [`instance_types`](Self::instance_types) lists.
    ///
    /// # Errors
    /// As [`shape`](Self::shape).
    fn look_up(&self, instance_type: &str) -> Result<InstanceFacts, ShapeError> {
        let shape = self.shape(instance_type)?;
        let mut listed = self.instance_types().into_iter();
        Ok(match listed.find(|(name, _, _)| name == instance_type) {
            Some((_, _, price)) => InstanceFacts { shape, price, source: ShapeSource::Catalog },
            None => InstanceFacts { shape, price: None, source: ShapeSource::Grammar },
        })
    }

    /// What is found of the settings that this provider needs, on this host and without a call:
    /// credentials by the cloud's usual chain, an account or project. It tells where things are
    /// and never what a secret is.
    async fn setup(&self) -> Setup;

    /// The exact start-up script the machine will run, every value quoted. Pure.
    ///
    /// # Errors
    /// [`RenderError`] if a value cannot be put into a script.
    fn render_user_data(&self, vars: &UserDataVars) -> Result<UserData, RenderError>;

    /// What will exist and what it will cost, without touching the cloud. Pure.
    ///
    /// # Errors
    /// [`PlanError`] naming what cannot be made.
    fn plan(&self, request: &ProvisionRequest) -> Result<Plan, PlanError>;

    /// The address at which its machines reach a server on this host: loopback for those that
    /// are processes of it. A cloud's machines reach none; their preflight says so.
    ///
    /// # Errors
    /// [`ProviderError`] if there is such an address and it cannot be found.
    async fn host_address(&self) -> Result<IpAddr, ProviderError> {
        Ok(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// Looks, without changing anything, whether the plan can be carried out: credentials,
    /// permissions, quotas, region, image, installed software.
    ///
    /// # Errors
    /// [`ProviderError`] if the look itself failed; what it found is in the [`Preflight`].
    async fn preflight(&self, plan: &Plan) -> Result<Preflight, ProviderError>;

    /// Creates what the plan says. Idempotent; each step is in the journal before it is taken;
    /// on failure what was made is removed again.
    ///
    /// # Errors
    /// [`ProviderError`] saying what failed and what, if anything, is left.
    async fn provision(
        &self,
        plan: &Plan,
        journal: Arc<dyn Journal>,
    ) -> Result<Deployment, ProviderError>;

    /// How the machines of a deployment are.
    ///
    /// # Errors
    /// [`ProviderError`] if the provider does not answer.
    async fn status(&self, deployment: &Deployment) -> Result<Vec<MachineStatus>, ProviderError>;

    /// The regions that a scope which names none means; none if it means all there are, or if
    /// there are no regions here. Pure.
    fn default_regions(&self) -> Vec<String> {
        Vec::new()
    }

    /// All regions that the account may use; none if there are no regions here.
    ///
    /// # Errors
    /// [`ProviderError`] if the provider does not answer.
    async fn regions(&self) -> Result<Vec<String>, ProviderError> {
        Ok(Vec::new())
    }

    /// Everything tagged as ours within the scope, also what no journal knows of: all that is
    /// found, by [`Scope::select`].
    ///
    /// # Errors
    /// [`ProviderError`] if the provider does not answer.
    async fn list(&self, scope: &Scope) -> Result<Vec<Resource>, ProviderError>;

    /// Destroys everything in scope, and nothing else, and then proves it by listing again. What
    /// is gone already is as good as destroyed; what refuses to go does not keep the rest.
    ///
    /// # Errors
    /// [`ProviderError::LeftBehind`] naming what could not be removed.
    async fn teardown(&self, scope: &Scope) -> Result<Teardown, ProviderError>;

    /// What the machine has printed while starting, if the provider keeps that.
    ///
    /// # Errors
    /// [`ProviderError`] if the provider does not answer.
    async fn console_log(&self, machine: &MachineId) -> Result<Option<String>, ProviderError>;

    /// Boot time, lease length, billing minimum and longest life.
    fn expectations(&self) -> cost::Expectations;
}
