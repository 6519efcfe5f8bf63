//! Whether the server lives and works, and its numbers.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::auth::Reader;
use super::problem::ApiError;
use crate::alerts::{self, Alerts};
use crate::metrics;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(up))
        .routes(routes!(ready))
        .routes(routes!(metrics_text))
        .routes(routes!(firing_alerts))
        .routes(routes!(openapi))
}

/// A sign of life.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    status: &'static str,
    /// Version of the server.
    version: &'static str,
}

const HEALTHY: Health = Health { status: "ok", version: env!("CARGO_PKG_VERSION") };

/// Answers while the process serves, whatever its store does.
#[utoipa::path(get, path = "/health", tag = "health", responses((status = 200, body = Health)))]
async fn health() -> Json<Health> {
    Json(HEALTHY)
}

/// The same as `/health`, under the name that Rails uses.
#[utoipa::path(get, path = "/up", tag = "health", responses((status = 200, body = Health)))]
async fn up() -> Json<Health> {
    Json(HEALTHY)
}

/// Answers with 200 only if the store and the artifact store answer.
#[utoipa::path(get, path = "/ready", tag = "health", responses((status = 200, body = Health)))]
async fn ready(State(app): State<App>) -> Result<Json<Health>, ApiError> {
    app.store.ping().await?;
    app.artifacts.ping().await?;
    Ok(Json(HEALTHY))
}

/// Numbers for Prometheus, in its text format.
#[utoipa::path(get, path = "/metrics", tag = "health", security(("bearer" = [])),
    responses((status = 200, body = String, content_type = "text/plain")))]
async fn metrics_text(_: Reader, State(app): State<App>) -> Result<Response, ApiError> {
    let text = metrics::text(&app).await?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// What needs an operator's attention now.
#[utoipa::path(get, path = "/alerts", tag = "health", security(("bearer" = [])),
    responses((status = 200, body = Alerts)))]
async fn firing_alerts(_: Reader, State(app): State<App>) -> Result<Json<Alerts>, ApiError> {
    Ok(Json(alerts::firing(&app).await?))
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "health",
    responses((status = 200, body = serde_json::Value, content_type = "application/json")))]
async fn openapi(State(app): State<App>) -> Response {
    ([(CONTENT_TYPE, "application/json")], app.openapi.clone()).into_response()
}
