//! What is known of a run's tasks, folded from its events, and what is new in each event.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use railsbench::id::TaskId;
use railsbench::protocol::{EventKind, EventRecord, Phase, RunView, TaskCounts, TaskStatus};

use crate::render::units;

/// One task as it stands.
#[derive(Debug, Clone, Default)]
pub struct Task {
    /// What its results are filed under.
    pub label: String,
    /// State.
    pub status: TaskStatus,
    /// Where the attempt stands.
    pub phase: Option<Phase>,
    /// What runs now.
    pub benchmark: Option<String>,
    /// How much is done, 0 to 100.
    pub percent: Option<f64>,
    /// When the attempt began.
    pub since: Option<Timestamp>,
    /// What its runner last said.
    message: Option<String>,
}

impl Task {
    /// How long the attempt has been going on.
    pub fn elapsed(&self, now: Timestamp) -> Duration {
        self.since.map_or(Duration::ZERO, |since| between(since, now))
    }

    /// How long it will go on, as far as its progress tells.
    pub fn remaining(&self, now: Timestamp) -> Option<Duration> {
        remaining(self.elapsed(now), self.percent? / 100.0)
    }

    fn forget_attempt(&mut self) {
        self.phase = None;
        self.benchmark = None;
        self.percent = None;
        self.since = None;
        self.message = None;
    }
}

/// Something worth telling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// In words.
    pub text: String,
    /// Whether it stays worth telling when a progress bar shows the present state anyway.
    pub lasting: bool,
}

/// All tasks of a run.
#[derive(Debug, Default)]
pub struct Board {
    tasks: BTreeMap<TaskId, Task>,
    counts: TaskCounts,
    began: Option<Timestamp>,
    /// Events up to here are known from the stored run and not told again.
    known_until: Option<Timestamp>,
}

impl Board {
    /// Takes over a run as it is stored.
    pub fn load(&mut self, run: &RunView) {
        self.counts = run.summary.task_counts;
        self.known_until = run.tasks.iter().map(|task| task.updated_at).max();
        for view in &run.tasks {
            let task = Task {
                label: view.label(),
                status: view.status,
                phase: view.phase,
                benchmark: view.current_benchmark.clone(),
                percent: view.progress_pct,
                since: view.status.is_held().then_some(view.updated_at),
                message: view.message.clone(),
            };
            self.tasks.insert(view.id.clone(), task);
        }
    }

    /// The tasks by state.
    pub fn counts(&self) -> &TaskCounts {
        &self.counts
    }

    /// A task.
    pub fn task(&self, id: &TaskId) -> Option<&Task> {
        self.tasks.get(id)
    }

    /// How much of all tasks is done, 0 to 1.
    pub fn fraction(&self) -> f64 {
        if self.counts.total == 0 {
            return 0.0;
        }
        let held: f64 = self
            .tasks
            .values()
            .filter(|task| task.status.is_held())
            .map(|task| task.percent.unwrap_or(0.0) / 100.0)
            .sum();
        (f64::from(self.counts.ended()) + held) / f64::from(self.counts.total)
    }

    /// How long the run will go on, as far as its progress tells.
    pub fn remaining(&self, now: Timestamp) -> Option<Duration> {
        remaining(between(self.began?, now), self.fraction())
    }

    /// Takes in an event and says what is new in it. Events may be older than the loaded run:
    /// each tells how a task moved on from the event before, so no task is counted twice.
    pub fn apply(&mut self, record: &EventRecord) -> Option<Note> {
        let is_new = self.known_until.is_none_or(|known| record.event.at > known);
        self.follow(record).filter(|_| is_new)
    }

