//! In which regions to look, for each provider.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use railsbench_core::config::nearest;
use railsbench_core::id::ProviderName;
use railsbench_core::provider::{Provider, ProviderError, Scope};
use railsbench_providers::Registry;

use super::Sweep;

/// In which regions to look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Reach {
    /// In each provider's default ones.
    #[default]
    Default,
    /// In all that the account may use.
    Everywhere,
    /// In these. A provider that has none of them is not looked at.
    Only(Vec<String>),
}

/// The sweep cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A region is asked for that does not exist: to look nowhere would pass for finding nothing.
    #[error("there is no region {region:?} at {}{}", names(.providers), meant(.nearest))]
    NoSuchRegion {
        /// The region.
        region: String,
        /// Where it was looked for.
        providers: Vec<ProviderName>,
        /// Regions with names like it.
        nearest: Vec<String>,
    },
}

fn names(providers: &[ProviderName]) -> String {
    let names: Vec<&str> = providers.iter().map(ProviderName::as_str).collect();
    names.join(", ")
}

fn meant(nearest: &[String]) -> String {
    match nearest {
        [] => "; leave it out to look in the default regions, or look in all of them".to_owned(),
        nearest => format!("; did you mean {}?", nearest.join(" or ")),
    }
}

/// One provider, and what to look for there.
pub(super) struct Target {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) scope: Result<Scope, ProviderError>,
}

/// What to look for at each provider.
pub(super) async fn targets(sweep: &Sweep, registry: &Registry) -> Result<Vec<Target>, SweepError> {
    match &sweep.reach {
        Reach::Default => Ok(registry.iter().map(|provider| by_default(sweep, provider)).collect()),
        Reach::Everywhere => {
            let looks = registry.iter().map(|provider| async move {
                // Where no region is the default, a scope without regions means all of them.
                let regions = if provider.default_regions().is_empty() {
                    Ok(Vec::new())
                } else {
                    provider.regions().await
                };
                let scope = regions.map(|regions| sweep.scope.clone().in_regions(regions));
                Target { provider: provider.clone(), scope }
            });
            Ok(join_all(looks).await)
        }
        Reach::Only(wanted) => only(sweep, registry, wanted).await,
    }
}

fn by_default(sweep: &Sweep, provider: &Arc<dyn Provider>) -> Target {
    let mut regions: BTreeSet<String> = provider.default_regions().into_iter().collect();
    if !regions.is_empty() {
        let besides = sweep.besides.iter().filter(|(name, _)| name == provider.name());
        regions.extend(besides.filter_map(|(_, region)| region.clone()));
    }
    let scope = sweep.scope.clone().in_regions(regions.into_iter().collect());
    Target { provider: provider.clone(), scope: Ok(scope) }
}

async fn only(
    sweep: &Sweep,
    registry: &Registry,
    wanted: &[String],
) -> Result<Vec<Target>, SweepError> {
    let looks = registry.iter().map(|provider| async move { (provider, provider.regions().await) });
    let known = join_all(looks).await;
    // A provider that does not answer may have it.
    let all_answered = known.iter().all(|(_, regions)| regions.is_ok());
    let all: BTreeSet<&str> = known
        .iter()
        .filter_map(|(_, regions)| regions.as_ref().ok())
        .flatten()
        .map(String::as_str)
        .collect();
    if let Some(region) = wanted.iter().find(|region| !all.contains(region.as_str()))
        && all_answered
    {
        let near = nearest(region, all).into_iter().map(str::to_owned).collect();
        return Err(SweepError::NoSuchRegion {
            region: region.clone(),
            providers: registry.names().into_iter().cloned().collect(),
            nearest: near,
        });
    }
    let targets = known.into_iter().filter_map(|(provider, regions)| {
        let scope = match regions {
            Ok(regions) => {
                let mut here: Vec<String> =
                    wanted.iter().filter(|region| regions.contains(region)).cloned().collect();
                here.sort();
                here.dedup();
                if here.is_empty() {
                    return None;
                }
                Ok(sweep.scope.clone().in_regions(here))
            }
            Err(error) => Err(error),
        };
        Some(Target { provider: provider.clone(), scope })
    });
    Ok(targets.collect())
}
