//! Runs as operators make, read and stop them.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use railsbench_core::config::{FieldError, RunConfig};
use railsbench_core::id::{InstanceType, InvalidId, ProviderName, RunId, TaskId};
use railsbench_core::protocol::{
    CreatedRun, RunPage, RunSummary, RunToken, RunView, TaskPage, TaskStatus,
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::auth::{self, Operator, Principal, Reader};
use super::extract::{Params, PathId, body_bytes};
use super::problem::ApiError;
use crate::store::{NewRun, Scope, StoreError, StoredRun, TaskFilter};

/// How many tasks a run shows by itself.
pub(crate) const TASKS_SHOWN: u32 = 1000;

/// Entries of a page when the caller does not say how many.
const PAGE: u32 = 100;

/// Most entries of a page.
const LARGEST_PAGE: u32 = 1000;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(show))
        .routes(routes!(tasks))
        .routes(routes!(stop))
        .routes(routes!(token))
}

/// A run configuration, with the run id that the caller wants, if any.
fn parse_request(text: &str, providers: &[String]) -> Result<(Option<RunId>, RunConfig), ApiError> {
    let providers: Vec<&str> = providers.iter().map(String::as_str).collect();
    let errors = match RunConfig::parse_for(text, &providers) {
        Ok(config) => return Ok((None, config)),
        Err(error) => error.errors,
    };
    let (run_id, mut others): (Vec<FieldError>, Vec<FieldError>) =
        errors.into_iter().partition(|error| error.field == "run_id");
    if run_id.is_empty() {
        return Err(ApiError::invalid(others));
    }
    if run_id.len() > 1 {
        others.push(FieldError {
            field: "run_id".to_owned(),
            problem: "given twice".to_owned(),
            fix: "keep one of the two".to_owned(),
        });
        return Err(ApiError::invalid(others));
    }
    let mut value: Value = serde_json::from_str(text)
        .map_err(|error| ApiError::malformed(format!("the body is not JSON: {error}")))?;
    let wanted = value.as_object_mut().and_then(|fields| fields.remove("run_id"));
    let id = match wanted {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => match RunId::new(text) {
            Ok(id) => Some(id),
            Err(InvalidId { value, rule, .. }) => {
                others.push(FieldError {
                    field: "run_id".to_owned(),
                    problem: format!("{value:?} is not a run id"),
                    fix: rule.to_owned(),
                });
                None
            }
        },
        Some(_) => {
            others.push(FieldError {
                field: "run_id".to_owned(),
                problem: "it is not text".to_owned(),
                fix: "write it in quotes, or leave it out to have one made".to_owned(),
            });
            None
        }
    };
    if others.is_empty() {
        let config = RunConfig::parse_for(&value.to_string(), &providers)
            .map_err(|error| ApiError::invalid(error.errors))?;
        return Ok((id, config));
    }
    Err(ApiError::invalid(others))
}

/// Makes a run. The body is a run configuration, with the wanted `run_id` beside its keys or
/// without. The answer's `run_token` is shown this once.
#[utoipa::path(post, path = "/runs", tag = "runs", security(("bearer" = [])),
    request_body(content = serde_json::Value, content_type = "application/json",
        description = "A run configuration, optionally with `run_id`"),
    responses(
        (status = 201, description = "The run was made", body = CreatedRun),
        (status = 200, description = "The run exists with the same configuration", body = CreatedRun),
        (status = 409, description = "The run exists with another configuration",
            body = railsbench_core::protocol::Problem, content_type = "application/problem+json")))]
async fn create(
    _: Operator,
    State(app): State<App>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let bytes = body_bytes(body)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| ApiError::malformed("the body is not JSON: it is not UTF-8"))?;
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        return Err(ApiError::malformed(format!("the body is not JSON: {error}")));
    }
    let (id, config) = parse_request(text, &app.config.providers)?;
    let new = NewRun {
        id: id.unwrap_or_else(|| RunId::from_random(rand::random())),
        policy: app.policy(config.max_attempts),
        config,
        at: app.clock.now(),
        task_seed: rand::random(),
    };
    let created = app.store.create_run(new).await?;
    let run_id = created.run.id.clone();
    // A run that is there already keeps its token; POST /runs/{id}/token makes another.
    let run_token = if created.fresh {
        tracing::info!(run = %run_id, tasks = created.run.run.counts.total, "run created");
        Some(auth::mint(&app, Scope::Run(run_id), app.config.run_token_valid).await?.0)
    } else {
        None
    };
    let status = if created.fresh { StatusCode::CREATED } else { StatusCode::OK };
    let run = view(&app, created.run).await?;
    Ok((status, Json(CreatedRun { run, run_token })).into_response())
}

