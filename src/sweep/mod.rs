//! Removing what runs have left on machines and clouds, with or without a campaign, and with no
//! local state: everything is found by its tags.
//!
//! A [`Sweep`] says what is meant; [`Sweep::find`] looks for it; [`Findings::remove`] removes it
//! and looks again.
//!
//! ```no_run
//! # async fn example(registry: railsbench::providers::Registry)
//! #     -> Result<(), railsbench::SweepError> {
//! use railsbench::{Reach, Sweep};
//!
//! let findings = Sweep::expired(jiff::Timestamp::now()).within(Reach::Everywhere).find(&registry).await?;
//! for cleared in findings.remove().await {
//!     println!("{}: {} removed, {} left", cleared.provider, cleared.removed.len(), cleared.left.len());
//! }
//! # Ok(())
//! # }
//! ```

mod reach;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures::future::join_all;
use jiff::Timestamp;
use railsbench_core::id::{ProviderName, RunId};
use railsbench_core::provider::{
    Due, Journal, JournalError, Provider, ProviderError, Resource, Scope,
};
use railsbench_providers::Registry;

pub use reach::{Reach, SweepError};

/// What is to be found or removed.
#[derive(Debug, Clone, Default)]
pub struct Sweep {
    scope: Scope,
    reach: Reach,
    /// Regions to look in besides the default ones.
    besides: Vec<(ProviderName, Option<String>)>,
}

impl Sweep {
    /// Everything that railsbench has made.
    pub fn all() -> Self {
        Self::default()
    }

    /// What belongs to one run.
    pub fn run(run_id: RunId) -> Self {
        Self { scope: Scope::run(run_id), ..Self::default() }
    }

    /// What has expired by now. What has not, or does not say when it does, is not touched.
    pub fn expired(now: Timestamp) -> Self {
        Self { scope: Scope::due(Due::ExpiredBy(now)), ..Self::default() }
    }

    /// What was made before this time.
    pub fn made_before(time: Timestamp) -> Self {
        Self { scope: Scope::due(Due::MadeBefore(time)), ..Self::default() }
    }

    /// Looks in these regions; in each provider's default ones if never called.
    #[must_use]
    pub fn within(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    /// Looks in this region too, where the default ones are looked in.
    #[must_use]
    pub fn besides(mut self, provider: ProviderName, region: String) -> Self {
        self.besides.push((provider, Some(region)));
        self
    }

    /// Looks also where the journal of an operator says that something of the run was made.
    ///
    /// # Errors
    /// [`JournalError`] if it cannot be read.
    pub fn known_by(mut self, journal: &dyn Journal) -> Result<Self, JournalError> {
        for entry in journal.entries()? {
            let place = (entry.provider, entry.region);
            if Some(&entry.run_id) == self.scope.run.as_ref() && !self.besides.contains(&place) {
                self.besides.push(place);
            }
        }
        Ok(self)
    }

    /// Whether something of what is looked for is known to have been made there.
    pub fn is_known_at(&self, provider: &ProviderName) -> bool {
        self.besides.iter().any(|(known, _)| known == provider)
    }

    /// Looks for it at all of these providers at once. That one of them does not answer is in the
    /// findings.
    ///
    /// # Errors
    /// [`SweepError`] if a region is asked for that no provider has.
    pub async fn find(&self, registry: &Registry) -> Result<Findings, SweepError> {
        let targets = reach::targets(self, registry).await?;
        let looks = targets.into_iter().map(|target| async move {
            let outcome = match target.scope {
                Ok(scope) => {
                    let listed = target.provider.list(&scope).await;
                    listed.and_then(|found| only_what_is_meant(scope, found))
                }
                Err(error) => Err(error),
            };
            Found::new(target.provider, outcome)
        });
        Ok(Findings { places: join_all(looks).await })
    }
}

/// A provider that does not keep to a scope would remove what is needed, so it is not asked to.
fn only_what_is_meant(
    scope: Scope,
    found: Vec<Resource>,
) -> Result<(Scope, Vec<Resource>), ProviderError> {
    let meant = scope.select(found.clone());
    match found.into_iter().find(|resource| !meant.contains(resource)) {
        None => Ok((scope, meant)),
        Some(other) => Err(ProviderError::Call {
            provider: other.provider,
            action: "listing what may be removed".to_owned(),
            detail: format!(
                "it names {} {}, which was not asked for; nothing is removed there. This is a \
                 defect of the provider: report it",
                other.kind, other.id
            ),
        }),
    }
}

/// What was found, provider by provider.
#[derive(Debug)]
pub struct Findings {
    /// In the order of the providers' names; only those that have a region that was asked for.
    pub places: Vec<Found>,
}

impl Findings {
    /// Everything that was found.
    pub fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.places.iter().flat_map(|place| &place.resources)
    }

