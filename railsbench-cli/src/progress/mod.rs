//! Live progress on stderr: bars on a terminal, dated lines elsewhere, nothing when stdout is
//! for programs or the operator wants quiet.

mod bars;
mod board;

use jiff::Timestamp;
use railsbench::id::RunId;
use railsbench::protocol::{EventRecord, RunView};
use railsbench::{CampaignEvent, Stage};

use self::bars::Bars;
use self::board::{Board, Note};
use crate::output::{Output, insist};
use crate::render::units;

/// Shows how a run goes on.
pub struct Progress {
    output: Output,
    board: Board,
    bars: Option<Bars>,
}

impl Progress {
    /// Begins to show.
    pub fn new(output: &Output) -> Self {
        let bars = output.draws_bars().then(Bars::new);
        Self { output: output.clone(), board: Board::default(), bars }
    }

    /// Takes over a run as it is stored: what happened before is not told again.
    pub fn load(&mut self, run: &RunView) {
        self.board.load(run);
    }

    /// Shows what happened in a campaign.
    pub fn show(&mut self, event: &CampaignEvent) {
        match event {
            CampaignEvent::Stage { stage } => {
                if let Some(bars) = &mut self.bars {
                    bars.stage(stage_text(*stage));
                } else {
                    self.line(Timestamp::now(), stage_text(*stage));
                }
            }
            CampaignEvent::RunReady { run, url } => {
                self.board.load(run);
                self.say(&format!("run {} on {url}", run.summary.run_id));
            }
            CampaignEvent::Provisioned { deployment } => {
                let machines = units::count(deployment.machines.len(), "machine");
                self.say(&format!("{}: started {machines}", deployment.provider));
            }
            CampaignEvent::Lifecycle { record } => self.record(record),
            CampaignEvent::MachineEnded { provider, machine, reason, console } => {
                let mut text = format!("{provider}: machine {machine} ended: {reason}");
                for line in console.iter().flat_map(|text| text.lines()) {
                    text.push_str("\n    ");
                    text.push_str(line);
                }
                self.say(&text);
            }
            CampaignEvent::Removed { resources, .. } if resources.is_empty() => {}
            CampaignEvent::Removed { provider, resources } => {
                let removed = units::count(resources.len(), "resource");
                self.say(&format!("{provider}: removed {removed}, nothing is left"));
            }
            CampaignEvent::Swept { provider, resources } => {
                for resource in resources {
                    let run = resource.run_id.as_ref().map_or("?", RunId::as_str);
                    let (kind, id) = (&resource.kind, &resource.id);
                    self.say(&format!("{provider}: {kind} {id} of run {run} had expired: removed"));
                }
            }
            CampaignEvent::Collected { folder } => {
                self.say(&format!("collected {}", folder.display()));
            }
            CampaignEvent::Reported { .. } => {}
            CampaignEvent::Warning { message } => self.warn(message),
        }
    }

    /// Shows what happened to a run or one of its tasks.
    pub fn record(&mut self, record: &EventRecord) {
        let note = self.board.apply(record);
        if let Some(bars) = &mut self.bars {
            if let Some(Note { text, .. }) = note.filter(|note| note.lasting) {
                bars.say(&text);
            }
            if let Some(id) = &record.event.task_id
                && let Some(task) = self.board.task(id)
            {
                bars.task(id, task);
            }
            bars.overall(&self.board, Timestamp::now());
        } else if let Some(note) = note {
            self.line(record.event.at, &note.text);
        }
    }

    /// Moves clocks on; to be called about twice a second.
    pub fn tick(&mut self) {
        if let Some(bars) = &mut self.bars {
            bars.tick(&self.board, Timestamp::now());
        }
    }

    /// Tells something beside the progress.
    pub fn say(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.say(text),
            None => self.line(Timestamp::now(), text),
        }
    }

    /// Tells what went wrong, also with `-q`; with `--json` it is an event and not told twice.
    pub fn warn(&self, text: &str) {
        let text = format!("warning: {text}");
        match &self.bars {
            Some(bars) => bars.say(&text),
            None if self.output.is_json() => {}
            None => insist(&text),
        }
    }

    /// Takes the bars away.
    pub fn end(&mut self) {
        if let Some(bars) = self.bars.take() {
            bars.clear();
        }
    }

    fn line(&self, at: Timestamp, text: &str) {
        if self.output.shows_lines() {
            insist(&format!("{} {text}", at.strftime("%H:%M:%SZ")));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

fn stage_text(stage: Stage) -> &'static str {
    match stage {
        Stage::Checking => "checking whether the plan can be carried out",
        Stage::Starting => "starting the run",
        Stage::Provisioning => "starting machines",
        Stage::Running => "running",
        Stage::TearingDown => "removing machines",
        Stage::Collecting => "fetching results",
        Stage::Reporting => "writing the report",
    }
}