    fn follow(&mut self, record: &EventRecord) -> Option<Note> {
        let Some(id) = &record.event.task_id else {
            return run_note(&record.event.kind);
        };
        if let EventKind::TaskCreated { instance_type, alias, run_number, .. } = &record.event.kind
        {
            if !self.tasks.contains_key(id) {
                let name =
                    alias.as_ref().map_or_else(|| instance_type.to_string(), ToString::to_string);
                let label = format!("{name}-{run_number}");
                self.tasks.insert(id.clone(), Task { label, ..Task::default() });
                self.counts.total += 1;
                self.counts.pending += 1;
            }
            return None;
        }
        let task = self
            .tasks
            .entry(id.clone())
            .or_insert_with(|| Task { label: id.to_string(), ..Task::default() });
        let before = task.status;
        let (text, lasting) = step(task, record)?;
        let after = task.status;
        let note = Note { text: format!("{}: {text}", task.label), lasting };
        if before != after {
            let left = self.counts.of(before);
            *left = left.saturating_sub(1);
            *self.counts.of(after) += 1;
        }
        if after.is_held() && self.began.is_none() {
            self.began = Some(record.event.at);
        }
        (!note.text.ends_with(": ")).then_some(note)
    }
}

/// Moves a task on; gives what is new in words (nothing new: an empty text) and whether that
/// is lasting. `None` for events that are not a task's.
fn step(task: &mut Task, record: &EventRecord) -> Option<(String, bool)> {
    Some(match &record.event.kind {
        EventKind::TaskClaimed { attempt, runner_id, .. } => {
            task.forget_attempt();
            task.status = TaskStatus::Claimed;
            task.since = Some(record.event.at);
            (format!("claimed by {runner_id}, attempt {attempt}"), false)
        }
        EventKind::Heartbeat { phase, current_benchmark, progress_pct, message, .. } => {
            let said = message.as_ref().filter(|_| task.message != *message);
            let news = said.is_some()
                || task.phase != Some(*phase)
                || (current_benchmark.is_some() && task.benchmark != *current_benchmark);
            task.phase = Some(*phase);
            if *phase == Phase::Running {
                task.status = TaskStatus::Running;
            }
            for (known, told) in
                [(&mut task.benchmark, current_benchmark), (&mut task.message, message)]
            {
                if told.is_some() {
                    known.clone_from(told);
                }
            }
            task.percent = progress_pct.or(task.percent);
            (if news { heartbeat(task, said) } else { String::new() }, false)
        }
        EventKind::TaskRequeued { message, .. } => {
            task.forget_attempt();
            task.status = TaskStatus::Pending;
            (format!("to be claimed again: {message}"), true)
        }
        EventKind::TaskCompleted { .. } => {
            task.status = TaskStatus::Completed;
            let took = units::wait(task.elapsed(record.event.at));
            (format!("completed in {took}"), true)
        }
        EventKind::TaskFailed { error_type, error_message, failures, .. } => {
            task.status = TaskStatus::Failed;
            (format!("failed after {failures} failures: {error_type}: {error_message}"), true)
        }
        EventKind::TaskCancelled => {
            task.status = TaskStatus::Cancelled;
            ("cancelled".to_owned(), true)
        }
        EventKind::RunCreated
        | EventKind::RunStatusChanged { .. }
        | EventKind::StopRequested
        | EventKind::TaskCreated { .. } => return None,
    })
}

/// Where a task stands, and what its runner has just said.
fn heartbeat(task: &Task, said: Option<&String>) -> String {
    let mut text = task.phase.map_or_else(String::new, |phase| phase.to_string());
    if task.phase == Some(Phase::Running) {
        let percent = task.percent.map(|percent| format!("({percent:.0} %)"));
        for part in task.benchmark.iter().chain(&percent) {
            text.push(' ');
            text.push_str(part);
        }
    }
    if let Some(said) = said {
        text.push_str(", ");
        text.push_str(said);
    }
    text
}

fn run_note(kind: &EventKind) -> Option<Note> {
    let text = match kind {
        EventKind::RunStatusChanged { status } => format!("the run is {}", status.as_str()),
        EventKind::StopRequested => "the run is asked to stop".to_owned(),
        _ => return None,
    };
    Some(Note { text, lasting: false })
}

/// What remains if progress goes on as so far. Below one percent nothing can be said.
fn remaining(elapsed: Duration, fraction: f64) -> Option<Duration> {
    if !(0.01..=1.0).contains(&fraction) {
        return None;
    }
    Duration::try_from_secs_f64(elapsed.as_secs_f64() * (1.0 - fraction) / fraction).ok()
}

