//! The wire: routes, extractors, problems, authentication, OpenAPI.
//!
//! One file per group of routes. Handlers decide nothing: they turn a request into a call of the
//! store or the artifact store, and the answer into a type of [`railsbench_core::protocol`].
//! A request that is dropped half-way leaves nothing half-done, because each changes the store
//! by one atomic call at most.

mod archive;
mod artifacts;
mod auth;
mod claims;
mod complete;
mod connectivity;
mod events;
mod extract;
mod health;
mod layers;
mod login;
mod logs;
mod openapi;
mod pages;
mod problem;
mod results;
mod runner;
mod runs;
mod state;
mod tasks;
mod tokens;

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use utoipa_axum::router::OpenApiRouter;

pub use openapi::document as openapi_document;
pub(crate) use problem::ApiError;
pub(crate) use state::App;

/// Largest body of a call that is not an upload, in bytes.
const MAX_BODY: usize = 1 << 20;

/// How long a call may take that neither waits nor moves archives.
const DEADLINE: Duration = Duration::from_secs(30);

/// How long completing may take: the server reads the whole archive.
const COMPLETE_DEADLINE: Duration = Duration::from_mins(15);

/// All routes with their descriptions.
fn described() -> OpenApiRouter<App> {
    let quick = OpenApiRouter::new()
        .merge(health::routes())
        .merge(runs::routes())
        .merge(tasks::routes())
        .merge(logs::routes())
        .merge(connectivity::routes())
        .merge(login::routes())
        .merge(tokens::routes())
        .merge(pages::routes())
        .layer(from_fn_with_state(DEADLINE, layers::deadline));
    let completing =
        complete::routes().layer(from_fn_with_state(COMPLETE_DEADLINE, layers::deadline));
    OpenApiRouter::new()
        .merge(quick)
        .merge(completing)
        // These wait, or stream for as long as the client takes.
        .merge(claims::routes())
        .merge(events::routes())
        .merge(results::routes())
        .merge(archive::routes())
        .merge(runner::routes())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .merge(artifacts::routes())
}

/// The whole service.
pub(crate) fn router(app: App) -> Router {
    let (routes, _) = described().split_for_parts();
    routes
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(layers::catch_panics())
        .layer(from_fn_with_state(app.clone(), layers::refuse_while_draining))
        .layer(from_fn(layers::protect))
        .layer(from_fn_with_state(app.clone(), layers::observe))
        .with_state(app)
}
