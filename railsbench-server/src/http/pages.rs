//! The routes of the dashboard; what is on its pages is in [`crate::dashboard`].

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use railsbench_core::id::RunId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::auth::Reader;
use super::extract::{Params, PathId};
use super::problem::ApiError;
use super::runs::{self, list_page};
use crate::dashboard;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(home))
        .routes(routes!(run_page))
        .routes(routes!(script))
        .routes(routes!(style))
}

/// A page for those who may look, the login form for the others.
async fn guarded(
    app: &App,
    reader: Result<Reader, ApiError>,
    page: impl Future<Output = Result<Response, ApiError>>,
) -> Result<Response, ApiError> {
    match reader {
        Ok(_) => page.await,
        Err(error) if error.status() == StatusCode::UNAUTHORIZED => {
            dashboard::login(app, StatusCode::UNAUTHORIZED, None)
        }
        Err(error) => Err(error),
    }
}

/// Which page of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct HomeQuery {
    /// From the link to older runs.
    cursor: Option<String>,
}

/// The dashboard: all runs, newest first.
#[utoipa::path(get, path = "/", tag = "dashboard", security(("bearer" = []), ("session" = [])),
    params(HomeQuery),
    responses(
        (status = 200, description = "A page", body = String, content_type = "text/html"),
        (status = 401, description = "The login form", body = String, content_type = "text/html")))]
async fn home(
    reader: Result<Reader, ApiError>,
    State(app): State<App>,
    Params(query): Params<HomeQuery>,
) -> Result<Response, ApiError> {
    let page = async {
        let runs = list_page(&app, query.cursor, None).await?;
        dashboard::home(&app, &runs)
    };
    guarded(&app, reader, page).await
}

/// The dashboard: one run with its tasks, live.
#[utoipa::path(get, path = "/dashboard/runs/{id}", tag = "dashboard",
    security(("bearer" = []), ("session" = [])),
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 200, description = "A page", body = String, content_type = "text/html"),
        (status = 401, description = "The login form", body = String, content_type = "text/html")))]
async fn run_page(
    reader: Result<Reader, ApiError>,
    State(app): State<App>,
    id: Result<PathId<RunId>, ApiError>,
) -> Result<Response, ApiError> {
    let page = async {
        let PathId(id) = id?;
        let stored = runs::stored(&app, &id).await?;
        let run = runs::view(&app, stored).await?;
        dashboard::run(&app, &run)
    };
    guarded(&app, reader, page).await
}

/// The dashboard's script.
#[utoipa::path(get, path = "/assets/dashboard.js", tag = "dashboard",
    responses((status = 200, body = String, content_type = "text/javascript")))]
async fn script() -> Response {
    dashboard::script().into_response()
}

/// The dashboard's style sheet.
#[utoipa::path(get, path = "/assets/dashboard.css", tag = "dashboard",
    responses((status = 200, body = String, content_type = "text/css")))]
async fn style() -> Response {
    dashboard::style().into_response()
}
