//! The list of runs, and the page of one run.

use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use railsbench_core::protocol::{RunPage, RunSummary, RunView, TaskView};
use serde::Serialize;

use super::path_prefix;
use crate::http::{ApiError, App};

#[derive(Serialize)]
struct HomePage {
    title: &'static str,
    base: String,
    runs: Vec<RunLine>,
    older: Option<String>,
}

#[derive(Serialize)]
struct RunLine {
    id: String,
    status: &'static str,
    stopping: bool,
    created: String,
    created_ago: String,
    ruby: String,
    total: u32,
    ended: u32,
    completed: u32,
    failed: u32,
}

impl RunLine {
    fn of(run: &RunSummary, now: Timestamp) -> Self {
        Self {
            id: run.run_id.to_string(),
            status: run.status.as_str(),
            stopping: run.stop_requested && !run.status.is_ended(),
            created: minute(run.created_at),
            created_ago: ago(run.created_at, now),
            ruby: run.ruby_version.clone(),
            total: run.task_counts.total,
            ended: run.task_counts.ended(),
            completed: run.task_counts.completed,
            failed: run.task_counts.failed,
        }
    }
}

/// The list of runs.
pub(crate) fn home(app: &App, page: &RunPage) -> Result<Response, ApiError> {
    let now = app.clock.now();
    let data = HomePage {
        title: "Runs",
        base: path_prefix(app),
        runs: page.runs.iter().map(|run| RunLine::of(run, now)).collect(),
        older: page.next_cursor.clone(),
    };
    app.templates.render("home", &data)
}

#[derive(Serialize)]
struct RunDetail {
    title: String,
    base: String,
    run: RunLine,
    live: bool,
    counts: Vec<Count>,
    tasks: Vec<TaskLine>,
    hidden: u32,
}

#[derive(Serialize)]
struct Count {
    name: &'static str,
    count: u32,
}

#[derive(Serialize)]
struct TaskLine {
    label: String,
    provider: String,
    instance_type: String,
    status: &'static str,
    phase: Option<&'static str>,
    progress: Option<u8>,
    benchmark: Option<String>,
    message: Option<String>,
    attempt: u32,
    failures: u32,
    runner: Option<String>,
    updated: String,
    updated_ago: String,
}

impl TaskLine {
    fn of(task: &TaskView, now: Timestamp) -> Self {
        Self {
            label: task.label(),
            provider: task.provider.to_string(),
            instance_type: task.instance_type.to_string(),
            status: task.status.as_str(),
            phase: task.phase.map(railsbench_core::protocol::Phase::as_str),
            progress: task.progress_pct.map(percent),
            benchmark: task.current_benchmark.clone(),
            message: task.message.clone(),
            attempt: task.attempt.0,
            failures: task.failures,
            runner: task.runner_id.as_ref().map(ToString::to_string),
            updated: minute(task.updated_at),
            updated_ago: ago(task.updated_at, now),
        }
    }
}

/// The page of one run.
pub(crate) fn run(app: &App, view: &RunView) -> Result<Response, ApiError> {
    let now = app.clock.now();
    let summary = &view.summary;
    let counts = summary.task_counts;
    let shown = u32::try_from(view.tasks.len()).unwrap_or(u32::MAX);
    let data = RunDetail {
        title: format!("Run {}", summary.run_id),
        base: path_prefix(app),
        run: RunLine::of(summary, now),
        live: !summary.status.is_ended(),
        counts: vec![
            Count { name: "pending", count: counts.pending },
            Count { name: "claimed", count: counts.claimed },
            Count { name: "running", count: counts.running },
            Count { name: "completed", count: counts.completed },
            Count { name: "failed", count: counts.failed },
            Count { name: "cancelled", count: counts.cancelled },
        ],
        tasks: view.tasks.iter().map(|task| TaskLine::of(task, now)).collect(),
        hidden: counts.total.saturating_sub(shown),
    };
    app.templates.render("run", &data)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=100")]
fn percent(value: f64) -> u8 {
    value.clamp(0.0, 100.0).round() as u8
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// How long ago, in one unit.
fn ago(at: Timestamp, now: Timestamp) -> String {
    let passed = now.duration_since(at).max(SignedDuration::ZERO);
    let (number, unit) = match passed.as_secs() {
        seconds @ ..60 => (seconds, "s"),
        seconds @ 60..3600 => (seconds / 60, "min"),
        seconds @ 3600..172_800 => (seconds / 3600, "h"),
        seconds => (seconds / 86_400, "days"),
    };
    format!("{number} {unit} ago")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_one_unit() {
        let then = Timestamp::UNIX_EPOCH;
        for (seconds, text) in [
            (-5, "0 s ago"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (7200, "2 h ago"),
            (172_800, "2 days ago"),
        ] {
            assert_eq!(ago(then, then + SignedDuration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn percentages_stay_in_range() {
        assert_eq!([percent(-1.0), percent(49.6), percent(1e9)], [0, 50, 100]);
    }
}
