//! What a run's tasks left behind.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::State;
use futures::TryStreamExt;
use railsbench_core::id::{RunId, TaskId};
use railsbench_core::lifecycle::{StoredResult, Task};
use railsbench_core::protocol::{ArtifactFile, FinishedTask, RunResults, TaskStatus};
use sha2::{Digest, Sha256};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::auth::Reader;
use super::extract::PathId;
use super::problem::ApiError;
use super::runs;
use crate::artifacts::{ArtifactError, ArtifactKey, ArtifactStore, ObjectInfo};
use crate::store::TaskFilter;

/// How many tasks are read from the store at once.
const PAGE: u32 = 1000;

/// How many objects' sizes and SHA-256 are remembered.
const MEASURED: usize = 10_000;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(results))
}

/// The ended tasks of a run with their files: the accepted result of each completed task, and
/// the newest error archive of each failed one.
#[utoipa::path(get, path = "/runs/{id}/results", tag = "results", security(("bearer" = [])),
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, body = RunResults)))]
async fn results(
    _: Reader,
    State(app): State<App>,
    PathId(id): PathId<RunId>,
) -> Result<Json<RunResults>, ApiError> {
    runs::stored(&app, &id).await?;
    let mut finished = Vec::new();
    for task in tasks_with(&app, &id, TaskStatus::Completed).await? {
        if let Some(result) = task.result.clone() {
            finished.push(entry(&app, task, result).await?);
        }
    }
    for task in tasks_with(&app, &id, TaskStatus::Failed).await? {
        if let Some(key) = task.error_key.clone() {
            let key = ArtifactKey::new(&key)?;
            if let Some(error) = app.measured.of(app.artifacts.as_ref(), &key).await? {
                finished.push(entry(&app, task, error).await?);
            }
        }
    }
    Ok(Json(RunResults { run_id: id, tasks: finished }))
}

/// All tasks of a run in one state, in creation order.
pub(crate) async fn tasks_with(
    app: &App,
    run: &RunId,
    status: TaskStatus,
) -> Result<Vec<Task>, ApiError> {
    let filter = TaskFilter { status: Some(status), ..TaskFilter::default() };
    let mut tasks = Vec::new();
    let mut after: Option<TaskId> = None;
    loop {
        let page = app.store.tasks(run, &filter, after.as_ref(), PAGE).await?;
        let full = page.len() >= PAGE as usize;
        after = page.last().map(|task| task.id.clone());
        tasks.extend(page);
        if !full {
            return Ok(tasks);
        }
    }
}

async fn entry(app: &App, task: Task, file: StoredResult) -> Result<FinishedTask, ApiError> {
    let key = ArtifactKey::new(&file.key)?;
    let url =
        app.artifacts.sign_get(&key, app.config.download_url_valid, app.clock.now()).await?.url;
    let name = key.file_name().to_owned();
    Ok(FinishedTask {
        id: task.id,
        provider: task.provider,
        instance_type: task.instance_type,
        alias: task.alias,
        run_number: task.run_number,
        status: task.status,
        artifacts: vec![ArtifactFile { name, size: file.size, sha256: file.sha256, url }],
    })
}

/// Sizes and SHA-256 of objects that have been read for them, so that listing the results of a
/// run with many failed tasks does not read all of their archives each time.
#[derive(Debug, Default)]
pub(crate) struct Measured(Mutex<HashMap<ArtifactKey, (ObjectInfo, StoredResult)>>);

impl Measured {
    /// Size and SHA-256 of an object; `None` if there is none.
    pub(crate) async fn of(
        &self,
        artifacts: &dyn ArtifactStore,
        key: &ArtifactKey,
    ) -> Result<Option<StoredResult>, ArtifactError> {
        let Some(info) = artifacts.head(key).await? else {
            return Ok(None);
        };
        if let Some((seen, known)) = self.lock().get(key)
            && seen == &info
        {
            return Ok(Some(known.clone()));
        }
        let measured = match measure(artifacts, key).await {
            Ok(measured) => measured,
            Err(ArtifactError::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut known = self.lock();
        if known.len() >= MEASURED {
            known.clear();
        }
        // What was read may be newer than what was looked at: then it is looked up in vain.
        if measured.size == info.size {
            known.insert(key.clone(), (info, measured.clone()));
        }
        Ok(Some(measured))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ArtifactKey, (ObjectInfo, StoredResult)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Size and SHA-256 of an object, by reading it.
pub(crate) async fn measure(
    artifacts: &dyn ArtifactStore,
    key: &ArtifactKey,
) -> Result<StoredResult, ArtifactError> {
    let mut bytes = artifacts.read(key).await?;
    let mut hash = Sha256::new();
    let mut size = 0;
    while let Some(chunk) = bytes.try_next().await? {
        size += chunk.len() as u64;
        hash.update(&chunk);
    }
    Ok(StoredResult { key: key.to_string(), size, sha256: hex::encode(hash.finalize()) })
}