/// The time from one moment to a later one; none if the clocks disagree.
fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TASK: &str = "01JDG5Y2Q5Z9V1T7X3R8C6B4AA";

    fn record(second: u8, event: &serde_json::Value) -> EventRecord {
        let mut body = json!({
            "seq": 1, "run_id": "r1", "task_id": TASK,
            "at": format!("2026-01-01T00:00:{second:02}Z"),
        });
        for (key, value) in event.as_object().unwrap() {
            body[key] = value.clone();
        }
        serde_json::from_value(body).unwrap()
    }

    fn created() -> serde_json::Value {
        json!({"event": "task_created", "provider": "local", "instance_type": "host", "run_number": 1})
    }

    fn claimed() -> serde_json::Value {
        json!({"event": "task_claimed", "runner_id": "runner-a", "attempt": 1,
               "lease_expires_at": "2026-01-01T00:05:00Z"})
    }

    fn heartbeat(benchmark: &str, percent: f64) -> serde_json::Value {
        json!({"event": "heartbeat", "phase": "running", "current_benchmark": benchmark,
               "progress_pct": percent, "lease_expires_at": "2026-01-01T00:05:00Z"})
    }

    fn told(board: &mut Board, second: u8, event: &serde_json::Value) -> Option<String> {
        board.apply(&record(second, event)).map(|note| note.text)
    }

    #[test]
    fn a_task_is_told_from_claim_to_completion() {
        let mut board = Board::default();
        assert_eq!(told(&mut board, 0, &created()), None);
        assert_eq!(board.counts().pending, 1);
        assert_eq!(
            told(&mut board, 1, &claimed()).as_deref(),
            Some("host-1: claimed by runner-a, attempt 1")
        );
        assert_eq!(
            told(&mut board, 2, &heartbeat("boot", 0.0)).as_deref(),
            Some("host-1: running boot (0 %)")
        );
        assert_eq!(told(&mut board, 3, &heartbeat("boot", 20.0)), None, "nothing new");
        let now = "2026-01-01T00:00:11Z".parse().unwrap();
        let task = board.task(&TaskId::new(TASK).unwrap()).unwrap();
        assert_eq!(task.elapsed(now), Duration::from_secs(10));
        assert_eq!(task.remaining(now), Some(Duration::from_secs(40)));
        assert_eq!(board.remaining(now), Some(Duration::from_secs(40)));
        assert_eq!(board.counts().running, 1);
        let completed = json!({"event": "task_completed", "attempt": 1, "result_key": "k",
                               "size": 1, "sha256": "00"});
        assert_eq!(told(&mut board, 31, &completed).as_deref(), Some("host-1: completed in 30 s"));
        assert_eq!((board.counts().completed, board.counts().running), (1, 0));
        assert!((board.fraction() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_requeued_task_starts_over() {
        let mut board = Board::default();
        board.apply(&record(0, &created()));
        board.apply(&record(1, &claimed()));
        board.apply(&record(2, &heartbeat("boot", 50.0)));
        let requeued = json!({"event": "task_requeued", "reason": "lease_expired",
                              "message": "no heartbeat for 150 s", "failures": 1});
        let note = board.apply(&record(3, &requeued)).unwrap();
        assert!(note.lasting);
        assert_eq!(note.text, "host-1: to be claimed again: no heartbeat for 150 s");
        assert_eq!(board.counts().pending, 1);
        assert!(board.fraction().abs() < 1e-9);
    }

    #[test]
    fn replaying_old_events_over_a_loaded_run_counts_nothing_twice() {
        let mut board = Board::default();
        board.apply(&record(0, &created()));
        for _ in 0..2 {
            board.apply(&record(0, &created()));
            board.apply(&record(1, &claimed()));
            board.apply(&record(2, &json!({"event": "task_cancelled"})));
        }
        let counts = board.counts();
        assert_eq!((counts.total, counts.cancelled, counts.ended()), (1, 1, 1));
    }
}
