//! What railsbench asks of a cloud or host, and the words it asks in.
//!
//! A [`Provider`] knows one place where machines can run: how its instance types are named, how
//! a machine is told to become a runner, what that costs, and how to make and remove it. All the
//! rest, from the claim to the report, is the same everywhere and knows no provider.

mod cost;
mod deployment;
mod error;
mod journal;
mod plan;
mod preflight;
mod runner_file;
mod shape;
mod user_data;

use std::sync::Arc;

use async_trait::async_trait;

use crate::id::{MachineId, ProviderName};

pub use cost::{CostRange, Expectations, Price};
pub use deployment::{Deployment, Machine, MachineState, MachineStatus, Resource, Scope, Teardown};
pub use error::{PlanError, ProviderError};
pub use journal::{Journal, JournalEntry, JournalError, JournalStep};
pub use plan::{
    Direction, FirewallRule, Plan, PlannedMachine, PlannedResource, ProvisionRequest, Role,
};
pub use preflight::{Check, Outcome, Preflight};
pub use runner_file::{RunnerFile, RunnerTarget, UnknownTarget};
pub use shape::{Arch, Shape, ShapeError};
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

    /// Everything tagged as ours within the scope, also what no journal knows of.
    ///
    /// # Errors
    /// [`ProviderError`] if the provider does not answer.
    async fn list(&self, scope: &Scope) -> Result<Vec<Resource>, ProviderError>;

    /// Destroys everything in scope and then proves it by listing again.
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
