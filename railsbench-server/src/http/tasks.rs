//! The calls of a runner about its task: heartbeat, uploads, fail, release.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use railsbench_core::id::{Attempt, RunId, RunnerId, TaskId};
use railsbench_core::lifecycle::{Caller, Command, Task};
use railsbench_core::protocol::{
    Acknowledged, FailRequest, HeartbeatAnswer, HeartbeatRequest, LogPart, Problem, ReleaseRequest,
    UploadUrls, UploadsRequest,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::auth::Runner;
use super::extract::{Call, PathId};
use super::logs;
use super::problem::ApiError;
use crate::artifacts::ArtifactKey;
use crate::store::{StoreError, StoredRun};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(heartbeat))
        .routes(routes!(uploads))
        .routes(routes!(fail))
        .routes(routes!(release))
}

/// The task of the path and its run, of a caller who may act for that run.
pub(crate) struct RunnerTask(pub(crate) StoredRun, pub(crate) Task);

impl FromRequestParts<App> for RunnerTask {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let runner = Runner::from_request_parts(parts, app).await?;
        let PathId(id) = PathId::<TaskId>::from_request_parts(parts, app).await?;
        let found = app.store.task(&id).await?;
        let (run, task) = found.ok_or(StoreError::UnknownTask(id))?;
        runner.may_act_for(&run.id)?;
        Ok(Self(run, task))
    }
}

/// Who calls, by what the request says.
pub(crate) fn caller(runner_id: Option<RunnerId>, attempt: Option<Attempt>) -> Caller {
    Caller { runner_id, attempt }
}

/// Says that a runner is alive and where its attempt stands; renews the lease. A status of
/// `error` ends the attempt as `fail` would.
#[utoipa::path(post, path = "/tasks/{id}/heartbeat", tag = "tasks", security(("bearer" = [])),
    params(("id" = String, Path, description = "The task")),
    request_body(content(
        (HeartbeatRequest = "application/json"),
        (HeartbeatRequest = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, body = HeartbeatAnswer),
        (status = 409, description = "`lease_lost`, or the task cannot take it in its state",
            body = Problem, content_type = "application/problem+json")))]
async fn heartbeat(
    State(app): State<App>,
    RunnerTask(run, task): RunnerTask,
    Call(request): Call<HeartbeatRequest>,
) -> Result<Json<HeartbeatAnswer>, ApiError> {
    if let Some(progress) = request.progress_pct.filter(|value| !(0.0..=100.0).contains(value)) {
        return Err(ApiError::field(
            "progress_pct",
            format!("{progress} is out of range"),
            "use a number from 0 to 100",
        ));
    }
    let said = logs::said(request.log, request.log_offset)?;
    let command = Command::Heartbeat {
        caller: caller(request.runner_id, request.attempt),
        phase: request.heartbeat_status,
        current_benchmark: request.current_benchmark,
        progress_pct: request.progress_pct,
        message: request.message,
        telemetry: request.telemetry,
    };
    let task = app.store.apply(&task.id, command, app.clock.now()).await?;
    if let Some((offset, text)) = said {
        let part = LogPart { attempt: task.attempt, offset, text };
        app.store.append_log(&task.id, part).await?;
    }
    Ok(Json(HeartbeatAnswer {
        message: "Heartbeat received".to_owned(),
        lease: task.lease(&run.policy),
        directive: task.directive(),
    }))
}

/// Gives fresh upload URLs, because benchmarks outlive any URL.
#[utoipa::path(post, path = "/tasks/{id}/uploads", tag = "tasks", security(("bearer" = [])),
    params(("id" = String, Path, description = "The task")),
    request_body(content(
        (UploadsRequest = "application/json"),
        (UploadsRequest = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, body = UploadUrls),
        (status = 409, description = "`lease_lost`, or the task cannot take an upload in its state",
            body = Problem, content_type = "application/problem+json")))]
async fn uploads(
    State(app): State<App>,
    RunnerTask(run, task): RunnerTask,
    Call(request): Call<UploadsRequest>,
) -> Result<Json<UploadUrls>, ApiError> {
    task.check_upload(&caller(request.runner_id, request.attempt))?;
    Ok(Json(app.upload_urls(&run.id, &task.id, task.attempt).await?))
}

/// Says that an attempt failed. The task is tried again, or fails.
#[utoipa::path(post, path = "/tasks/{id}/fail", tag = "tasks", security(("bearer" = [])),
    params(("id" = String, Path, description = "The task")),
    request_body(content(
        (FailRequest = "application/json"),
        (FailRequest = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, body = Acknowledged),
        (status = 409, description = "`lease_lost`, or the task cannot fail in its state",
            body = Problem, content_type = "application/problem+json")))]
async fn fail(
    State(app): State<App>,
    RunnerTask(run, task): RunnerTask,
    Call(request): Call<FailRequest>,
) -> Result<Json<Acknowledged>, ApiError> {
    let retryable = request.is_retryable();
    let attempt = request.attempt.unwrap_or(task.attempt);
    let key = ArtifactKey::error(&run.id, &task.id, attempt);
    if let Some(named) = request.s3_error_key.as_deref().filter(|named| *named != key.as_str()) {
        return Err(wrong_key("s3_error_key", named, &key));
    }
    let command = Command::Fail {
        caller: caller(request.runner_id, request.attempt),
        error_type: request.error_type,
        error_message: request.error_message,
        retryable,
        error_key: stored_error(&app, &run.id, &key).await,
    };
    let task = app.store.apply(&task.id, command, app.clock.now()).await?;
    tracing::info!(run = %run.id, task = %task.id, status = task.status.as_str(), "attempt failed");
    Ok(Json(Acknowledged {
        message: if task.status.is_ended() {
            "Task failed".to_owned()
        } else {
            "Failure recorded; the task will be tried again".to_owned()
        },
    }))
}

/// The key of an attempt's error archive, if there is one. A failure is recorded in any case.
async fn stored_error(app: &App, run: &RunId, key: &ArtifactKey) -> Option<String> {
    match app.artifacts.head(key).await {
        Ok(found) => found.map(|object| object.key.to_string()),
        Err(error) => {
            tracing::warn!(%run, %key, %error, "cannot look for the error archive");
            None
        }
    }
}

/// The problem of a key that is not the attempt's own.
pub(crate) fn wrong_key(field: &str, named: &str, own: &ArtifactKey) -> ApiError {
    let named: String = named.chars().take(200).collect();
    ApiError::field(
        field,
        format!("{named:?} is not the key of this attempt"),
        format!("leave it out, or send {own}"),
    )
}

/// Gives a task back unharmed; that does not use up an attempt.
#[utoipa::path(post, path = "/tasks/{id}/release", tag = "tasks", security(("bearer" = [])),
    params(("id" = String, Path, description = "The task")),
    request_body(content(
        (ReleaseRequest = "application/json"),
        (ReleaseRequest = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, body = Acknowledged),
        (status = 409, description = "`lease_lost`, or the task cannot be released in its state",
            body = Problem, content_type = "application/problem+json")))]
async fn release(
    State(app): State<App>,
    RunnerTask(_, task): RunnerTask,
    Call(request): Call<ReleaseRequest>,
) -> Result<Json<Acknowledged>, ApiError> {
    let command = Command::Release {
        caller: caller(request.runner_id, request.attempt),
        reason: request.reason,
    };
    app.store.apply(&task.id, command, app.clock.now()).await?;
    Ok(Json(Acknowledged { message: "Task released".to_owned() }))
}
