//! From a plan to an outcome, stage by stage. Whatever happens on the way, what was started is
//! removed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use railsbench_core::lifecycle::Replay;
use railsbench_core::protocol::RunView;
use railsbench_providers::FileJournal;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::fleet::Fleet;
use super::plan::Home;
use super::{Campaign, CampaignError, CampaignEvent, Outcome, Stage};
use crate::client::{ClientError, OperatorClient};
use crate::collect::fetch_results;
use crate::cost::Ledger;
use crate::orchestrator::{self, Connection};
use crate::report::{self, Inputs, Report};
use crate::state_dir::StateDir;

/// How often machines are looked after.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Tells what happens to whoever listens.
pub(super) struct Events(mpsc::UnboundedSender<CampaignEvent>);

impl Events {
    pub(super) fn send(&self, event: CampaignEvent) {
        // Nobody has to listen.
        let _ = self.0.send(event);
    }

    pub(super) fn warn(&self, message: String) {
        self.send(CampaignEvent::Warning { message });
    }

    fn stage(&self, stage: Stage) {
        self.send(CampaignEvent::Stage { stage });
    }
}

/// Why the machines are no longer needed.
#[derive(PartialEq, Eq)]
enum End {
    /// Every task has ended.
    Ended,
    /// The operator wants it.
    Interrupted,
}

pub(super) async fn travel(
    campaign: Campaign,
    sender: mpsc::UnboundedSender<CampaignEvent>,
    interrupt: CancellationToken,
) -> Result<Outcome, CampaignError> {
    let events = Events(sender);
    events.stage(Stage::Checking);
    let campaign = campaign.meet_orchestrator().await?;
    let plan = campaign.plan()?;
    let obstacles = campaign.obstacles(&campaign.preflight(&plan).await?);
    if !obstacles.is_empty() {
        return Err(CampaignError::NotReady(obstacles));
    }
    events.stage(Stage::Starting);
    let state = StateDir::open(&campaign.state_dir)?;
    let providers = campaign.registry().names().iter().map(ToString::to_string).collect();
    let connection = orchestrator::host(
        &campaign.orchestrator,
        &state,
        campaign.embedded_address,
        providers,
        campaign.runner_files(),
    )
    .await?;
    let outcome = carry_out(&campaign, &state, &connection, &events, &interrupt).await;
    let closed = connection.close().await.map_err(CampaignError::Shutdown);
    let outcome = outcome?;
    closed?;
    Ok(outcome)
}

async fn carry_out(
    campaign: &Campaign,
    state: &StateDir,
    connection: &Connection,
    events: &Events,
    interrupt: &CancellationToken,
) -> Result<Outcome, CampaignError> {
    let client = &connection.client;
    let run_id = &campaign.run_id;
    let created = match client.create_run(&campaign.config, run_id).await {
        Err(error) if error.status() == Some(409) => {
            return Err(CampaignError::DifferentConfig(run_id.clone()));
        }
        other => other?,
    };
    let run_token = match created.run_token {
        Some(token) => token,
        None => client.mint_run_token(run_id).await?.run_token,
    };
    events.send(CampaignEvent::RunReady {
        run: Box::new(created.run.clone()),
        url: client.url().clone(),
    });
    let journal = FileJournal::open(&state.journal_path())
        .map_err(railsbench_core::provider::ProviderError::from)?;
    let home = Home {
        orchestrator_url: client.url().to_string(),
        run_token,
        ca_certificate: connection.ca_certificate().cloned(),
    };
    let ledger = Ledger::of_state_dir(state.path());
    let mut fleet = Fleet::new(campaign, Arc::new(journal), ledger, events, home)?;

    let mut end = Ok(End::Ended);
    if created.run.summary.status.is_ended() {
        events.stage(Stage::TearingDown);
    } else {
        // A process that was killed may have left machines that nobody looks after.
        fleet.tear_down().await?;
        // Others' leftovers go while this run works; they may take long to be gone.
        let sweep = tokio::spawn(campaign.clone().sweep_leftovers());
        end = work(&mut fleet, client, campaign, events, interrupt).await;
        events.stage(Stage::TearingDown);
        // If it broke off, the next one takes it up.
        sweep.await.unwrap_or_default().into_iter().for_each(|event| events.send(event));
    }
    let torn_down = fleet.tear_down().await;
    campaign.clone().sweep_leftovers().await.into_iter().for_each(|event| events.send(event));

    events.stage(Stage::Collecting);
    for folder in fetch_results(client, run_id, &campaign.results_dir).await? {
        events.send(CampaignEvent::Collected { folder });
    }
    let run = client.run(run_id).await?;
    let outcome = conclude(campaign, run, events, matches!(end, Ok(End::Interrupted)));
    // What was finished is on disk by now, whatever went wrong before.
    torn_down?;
    end?;
    outcome
}

