//! What every provider must do, as a suite that any [`Provider`] can be run through.
//!
//! ```no_run
//! # async fn example(provider: std::sync::Arc<dyn railsbench_core::provider::Provider>,
//! #     request: railsbench_core::provider::ProvisionRequest,
//! #     shape: railsbench_core::provider::Shape) {
//! use std::time::Duration;
//!
//! use railsbench_providers::conformance::{Subject, check};
//!
//! let subject = Subject {
//!     request,
//!     shapes: vec![("host".to_owned(), shape)],
//!     misspelt: ("hots".to_owned(), "host".to_owned()),
//!     patience: Duration::from_secs(30),
//! };
//! check(provider, &subject).await.unwrap();
//! # }
//! ```
//!
//! [`check_pure`] asks what needs no cloud: shapes, plans and user data. [`check_lifecycle`]
//! really makes machines and removes them; run it against an emulator or where it may cost
//! something. [`check`] does both.

mod lifecycle;
mod pure;
mod shell;

use std::sync::Arc;
use std::time::Duration;

use railsbench_core::id::ProviderName;
use railsbench_core::provider::{Provider, ProvisionRequest, Shape};

pub use lifecycle::check_lifecycle;
pub use pure::check_pure;
pub use shell::{HOSTILE, VARIABLES};
pub(crate) use shell::{read_back, values};

/// What the suite has to know of the provider that it is run against.
#[derive(Debug, Clone)]
pub struct Subject {
    /// A request that the provider can carry out, for a run that has no machines yet. Its runner
    /// must run until it is asked to end.
    pub request: ProvisionRequest,
    /// Instance types and what they are.
    pub shapes: Vec<(String, Shape)>,
    /// A name that no instance type has, and the one that was meant.
    pub misspelt: (String, String),
    /// Longest to wait until a machine runs, and until what was removed is no longer listed.
    pub patience: Duration,
}

/// A rule that a provider breaks.
#[derive(Debug, thiserror::Error)]
#[error("{provider} breaks the rule that {rule}: {detail}")]
pub struct Violation {
    /// The provider.
    pub provider: ProviderName,
    /// The rule, in words.
    pub rule: &'static str,
    /// What was found instead.
    pub detail: String,
}

/// Runs the whole suite and gives the first rule that is broken. What was made is removed again.
///
/// # Errors
/// [`Violation`].
pub async fn check(provider: Arc<dyn Provider>, subject: &Subject) -> Result<(), Violation> {
    check_pure(provider.as_ref(), subject)?;
    check_lifecycle(provider.as_ref(), subject).await
}

/// One rule, asked of one provider.
#[derive(Clone, Copy)]
struct Rule<'a> {
    provider: &'a ProviderName,
    text: &'static str,
}

impl<'a> Rule<'a> {
    fn of(provider: &'a dyn Provider, text: &'static str) -> Self {
        Self { provider: provider.name(), text }
    }

    fn broken(self, detail: impl Into<String>) -> Violation {
        Violation { provider: self.provider.clone(), rule: self.text, detail: detail.into() }
    }

    fn holds(self, condition: bool, detail: impl FnOnce() -> String) -> Result<(), Violation> {
        if condition { Ok(()) } else { Err(self.broken(detail())) }
    }

    /// The value of a call that must succeed.
    fn value<T, E: std::fmt::Display>(self, result: Result<T, E>) -> Result<T, Violation> {
        result.map_err(|error| self.broken(error.to_string()))
    }
}
