//! `railsbench teardown`: removes what a run has left, and proves it; then what has expired of
//! other runs.

use jiff::Timestamp;
use railsbench::id::RunId;
use railsbench::providers::{FileJournal, Registry};
use railsbench::{Cleared, Sweep};
use serde_json::{Value, json};

use super::removal::{cleared_json, exit_of, exit_of_look, find, found_json, remove, within_reach};
use crate::args::TeardownArgs;
use crate::exit::{Exit, Failure};
use crate::output::{Output, insist};
use crate::render::removal as text;

pub async fn execute(args: &TeardownArgs, output: &Output) -> Result<Exit, Failure> {
    let state_dir = &args.removal.state.state_dir;
    let mut sweep = Sweep::run(args.run_id.clone()).within(args.removal.reach());
    // Where there is a journal it says where to look; where there is none, tags must do.
    let journal = state_dir.join("journal.jsonl");
    if journal.exists() {
        sweep = FileJournal::open(&journal)
            .and_then(|journal| sweep.known_by(&journal))
            .map_err(|error| Failure::environment(error.to_string()))?;
    }
    let all = Registry::standard(state_dir);
    let registry = within_reach(&all, &sweep, output).await;
    let findings = find(&sweep, &registry, &args.removal, output).await?;
    let expired = Sweep::expired(Timestamp::now()).within(args.removal.reach());
    let Some(cleared) = remove(&findings, &args.removal, output).await? else {
        let bill = text::Bill::of(&findings, Timestamp::now());
        let mut shown = found_json(&findings);
        if !args.removal.dry_run {
            add(&mut shown, "swept", &sweep_expired(&expired, &registry, output).await);
        }
        output.show(&shown, || text::found(&findings, &bill))?;
        return Ok(exit_of_look(&findings));
    };
    let mut shown = cleared_json(&findings, &cleared);
    add(&mut shown, "swept", &sweep_expired(&expired, &registry, output).await);
    output.show(&shown, || text::cleared(&cleared))?;
    Ok(exit_of(&findings, &cleared))
}

/// Removes what has expired, whatever run it is of, and tells of it. It is not what was asked for:
/// what cannot be looked at is no failure of the command, and what stays is told.
async fn sweep_expired(sweep: &Sweep, registry: &Registry, output: &Output) -> Vec<Cleared> {
    let cleared = match sweep.find(registry).await {
        Ok(findings) => findings.remove().await,
        Err(error) => {
            tracing::warn!(%error, "what has expired was not looked for");
            return Vec::new();
        }
    };
    if !output.is_json() {
        for place in &cleared {
            for resource in &place.removed {
                let run = resource.run_id.as_ref().map_or("?", RunId::as_str);
                let (provider, kind, id) = (&place.provider, &resource.kind, &resource.id);
                output.tell(&format!("{provider}: {kind} {id} of run {run} had expired: removed"));
            }
            if let Some(problem) = &place.problem {
                insist(&format!("what has expired could not be removed: {problem}"));
            }
        }
    }
    cleared
}

fn add(shown: &mut Value, name: &str, cleared: &[Cleared]) {
    let swept = cleared.iter().flat_map(|place| &place.removed).collect::<Vec<_>>();
    shown[name] = json!(swept);
}