/// Provisions and watches until every task has ended, or none can be brought to an end.
async fn work(
    fleet: &mut Fleet<'_>,
    client: &OperatorClient,
    campaign: &Campaign,
    events: &Events,
    interrupt: &CancellationToken,
) -> Result<End, CampaignError> {
    let mut replay = Replay::default();
    let mut stream = client.events(&campaign.run_id, 0);
    let mut provisioned = false;
    let mut stopped = false;
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        // The stream begins with the whole past, so by then it is known what is left to do.
        let past_is_known = !replay.tasks.is_empty()
            && replay.tasks.len() == usize::try_from(campaign.config.task_count()).unwrap_or(0);
        tokio::select! {
            biased;
            () = interrupt.cancelled() => return Ok(End::Interrupted),
            item = stream.next() => match item {
                None => return Ok(End::Ended),
                Some(record) => {
                    let record = record?;
                    replay.push(&record).map_err(|error| ClientError::Answer {
                        call: "GET /runs/{id}/events".to_owned(),
                        detail: error.to_string(),
                    })?;
                    events.send(CampaignEvent::Lifecycle { record: Box::new(record) });
                }
            },
            _ = looks.tick(), if past_is_known => {
                if !provisioned {
                    events.stage(Stage::Provisioning);
                    tokio::select! {
                        () = interrupt.cancelled() => return Ok(End::Interrupted),
                        made = fleet.provision(&replay) => made?,
                    }
                    events.stage(Stage::Running);
                    provisioned = true;
                } else if !fleet.look_after(&replay).await && !stopped && has_work(&replay) {
                    events.warn("no machine is left for unfinished tasks: the run is stopped".to_owned());
                    client.stop(&campaign.run_id).await?;
                    stopped = true;
                }
            }
        }
    }
}

fn has_work(replay: &Replay) -> bool {
    replay.tasks.values().any(|task| !task.status.is_ended())
}

fn conclude(
    campaign: &Campaign,
    run: RunView,
    events: &Events,
    interrupted: bool,
) -> Result<Outcome, CampaignError> {
    events.stage(Stage::Reporting);
    let results_dir = campaign.results_dir.join(campaign.run_id.as_str());
    let mut outcome = Outcome {
        run,
        results_dir,
        report: None,
        report_html: None,
        report_json: None,
        interrupted,
    };
    if outcome.run.summary.task_counts.completed > 0 {
        let (report, files) = write_report(&outcome.results_dir)?;
        events.send(CampaignEvent::Reported { html: files.html.clone(), json: files.json.clone() });
        outcome.report = Some(report);
        outcome.report_html = Some(files.html);
        outcome.report_json = Some(files.json);
    }
    Ok(outcome)
}

/// Makes the report of a run from its files on disk.
fn write_report(run_dir: &Path) -> Result<(Report, report::ReportFiles), CampaignError> {
    let report = Report::build(&Inputs::load(run_dir)?)?;
    let files = report::write(&report, run_dir)?;
    Ok((report, files))
}
