//! Removing what runs have left on machines and clouds, with or without a campaign.

use railsbench_core::id::{ProviderName, RunId};
use railsbench_core::provider::{ProviderError, Resource, Scope};
use railsbench_providers::Registry;
use serde::Serialize;

/// What was found or removed at one provider.
#[derive(Debug, Serialize)]
pub struct TornDown {
    /// Where.
    pub provider: ProviderName,
    /// What.
    pub resources: Vec<Resource>,
}

fn scope(run: Option<&RunId>) -> Scope {
    run.cloned().map_or_else(Scope::all, Scope::run)
}

/// Everything of ours, of one run or of all.
///
/// # Errors
/// The first [`ProviderError`]: a provider that does not answer may hide something.
pub async fn list_resources(
    registry: &Registry,
    run: Option<&RunId>,
) -> Result<Vec<TornDown>, ProviderError> {
    let mut found = Vec::new();
    for provider in registry.iter() {
        let resources = provider.list(&scope(run)).await?;
        found.push(TornDown { provider: provider.name().clone(), resources });
    }
    Ok(found)
}

/// Removes everything of ours, of one run or of all, and proves that it is gone.
///
/// # Errors
/// The first [`ProviderError`], after every provider has been tried.
pub async fn teardown(
    registry: &Registry,
    run: Option<&RunId>,
) -> Result<Vec<TornDown>, ProviderError> {
    let mut removed = Vec::new();
    let mut failure = None;
    for provider in registry.iter() {
        match provider.teardown(&scope(run)).await {
            Ok(done) => removed
                .push(TornDown { provider: provider.name().clone(), resources: done.removed }),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    failure.map_or(Ok(removed), Err)
}
