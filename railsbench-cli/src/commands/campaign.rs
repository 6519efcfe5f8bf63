//! A campaign on the command line: plan, consent, progress, interruption, summary. `run` and
//! `resume` differ only in where the configuration comes from.

use std::time::Duration;

use railsbench::provider::{Deployment, Outcome as Finding};
use railsbench::{Campaign, CampaignEvent, CampaignPlan, Outcome, ProviderPreflight};
use serde_json::json;

use super::{orchestrator_choice, plan, runner_files};
use crate::args::CampaignArgs;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::output::{Output, insist, print, print_json};
use crate::progress::Progress;
use crate::render;

/// How often clocks on the screen move on.
const TICK: Duration = Duration::from_millis(500);

/// What happens once the operator has asked to end.
const INTERRUPTED: &str = "runners give their tasks back, machines are removed, finished results \
    are kept; once more quits at once";

/// A campaign as the arguments want it.
pub fn prepare(campaign: Campaign, args: &CampaignArgs) -> Result<Campaign, Failure> {
    let mut campaign = campaign
        .with_orchestrator(orchestrator_choice(&args.orchestrator)?)
        .with_state_dir(args.orchestrator.state.state_dir.clone())
        .with_results_dir(args.results.results_dir.clone())
        .allow_unpriced(args.unpriced.allow_unpriced)
        .with_runners(runner_files(&args.runners)?);
    if let Some(runner) = &args.runner {
        campaign = campaign.with_runner(runner.clone());
    }
    Ok(campaign)
}

/// Carries a campaign through and shows it.
pub async fn carry_out(
    campaign: Campaign,
    yes: bool,
    output: &Output,
    interrupts: &mut Interrupts,
) -> Result<Exit, Failure> {
    let campaign = tokio::select! {
        met = campaign.meet_orchestrator() => met?,
        how = interrupts.next() => return Err(Failure::interrupted(format!("{how}; nothing was started"))),
    };
    let allow_install = tokio::select! {
        allowed = agree(&campaign, yes, output) => allowed?,
        how = interrupts.next() => return Err(Failure::interrupted(format!("{how}; nothing was started"))),
    };
    let run_id = campaign.run_id().clone();
    let mut progress = Progress::new(output);
    let mut running = campaign.allow_install(allow_install).start();
    let interrupter = running.interrupter();
    let mut machines: Vec<Deployment> = Vec::new();
    let mut unwritable: Option<Failure> = None;
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = running.next_event() => {
                let Some(event) = event else { break };
                note_machines(&mut machines, &event);
                if output.is_json()
                    && unwritable.is_none()
                    && let Err(failure) = print_json(&event)
                {
                    // Nobody can read the events any more: the run has lost its purpose, but
                    // what it has started must still be removed.
                    unwritable = Some(failure);
                    interrupter.cancel();
                }
                progress.show(&event);
            }
            how = interrupts.next() => {
                if interrupter.is_cancelled() {
                    progress.end();
                    return Err(Failure::interrupted(left_behind(&machines, run_id.as_str())));
                }
                interrupter.cancel();
                let event = CampaignEvent::Warning { message: format!("{how}: {INTERRUPTED}") };
                if output.is_json() {
                    // If nobody reads it, the next event will show that.
                    let _ = print_json(&event);
                }
                progress.show(&event);
            }
            _ = ticks.tick() => progress.tick(),
        }
    }
    progress.end();
    let outcome = running.finish().await?;
    if let Some(failure) = unwritable {
        return Err(failure.of_interrupted_run());
    }
    let exit = exit_of(&outcome);
    show_outcome(&outcome, exit, output)?;
    Ok(exit)
}

/// Shows the plan, looks whether it can be carried out, and gets the operator's consent to what
/// must be installed first. Gives whether anything may be installed.
async fn agree(campaign: &Campaign, yes: bool, output: &Output) -> Result<bool, Failure> {
    let plan = campaign.plan()?;
    show_plan(&plan, output)?;
    let found = campaign.preflight(&plan).await?;
    let problems = render::problems(&found);
    if !problems.is_empty() {
        return Err(Failure::environment(problems.join("\n")));
    }
    let missing = missing(&found);
    if missing.is_empty() || yes {
        return Ok(yes);
    }
    if !output.can_ask() {
        let lines: Vec<String> = missing
            .iter()
            .map(|(problem, command)| format!("{problem}; run this first: {command}"))
            .collect();
        let lines = lines.join("\n");
        return Err(Failure::environment(format!(
            "{lines}\nor give --yes to let railsbench do that"
        )));
    }
    for (problem, command) in &missing {
        insist(&format!("{problem}; railsbench would run: {command}"));
    }
    if output.ask("Go ahead?".to_owned()).await? {
        Ok(true)
    } else {
        Err(Failure::environment("not agreed; nothing was installed or started"))
    }
}

