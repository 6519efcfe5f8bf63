//! What needs an operator's attention now, computed when it is asked for.

use jiff::{SignedDuration, Timestamp};
use railsbench_core::id::{RunId, TaskId};
use railsbench_core::protocol::TaskStatus;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::App;
use crate::metrics::all_runs;
use crate::store::{StoreError, TaskFilter};

/// A held task that was silent for so long is worth a look.
const SILENCE: SignedDuration = SignedDuration::from_mins(5);

/// How many tasks are read from the store at once.
const PAGE: u32 = 1000;

/// `GET /alerts`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Alerts {
    /// Those that fire now; none is good.
    pub alerts: Vec<Alert>,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Alert {
    /// Which kind.
    pub name: AlertName,
    /// What happens, in words.
    pub summary: String,
    /// In which run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// To which task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// Since when, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
}

/// The kinds of alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertName {
    /// A runner holds a task and has sent no heartbeat for five minutes.
    TaskSilent,
    /// The artifact store does not answer.
    ArtifactStoreFailing,
}

/// The alerts that fire now.
pub(crate) async fn firing(app: &App) -> Result<Alerts, StoreError> {
    let mut alerts = Vec::new();
    if let Err(error) = app.artifacts.ping().await {
        alerts.push(Alert {
            name: AlertName::ArtifactStoreFailing,
            summary: error.to_string(),
            run_id: None,
            task_id: None,
            since: None,
        });
    }
    let now = app.clock.now();
    for run in all_runs(app).await? {
        if run.run.counts.claimed + run.run.counts.running == 0 {
            continue;
        }
        for status in [TaskStatus::Claimed, TaskStatus::Running] {
            let filter = TaskFilter { status: Some(status), ..TaskFilter::default() };
            let mut after: Option<TaskId> = None;
            loop {
                let tasks = app.store.tasks(&run.id, &filter, after.as_ref(), PAGE).await?;
                let full = tasks.len() >= PAGE as usize;
                after = tasks.last().map(|task| task.id.clone());
                let silent = tasks
                    .into_iter()
                    .filter(|task| now.duration_since(task.updated_at) > SILENCE)
                    .map(|task| Alert {
                        name: AlertName::TaskSilent,
                        summary: format!(
                            "{} number {} of {} has sent no heartbeat since {}",
                            task.instance_type,
                            task.run_number,
                            task.provider,
                            task.updated_at.strftime("%Y-%m-%dT%H:%M:%SZ")
                        ),
                        run_id: Some(run.id.clone()),
                        task_id: Some(task.id),
                        since: Some(task.updated_at),
                    });
                alerts.extend(silent);
                if !full {
                    break;
                }
            }
        }
    }
    Ok(Alerts { alerts })
}