    /// The providers that could not be looked at, and why.
    pub fn problems(&self) -> impl Iterator<Item = (&ProviderName, &ProviderError)> {
        self.places.iter().filter_map(|place| Some((place.name(), place.problem.as_ref()?)))
    }

    /// Removes it, at all providers at once, and looks again. What was not found is not removed:
    /// the scope is the same, and each provider takes from it what is there by then.
    pub async fn remove(&self) -> Vec<Cleared> {
        let full = self.places.iter().filter(|place| !place.resources.is_empty());
        join_all(full.map(Found::clear)).await
    }
}

/// What was found at one provider.
pub struct Found {
    provider: Arc<dyn Provider>,
    scope: Scope,
    /// What.
    pub resources: Vec<Resource>,
    /// Why it could not be looked at; nothing is known then.
    pub problem: Option<ProviderError>,
}

impl Found {
    fn new(
        provider: Arc<dyn Provider>,
        outcome: Result<(Scope, Vec<Resource>), ProviderError>,
    ) -> Self {
        match outcome {
            Ok((scope, resources)) => Self { provider, scope, resources, problem: None },
            Err(problem) => Self {
                provider,
                scope: Scope::default(),
                resources: Vec::new(),
                problem: Some(problem),
            },
        }
    }

    /// Where.
    pub fn name(&self) -> &ProviderName {
        self.provider.name()
    }

    /// The regions that were looked in; empty if it was all that there are.
    pub fn regions(&self) -> &[String] {
        &self.scope.regions
    }

    /// Removes what is there and looks what is left: that is the proof, also where the provider
    /// says that it has failed.
    async fn clear(&self) -> Cleared {
        let outcome = self.provider.teardown(&self.scope).await;
        let (left, unseen) = match self.provider.list(&self.scope).await {
            Ok(left) => (left, None),
            // What cannot be seen to be gone counts as there.
            Err(error) => (self.resources.clone(), Some(error)),
        };
        let is_left =
            |gone: &Resource| left.iter().any(|left| left.kind == gone.kind && left.id == gone.id);
        let (mut removed, refused) = match outcome {
            Ok(done) => (done.removed, None),
            Err(error) => (self.resources.clone(), Some(error)),
        };
        removed.retain(|resource| !is_left(resource));
        let problem = match refused.or(unseen) {
            Some(error) if left.is_empty() => {
                tracing::info!(%error, provider = %self.name(), "nothing is left all the same");
                None
            }
            problem => problem,
        };
        Cleared { provider: self.name().clone(), removed, left, problem }
    }
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Found")
            .field("provider", self.name())
            .field("scope", &self.scope)
            .field("resources", &self.resources)
            .field("problem", &self.problem)
            .finish()
    }
}

/// How it ended at one provider.
#[derive(Debug)]
pub struct Cleared {
    /// Where.
    pub provider: ProviderName,
    /// What is gone.
    pub removed: Vec<Resource>,
    /// What is still there, or cannot be seen to be gone.
    pub left: Vec<Resource>,
    /// Why, if something is left and the provider says so.
    pub problem: Option<ProviderError>,
}
