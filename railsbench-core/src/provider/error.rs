//! How plans and providers fail.

use std::time::Duration;

use super::{Arch, JournalError, RenderError, Resource, RunnerTarget, ShapeError};
use crate::id::{InstanceType, ProviderName};

/// Why a plan cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// An instance type has no shape.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The user data cannot be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// No runner for the machines' architecture is at hand.
    #[error(
        "{provider}: {instance_type} is {arch}, and no runner for that is at hand; build it \
         (cargo build --release -p railsbench-runner --target {}) and start railsbench, or the \
         railsbench-server that it uses, with --runners target", RunnerTarget::preferred(*.arch)
    )]
    NoRunner {
        /// The provider.
        provider: ProviderName,
        /// The machines' type.
        instance_type: InstanceType,
        /// The architecture of that.
        arch: Arch,
    },
    /// The request asks for something that the provider cannot give.
    #[error("{provider}: {problem}; {fix}")]
    Unsupported {
        /// The provider.
        provider: ProviderName,
        /// What is asked too much.
        problem: String,
        /// What to ask instead.
        fix: String,
    },
}

/// Why a provider could not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The step could not be written down, so it was not taken.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The credentials are missing or refused.
    #[error("{provider}: {problem}; {fix}")]
    Credentials {
        /// The provider.
        provider: ProviderName,
        /// What is wrong with them.
        problem: String,
        /// How to put it right.
        fix: String,
    },
    /// The provider has no room or the account may have no more.
    #[error("{provider}: no capacity for {what}: {detail}")]
    Capacity {
        /// The provider.
        provider: ProviderName,
        /// What was asked for.
        what: String,
        /// What the provider said.
        detail: String,
    },
    /// The provider asks for patience.
    #[error("{provider} limits the rate of requests{}", .retry_after.map(|wait| format!("; try again in {} s", wait.as_secs())).unwrap_or_default())]
    Throttled {
        /// The provider.
        provider: ProviderName,
        /// For how long, if it says.
        retry_after: Option<Duration>,
    },
    /// A call failed.
    #[error("{provider}: {action} failed: {detail}")]
    Call {
        /// The provider.
        provider: ProviderName,
        /// What was tried.
        action: String,
        /// What went wrong, and the fix where there is one.
        detail: String,
    },
    /// A teardown could not remove everything.
    #[error("{provider}: {} left behind: {}", .resources.len(), names(.resources))]
    LeftBehind {
        /// The provider.
        provider: ProviderName,
        /// What is left.
        resources: Vec<Resource>,
    },
}

fn names(resources: &[Resource]) -> String {
    let names: Vec<String> =
        resources.iter().map(|resource| format!("{} {}", resource.kind, resource.id)).collect();
    names.join(", ")
}