/// A run without its tasks.
pub(crate) fn summary(app: &App, stored: &StoredRun) -> RunSummary {
    RunSummary {
        run_id: stored.id.clone(),
        status: stored.run.status,
        stop_requested: stored.run.stop_requested,
        ruby_version: stored.config.ruby_version.to_string(),
        created_at: stored.created_at,
        ended_at: stored.run.ended_at,
        task_counts: stored.run.counts,
        results_url: app.url(&format!("/runs/{}/results", stored.id)),
    }
}

/// A run with its first tasks.
pub(crate) async fn view(app: &App, stored: StoredRun) -> Result<RunView, ApiError> {
    let tasks = app.store.tasks(&stored.id, &TaskFilter::default(), None, TASKS_SHOWN).await?;
    let config =
        serde_json::to_value(&stored.config).map_err(|error| ApiError::internal(&error))?;
    Ok(RunView {
        summary: summary(app, &stored),
        config,
        tasks: tasks.iter().map(railsbench_core::lifecycle::Task::view).collect(),
    })
}

/// The run of this id.
pub(crate) async fn stored(app: &App, id: &RunId) -> Result<StoredRun, ApiError> {
    let found = app.store.run(id).await?;
    found.ok_or_else(|| StoreError::UnknownRun(id.clone()).into())
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Paging {
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
    /// Most entries of the page, 1 to 1000; 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// The wanted size of a page.
fn page_size(limit: Option<u32>) -> Result<u32, ApiError> {
    let limit = limit.unwrap_or(PAGE);
    if (1..=LARGEST_PAGE).contains(&limit) {
        return Ok(limit);
    }
    Err(ApiError::field(
        "limit",
        format!("{limit} is out of range"),
        format!("use a number from 1 to {LARGEST_PAGE}"),
    ))
}

fn bad_cursor() -> ApiError {
    ApiError::field("cursor", "not a cursor of this list", "use the next_cursor of the page before")
}

fn run_cursor(run: &StoredRun) -> String {
    URL_SAFE_NO_PAD.encode(format!("{},{}", run.created_at.as_nanosecond(), run.id))
}

fn parse_run_cursor(text: &str) -> Option<(Timestamp, RunId)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let (at, id) = text.split_once(',')?;
    let at = Timestamp::from_nanosecond(at.parse().ok()?).ok()?;
    Some((at, RunId::new(id).ok()?))
}

/// Runs, newest first. The token of a run sees that run only.
#[utoipa::path(get, path = "/runs", tag = "runs", security(("bearer" = [])), params(Paging),
    responses(
        (status = 200, body = RunPage)))]
async fn list(
    principal: Principal,
    State(app): State<App>,
    Params(paging): Params<Paging>,
) -> Result<Json<RunPage>, ApiError> {
    if let Principal::Run(own) = principal {
        page_size(paging.limit)?;
        let runs = app.store.run(&own).await?.iter().map(|run| summary(&app, run)).collect();
        return Ok(Json(RunPage { runs, next_cursor: None }));
    }
    Ok(Json(list_page(&app, paging.cursor, paging.limit).await?))
}

/// A page of all runs.
pub(crate) async fn list_page(
    app: &App,
    cursor: Option<String>,
    limit: Option<u32>,
) -> Result<RunPage, ApiError> {
    let limit = page_size(limit)?;
    let after = match cursor {
        Some(cursor) => Some(parse_run_cursor(&cursor).ok_or_else(bad_cursor)?),
        None => None,
    };
    // One more than wanted tells whether there is a next page.
    let mut runs = app.store.runs(after, limit + 1).await?;
    let more = runs.len() > limit as usize;
    runs.truncate(limit as usize);
    Ok(RunPage {
        next_cursor: runs.last().filter(|_| more).map(run_cursor),
        runs: runs.iter().map(|run| summary(app, run)).collect(),
    })
}

/// A run with its configuration and its first 1000 tasks.
#[utoipa::path(get, path = "/runs/{id}", tag = "runs", security(("bearer" = [])),
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, body = RunView)))]
async fn show(
    _: Reader,
    State(app): State<App>,
    PathId(id): PathId<RunId>,
) -> Result<Json<RunView>, ApiError> {
    let stored = stored(&app, &id).await?;
    Ok(Json(view(&app, stored).await?))
}

/// Which tasks, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct TaskQuery {
    /// Only in this state.
    #[param(value_type = Option<TaskStatus>)]
    status: Option<String>,
    /// Only of this provider.
    provider: Option<String>,
    /// Only of this instance type.
    instance_type: Option<String>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
    /// Most entries of the page, 1 to 1000; 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

