//! A runner asks for work.

use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use railsbench_core::id::{RunId, RunnerId};
use railsbench_core::lifecycle::{Caller, Command, Task};
use railsbench_core::protocol::{ClaimAnswer, ClaimRequest, TaskSpec};
use tokio::sync::broadcast;
use tokio::time::{Instant, sleep};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::auth::Runner;
use super::extract::{Call, PathId};
use super::problem::ApiError;
use super::runs;
use crate::store::{ClaimCommand, Claimed, StoredRun};

/// Longest wait that a claim may ask for, in seconds.
const LONGEST_WAIT: u32 = 30;

/// Least pause between two looks of one waiting claim, so that a busy run, whose every heartbeat
/// is news, is not asked all the time.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(claim))
}

/// The run of the path, of a caller who may act for it.
struct RunnerOf(RunId);

impl FromRequestParts<App> for RunnerOf {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let runner = Runner::from_request_parts(parts, app).await?;
        let PathId(run) = PathId::<RunId>::from_request_parts(parts, app).await?;
        runner.may_act_for(&run)?;
        Ok(Self(run))
    }
}

/// Gives a runner a task, tells it to wait, or that it is done. A runner that repeats its claim
/// while it holds a task gets the same task and attempt.
#[utoipa::path(post, path = "/runs/{id}/tasks/claim", tag = "tasks", security(("bearer" = [])),
    params(("id" = String, Path, description = "The run")),
    request_body(content(
        (ClaimRequest = "application/json"),
        (ClaimRequest = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, body = ClaimAnswer)))]
async fn claim(
    State(app): State<App>,
    RunnerOf(run_id): RunnerOf,
    Call(request): Call<ClaimRequest>,
) -> Result<Json<ClaimAnswer>, ApiError> {
    let wait_seconds = request.wait_seconds.unwrap_or(0);
    if wait_seconds > LONGEST_WAIT {
        return Err(ApiError::field(
            "wait_seconds",
            format!("{wait_seconds} is too long"),
            format!("use at most {LONGEST_WAIT} and ask again"),
        ));
    }
    let run = runs::stored(&app, &run_id).await?;
    let runner_id = match request.runner_id {
        Some(runner_id) => runner_id,
        None => new_runner_id(&app)?,
    };
    let command = ClaimCommand {
        run_id,
        provider: request.provider,
        instance_type: request.instance_type,
        runner_id: runner_id.clone(),
        runner: request.runner,
    };
    let deadline = Instant::now() + Duration::from_secs(u64::from(wait_seconds));
    loop {
        // Listen before looking: what happens in between is then not missed.
        let mut changes = app.store.changes();
        let now = app.clock.now();
        let until = match app.store.claim(command.clone(), now).await? {
            Claimed::Task(task) => return assign(&app, &run, *task).await.map(Json),
            Claimed::Done => return Ok(Json(ClaimAnswer::Done)),
            Claimed::Wait { until } => until,
        };
        let idle = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || app.draining.is_cancelled() {
            let seconds = idle.as_millis().div_ceil(1000).max(1);
            return Ok(Json(ClaimAnswer::Wait {
                retry_after_seconds: u32::try_from(seconds).unwrap_or(u32::MAX),
                runner_id,
            }));
        }
        tokio::select! {
            () = changed(&mut changes, &command.run_id) => sleep(LOOK_PAUSE.min(left)).await,
            // Looking again at the end of its time keeps the runner's place among the spares.
            () = sleep(left.min(idle)) => {}
            () = app.draining.cancelled() => {}
        }
    }
}

/// Waits for news of a run.
pub(crate) async fn changed(changes: &mut broadcast::Receiver<RunId>, run: &RunId) {
    loop {
        match changes.recv().await {
            Ok(id) if &id != run => {}
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
            // The store is gone; the next look at it says so.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

fn new_runner_id(app: &App) -> Result<RunnerId, ApiError> {
    let milliseconds = u64::try_from(app.clock.now().as_millisecond()).unwrap_or(0);
    let unique = ulid::Ulid::from_parts(milliseconds, rand::random());
    RunnerId::new(format!("runner-{unique}")).map_err(|error| ApiError::internal(&error))
}

/// The answer with a task. If its upload URLs cannot be made, the task goes back unharmed.
async fn assign(app: &App, run: &StoredRun, task: Task) -> Result<ClaimAnswer, ApiError> {
    let lease = task
        .lease(&run.policy)
        .ok_or_else(|| ApiError::internal(&format!("claimed task {} has no lease", task.id)))?;
    let urls = match app.upload_urls(&run.id, &task.id, task.attempt).await {
        Ok(urls) => urls,
        Err(error) => {
            let caller = Caller { runner_id: Some(lease.runner_id), attempt: Some(lease.attempt) };
            let reason = Some("no upload URL could be signed".to_owned());
            let release = Command::Release { caller, reason };
            if let Err(error) = app.store.apply(&task.id, release, app.clock.now()).await {
                tracing::warn!(task = %task.id, %error, "cannot release it; its lease will end");
            }
            return Err(error);
        }
    };
    tracing::info!(
        run = %run.id, task = %task.id, attempt = %task.attempt, runner = %lease.runner_id,
        "task assigned"
    );
    Ok(ClaimAnswer::Assigned {
        task_id: task.id.clone(),
        upload_url: urls.result_upload_url.clone(),
        run_number: task.run_number,
        task: Box::new(TaskSpec {
            id: task.id,
            provider: task.provider,
            instance_type: task.instance_type,
            alias: task.alias,
            run_number: task.run_number,
            ruby_version: run.config.ruby_version.to_string(),
            mock: run.config.mock,
            workload: run.config.workload.clone(),
        }),
        presigned_urls: Box::new(urls),
        lease,
    })
}
