//! Progress bars: one per task that a runner holds, and one for the whole run.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use railsbench::id::TaskId;

use super::board::{Board, Task};
use crate::render::{self, units};

/// The bars resolve tenths of a percent.
const STEPS: u64 = 1000;

/// The bars on the terminal.
pub struct Bars {
    all: MultiProgress,
    overall: ProgressBar,
    tasks: BTreeMap<TaskId, ProgressBar>,
    stage: &'static str,
}

impl Bars {
    /// An empty overall bar.
    pub fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let overall = all.add(ProgressBar::new(STEPS));
        overall.set_style(style("{bar:24.green/black.bright} {msg}"));
        overall.tick();
        Self { all, overall, tasks: BTreeMap::new(), stage: "" }
    }

    /// Shows the stage of the campaign.
    pub fn stage(&mut self, stage: &'static str) {
        self.stage = stage;
        self.overall.set_message(stage);
    }

    /// Shows a task as it stands; its bar lives while a runner holds it.
    pub fn task(&mut self, id: &TaskId, task: &Task) {
        if !task.status.is_held() {
            if let Some(bar) = self.tasks.remove(id) {
                bar.finish_and_clear();
                self.all.remove(&bar);
            }
            return;
        }
        let bar = self.tasks.entry(id.clone()).or_insert_with(|| {
            let bar = self.all.insert_before(&self.overall, ProgressBar::new(STEPS));
            bar.set_style(style("{bar:24.cyan/black.bright} {prefix:.bold} {msg}"));
            bar.set_prefix(task.label.clone());
            bar
        });
        draw(bar, task, Timestamp::now());
    }

    /// Shows the whole run.
    pub fn overall(&mut self, board: &Board, now: Timestamp) {
        self.overall.set_position(position(board.fraction()));
        let counts = board.counts();
        let left = board
            .remaining(now)
            .filter(|_| counts.ended() < counts.total)
            .map_or_else(String::new, |left| format!(", {} left", units::clock(left)));
        let elapsed = units::clock(self.overall.elapsed());
        let ended = render::counts(counts);
        self.overall.set_message(format!("{} · {ended} · {elapsed}{left}", self.stage));
    }

    /// Moves the clocks on.
    pub fn tick(&mut self, board: &Board, now: Timestamp) {
        for (id, bar) in &self.tasks {
            if let Some(task) = board.task(id) {
                draw(bar, task, now);
            }
        }
        if board.counts().total > 0 {
            self.overall(board, now);
        }
    }

    /// Prints a line above the bars.
    pub fn say(&self, text: &str) {
        // A terminal that is gone shows nothing anyway.
        let _ = self.all.println(units::plain(text));
    }

    /// Takes all bars away.
    pub fn clear(self) {
        for bar in self.tasks.values() {
            bar.finish_and_clear();
        }
        self.overall.finish_and_clear();
        // As above.
        let _ = self.all.clear();
    }
}

fn draw(bar: &ProgressBar, task: &Task, now: Timestamp) {
    bar.set_position(position(task.percent.unwrap_or(0.0) / 100.0));
    let phase = task.phase.map_or_else(|| "claimed".to_owned(), |phase| phase.to_string());
    let mut message = phase;
    if let Some(benchmark) = &task.benchmark {
        message.push(' ');
        message.push_str(&units::plain(benchmark));
    }
    let percent = task.percent.map_or_else(String::new, |percent| format!(" {percent:.0} %"));
    let left = task
        .remaining(now)
        .filter(|left| *left > Duration::ZERO)
        .map_or_else(String::new, |left| format!(", {} left", units::clock(left)));
    bar.set_message(format!("{message}{percent} · {}{left}", units::clock(task.elapsed(now))));
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
// In range: clamped right here.
fn position(fraction: f64) -> u64 {
    (fraction.clamp(0.0, 1.0) * STEPS as f64).round() as u64
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━━─")
}
