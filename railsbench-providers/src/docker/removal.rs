//! What exists, and removing it.

use std::time::Duration;

use futures::future::join_all;
use railsbench_core::provider::{ProviderError, Resource, Scope, Teardown};
use tokio::time::Instant;

use super::api::{Api, Listed};
use super::naming::provider_name;
use super::plan::NETWORK;
use super::provision::CONTAINER;

/// How long a runner has to give its task back, in seconds.
const STOP_SECONDS: i32 = 10;

/// How long and how often to look until what was removed is no longer listed.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Everything of ours in scope, by its labels.
pub(super) async fn list(api: &Api<'_>, scope: &Scope) -> Result<Vec<Resource>, ProviderError> {
    let run = scope.run.as_ref();
    let containers = api.containers(run).await?;
    let networks = api.networks(run).await?;
    let containers = containers.into_iter().map(|listed| resource(CONTAINER, listed));
    let networks = networks.into_iter().map(|listed| resource(NETWORK, listed));
    Ok(scope.select(containers.chain(networks).collect()))
}

fn resource(kind: &str, listed: Listed) -> Resource {
    Resource {
        provider: provider_name(),
        kind: kind.to_owned(),
        id: listed.id,
        name: listed.name,
        run_id: listed.tags.run_id,
        region: None,
        created_at: listed.tags.created_at,
        expires_at: listed.tags.expires_at,
        per_hour: None,
    }
}

/// Removes everything in scope, containers first, and looks again to prove it.
pub(super) async fn tear_down(api: &Api<'_>, scope: &Scope) -> Result<Teardown, ProviderError> {
    let removed = list(api, scope).await?;
    let of = |kind: &'static str| removed.iter().filter(move |resource| resource.kind == kind);
    let ended = join_all(of(CONTAINER).map(|container| end(api, &container.id))).await;
    // A network goes only when nothing is on it any more.
    let gone = join_all(of(NETWORK).map(|network| api.remove_network(&network.id))).await;
    let failure = ended.into_iter().chain(gone).find_map(Result::err);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = list(api, scope).await?;
        if left.is_empty() {
            return Ok(Teardown { removed });
        }
        if failure.is_some() || Instant::now() >= deadline {
            return Err(failure.unwrap_or_else(|| ProviderError::LeftBehind {
                provider: provider_name(),
                resources: left,
            }));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Lets a container end in order, and removes it however that went.
async fn end(api: &Api<'_>, id: &str) -> Result<(), ProviderError> {
    if let Err(error) = api.stop(id, STOP_SECONDS).await {
        tracing::debug!(%error, id, "not stopped in order");
    }
    api.remove(id).await
}