impl TaskQuery {
    fn filter(&self) -> Result<TaskFilter, ApiError> {
        let wrong = |error: InvalidId| ApiError::field(error.kind, error.to_string(), error.rule);
        let status = match &self.status {
            Some(text) => Some(text.parse::<TaskStatus>().map_err(|problem| {
                ApiError::field("status", problem, "use one of the six task statuses")
            })?),
            None => None,
        };
        Ok(TaskFilter {
            status,
            provider: self.provider.as_deref().map(ProviderName::new).transpose().map_err(wrong)?,
            instance_type: self
                .instance_type
                .as_deref()
                .map(InstanceType::new)
                .transpose()
                .map_err(wrong)?,
        })
    }
}

/// Tasks of a run in creation order.
#[utoipa::path(get, path = "/runs/{id}/tasks", tag = "runs", security(("bearer" = [])),
    params(("id" = String, Path, description = "The run"), TaskQuery),
    responses(
        (status = 200, body = TaskPage)))]
async fn tasks(
    _: Reader,
    State(app): State<App>,
    PathId(id): PathId<RunId>,
    Params(query): Params<TaskQuery>,
) -> Result<Json<TaskPage>, ApiError> {
    let limit = page_size(query.limit)?;
    let filter = query.filter()?;
    let after = match &query.cursor {
        Some(cursor) => Some(TaskId::new(cursor.as_str()).map_err(|_| bad_cursor())?),
        None => None,
    };
    let mut tasks = app.store.tasks(&id, &filter, after.as_ref(), limit + 1).await?;
    let more = tasks.len() > limit as usize;
    tasks.truncate(limit as usize);
    Ok(Json(TaskPage {
        next_cursor: tasks.last().filter(|_| more).map(|task| task.id.to_string()),
        tasks: tasks.iter().map(railsbench_core::lifecycle::Task::view).collect(),
    }))
}

/// Stops a run: pending tasks are cancelled at once, held ones at their next heartbeat.
#[utoipa::path(post, path = "/runs/{id}/stop", tag = "runs", security(("bearer" = [])),
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, body = RunSummary)))]
async fn stop(
    _: Operator,
    State(app): State<App>,
    PathId(id): PathId<RunId>,
) -> Result<Json<RunSummary>, ApiError> {
    let stopped = app.store.stop(&id, app.clock.now()).await?;
    tracing::info!(run = %id, "stop requested");
    Ok(Json(summary(&app, &stopped)))
}

/// Makes another token for the runners of a run, shown this once.
#[utoipa::path(post, path = "/runs/{id}/token", tag = "runs", security(("bearer" = [])),
    params(("id" = String, Path, description = "The run")),
    responses((status = 201, body = RunToken)))]
async fn token(
    _: Operator,
    State(app): State<App>,
    PathId(id): PathId<RunId>,
) -> Result<(StatusCode, Json<RunToken>), ApiError> {
    let run = stored(&app, &id).await?;
    let (run_token, expires_at) =
        auth::mint(&app, Scope::Run(run.id), app.config.run_token_valid).await?;
    Ok((StatusCode::CREATED, Json(RunToken { run_token, expires_at })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(Option<RunId>, RunConfig), ApiError> {
        let providers: Vec<String> = ["local".to_owned()].into();
        parse_request(text, &providers)
    }

    #[test]
    fn the_run_id_stands_beside_the_configuration() {
        let (id, config) =
            parse(r#"{"run_id":"mine","ruby_version":"system","local":["host"]}"#).unwrap();
        assert_eq!(id.unwrap().as_str(), "mine");
        let (none, same) = parse(r#"{"ruby_version":"system","local":["host"]}"#).unwrap();
        assert_eq!(none, None);
        assert_eq!(config, same);
    }

    #[test]
    fn a_wrong_run_id_is_reported_with_the_other_problems() {
        let text = r#"{"run_id":"a/b","ruby_version":"system","locl":["host"]}"#;
        let error = format!("{:?}", parse(text).unwrap_err());
        assert!(error.contains("a/b") && error.contains("locl"), "{error}");
        let twice = r#"{"run_id":"a","run_id":"b","ruby_version":"system","local":["host"]}"#;
        let error = format!("{:?}", parse(twice).unwrap_err());
        assert!(error.contains("given twice"), "{error}");
        let number = r#"{"run_id":1,"ruby_version":"system","local":["host"]}"#;
        assert_eq!(parse(number).unwrap_err().status(), 422);
    }

    #[test]
    fn cursors_survive_the_trip() {
        let at = Timestamp::from_nanosecond(1_732_470_000_123_456_789).unwrap();
        let text = URL_SAFE_NO_PAD.encode(format!("{},a-b", at.as_nanosecond()));
        assert_eq!(parse_run_cursor(&text), Some((at, RunId::new("a-b").unwrap())));
        for bad in ["", "!!", "YWJj"] {
            assert_eq!(parse_run_cursor(bad), None, "{bad:?}");
        }
    }
}
