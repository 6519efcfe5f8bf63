//! Runs and their tasks.

use std::fmt::Write;

use railsbench::protocol::{RunSummary, RunView, TaskCounts};

use super::table::{table, text};
use super::units;

/// A list of runs, newest first.
pub fn runs(runs: &[RunSummary]) -> String {
    if runs.is_empty() {
        return "no runs; start one with: railsbench run CONFIG\n".to_owned();
    }
    let mut rows = table(&["run", "status", "tasks", "ruby", "created", "ended"], &[]);
    for run in runs {
        rows.add_row(vec![
            run.run_id.to_string(),
            status(run),
            counts(&run.task_counts),
            run.ruby_version.clone(),
            units::moment(run.created_at),
            run.ended_at.map_or_else(|| "–".to_owned(), units::moment),
        ]);
    }
    text(&rows)
}

/// One run with its tasks.
pub fn run(view: &RunView) -> String {
    let summary = &view.summary;
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "run {}: {}, {}, Ruby {}, created {}\n",
        summary.run_id,
        status(summary),
        counts(&summary.task_counts),
        summary.ruby_version,
        units::moment(summary.created_at),
    );
    let mut rows = table(
        &["task", "provider", "status", "phase", "done", "attempt", "benchmark", "message"],
        &[4, 5],
    );
    for task in &view.tasks {
        rows.add_row(vec![
            task.label(),
            task.provider.to_string(),
            task.status.as_str().to_owned(),
            task.phase.map_or_else(|| "–".to_owned(), |phase| phase.to_string()),
            task.progress_pct.map_or_else(|| "–".to_owned(), |percent| format!("{percent:.0} %")),
            task.attempt.to_string(),
            task.current_benchmark.clone().unwrap_or_else(|| "–".to_owned()),
            task.message.clone().unwrap_or_default(),
        ]);
    }
    out.push_str(&text(&rows));
    let shown = u32::try_from(view.tasks.len()).unwrap_or(u32::MAX);
    if shown < summary.task_counts.total {
        let _ = writeln!(out, "and {} more tasks", summary.task_counts.total - shown);
    }
    out
}

fn status(run: &RunSummary) -> String {
    if run.stop_requested && !run.status.is_ended() {
        format!("{}, stopping", run.status.as_str())
    } else {
        run.status.as_str().to_owned()
    }
}

/// `3 of 4 ended, 1 failed`: what the operator wants to know first.
pub fn counts(counts: &TaskCounts) -> String {
    let mut text = format!("{} of {} ended", counts.ended(), counts.total);
    for (number, word) in [
        (counts.claimed + counts.running, "running"),
        (counts.failed, "failed"),
        (counts.cancelled, "cancelled"),
    ] {
        if number > 0 {
            // Writing to a string cannot fail.
            let _ = write!(text, ", {number} {word}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_say_what_went_wrong() {
        let all =
            TaskCounts { total: 4, completed: 2, failed: 1, running: 1, ..Default::default() };
        assert_eq!(counts(&all), "3 of 4 ended, 1 running, 1 failed");
        assert_eq!(
            counts(&TaskCounts { total: 2, pending: 2, ..Default::default() }),
            "0 of 2 ended"
        );
    }
}
