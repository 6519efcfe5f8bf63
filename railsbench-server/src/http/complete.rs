//! A runner says that its result is stored. The server looks before it believes.

use axum::Json;
use axum::extract::State;
use railsbench_core::lifecycle::{Command, StoredResult};
use railsbench_core::protocol::{Acknowledged, CompleteRequest, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::extract::Call;
use super::problem::ApiError;
use super::tasks::{RunnerTask, caller, wrong_key};
use crate::artifacts::ArtifactKey;
use crate::artifacts::archive::{self, ArchiveProblem, Limits};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(complete))
}

/// Ends a task with the result that was uploaded. The object must exist, match the size and
/// SHA-256 if they are given, and be a readable tar.gz with `metadata.json` inside; otherwise
/// the answer is 422 and the attempt goes on. Completing twice is fine.
#[utoipa::path(post, path = "/tasks/{id}/complete", tag = "tasks", security(("bearer" = [])),
    params(("id" = String, Path, description = "The task")),
    request_body(content(
        (CompleteRequest = "application/json"),
        (CompleteRequest = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, body = Acknowledged),
        (status = 409, description = "`lease_lost`, or the task cannot complete in its state",
            body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is wrong, or what was uploaded is no result",
            body = Problem, content_type = "application/problem+json")))]
async fn complete(
    State(app): State<App>,
    RunnerTask(run, task): RunnerTask,
    Call(request): Call<CompleteRequest>,
) -> Result<Json<Acknowledged>, ApiError> {
    let mut caller = caller(request.runner_id.clone(), request.attempt);
    // The attempt that is looked at is the one that completes, whatever happens meanwhile.
    let attempt = request.attempt.unwrap_or(task.attempt);
    caller.attempt = Some(attempt);
    let result = if let Some(result) = task.result.clone() {
        // It has been looked at; whether this caller may say so again is for the lifecycle.
        result
    } else {
        task.check_upload(&caller)?;
        let key = ArtifactKey::result(&run.id, &task.id, attempt);
        look(&app, &key, &request).await?
    };
    let command = Command::Complete { caller, result };
    app.store.apply(&task.id, command, app.clock.now()).await?;
    tracing::info!(run = %run.id, task = %task.id, %attempt, "task completed");
    Ok(Json(Acknowledged { message: "Task completed".to_owned() }))
}

/// Looks at what is stored.
async fn look(
    app: &App,
    key: &ArtifactKey,
    request: &CompleteRequest,
) -> Result<StoredResult, ApiError> {
    if let Some(named) = request.s3_result_key.as_deref().filter(|named| *named != key.as_str()) {
        return Err(wrong_key("s3_result_key", named, key));
    }
    let sha256 = request.sha256.as_deref().map(str::to_ascii_lowercase);
    let is_hash = |text: &String| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if sha256.as_ref().is_some_and(|text| !is_hash(text)) {
        return Err(ApiError::field(
            "sha256",
            "not a SHA-256",
            "send its 64 hexadecimal digits, or leave it out",
        ));
    }
    let stored = app.artifacts.head(key).await?.ok_or_else(|| {
        ApiError::field(
            "s3_result_key",
            format!("nothing is stored at {key}"),
            "PUT the archive to the result_upload_url first; POST …/uploads gives a fresh one",
        )
    })?;
    if let Some(size) = request.size.filter(|size| *size != stored.size) {
        return Err(ApiError::field(
            "size",
            format!("{} bytes are stored, not {size}", stored.size),
            "upload the archive again",
        ));
    }
    let _turn = app.inspections.acquire().await.map_err(|error| ApiError::internal(&error))?;
    let limits = Limits { max_bytes: app.config.max_upload_bytes, ..Limits::default() };
    let found = match archive::inspect(app.artifacts.read(key).await?, limits).await {
        Ok(found) => found,
        Err(ArchiveProblem::Store(error)) => return Err(error.into()),
        Err(problem) => {
            return Err(ApiError::field(
                "s3_result_key",
                problem.to_string(),
                "upload a good archive and complete again",
            ));
        }
    };
    if sha256.is_some_and(|sha256| sha256 != found.sha256) {
        return Err(ApiError::field(
            "sha256",
            format!("the stored archive has {}", found.sha256),
            "upload the archive again",
        ));
    }
    Ok(StoredResult { key: key.to_string(), size: found.size, sha256: found.sha256 })
}