fn show_plan(plan: &CampaignPlan, output: &Output) -> Result<(), Failure> {
    if output.is_json() {
        let plan = plan::with_user_data(plan)?;
        return print_json(&json!({"event": "planned", "plan": plan}));
    }
    output.tell(&render::plan(plan, false));
    Ok(())
}

/// What railsbench can put right, each once: the problem and the command.
fn missing(found: &[ProviderPreflight]) -> Vec<(String, String)> {
    let mut missing = Vec::new();
    for ProviderPreflight { provider, preflight } in found {
        for check in preflight.consents() {
            if let Finding::NeedsConsent { problem, command } = &check.outcome {
                let item = (format!("{provider}: {}: {problem}", check.name), command.clone());
                if !missing.contains(&item) {
                    missing.push(item);
                }
            }
        }
    }
    missing
}

/// Keeps track of the machines that exist.
fn note_machines(machines: &mut Vec<Deployment>, event: &CampaignEvent) {
    match event {
        CampaignEvent::Provisioned { deployment } => machines.push(deployment.clone()),
        CampaignEvent::Removed { provider, .. } => {
            machines.retain(|deployment| &deployment.provider != provider);
        }
        _ => {}
    }
}

fn left_behind(machines: &[Deployment], run_id: &str) -> String {
    let names: Vec<String> = machines
        .iter()
        .flat_map(|deployment| {
            deployment
                .machines
                .iter()
                .map(|machine| format!("{}: {}", deployment.provider, machine.name))
        })
        .collect();
    let left = if names.is_empty() {
        "machines that were being started".to_owned()
    } else {
        names.join(", ")
    };
    format!(
        "interrupted twice; these may be left behind: {left}\nremove them with: railsbench teardown {run_id}\ngo on with: railsbench resume {run_id}"
    )
}

fn exit_of(outcome: &Outcome) -> Exit {
    if outcome.interrupted {
        Exit::Interrupted
    } else if outcome.all_completed() {
        Exit::Ok
    } else {
        Exit::TaskFailed
    }
}

/// The figures on stdout; where the files are, and how to go on, on stderr.
fn show_outcome(outcome: &Outcome, exit: Exit, output: &Output) -> Result<(), Failure> {
    let run_id = &outcome.run.summary.run_id;
    if output.is_json() {
        return print_json(&json!({
            "event": "finished",
            "run_id": run_id,
            "status": outcome.run.summary.status,
            "task_counts": outcome.run.summary.task_counts,
            "results_dir": outcome.results_dir,
            "report_html": outcome.report_html,
            "report_json": outcome.report_json,
            "interrupted": outcome.interrupted,
            "exit_code": exit.code(),
        }));
    }
    if let Some(report) = &outcome.report {
        print(&render::summary(report))?;
    }
    for task in outcome
        .run
        .tasks
        .iter()
        .filter(|task| task.status != railsbench::protocol::TaskStatus::Completed)
    {
        let message = task.message.as_deref().map_or_else(String::new, |text| format!(": {text}"));
        insist(&format!("{} {}{message}", task.label(), task.status.as_str()));
    }
    output.tell(&format!("results  {}", outcome.results_dir.display()));
    if let Some(html) = &outcome.report_html {
        output.tell(&format!("report   {}", html.display()));
    }
    if outcome.interrupted {
        insist(&format!(
            "interrupted: nothing is left behind; go on with: railsbench resume {run_id}"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use railsbench::provider::Machine;

    use super::*;

    fn deployment() -> Deployment {
        Deployment {
            provider: "local".parse().unwrap(),
            run_id: "r1".parse().unwrap(),
            machines: vec![Machine {
                id: "r1/host-1".parse().unwrap(),
                name: "host-1".to_owned(),
                instance_type: "host".parse().unwrap(),
                region: None,
            }],
        }
    }

    #[test]
    fn quitting_at_once_names_what_is_left_and_how_to_remove_it() {
        let mut machines = Vec::new();
        note_machines(&mut machines, &CampaignEvent::Provisioned { deployment: deployment() });
        let text = left_behind(&machines, "r1");
        assert!(text.contains("local: host-1\n"), "{text}");
        assert!(text.contains("railsbench teardown r1"), "{text}");

        let removed =
            CampaignEvent::Removed { provider: "local".parse().unwrap(), resources: Vec::new() };
        note_machines(&mut machines, &removed);
        assert!(!left_behind(&machines, "r1").contains("host-1"));
    }
}
