//! What `teardown` and `nuke` do alike: show what there is and what it costs, get the operator's
//! consent, remove it, and tell what is left.

use jiff::Timestamp;
use railsbench::cost::Ledger;
use railsbench::id::RunId;
use railsbench::provider::{SettingState, sh_quote};
use railsbench::providers::Registry;
use railsbench::{Cleared, Findings, Reach, Sweep, SweepError};
use serde_json::{Value, json};

use super::confirm;
use crate::args::RemovalArgs;
use crate::exit::{Exit, Failure};
use crate::output::{Output, insist};
use crate::render::removal::{self as text, Bill};
use crate::render::units;

/// The providers that are set up, and those that something is known to have been made at. The
/// operator is told of the others: what may be there is not seen.
pub async fn within_reach(all: &Registry, sweep: &Sweep, output: &Output) -> Registry {
    let mut registry = Registry::empty();
    for provider in all.iter() {
        let setup = provider.setup().await;
        if setup.is_complete() || sweep.is_known_at(provider.name()) {
            registry.register(provider.clone());
            continue;
        }
        let missing = setup.settings.iter().find_map(|setting| match &setting.state {
            SettingState::Missing { problem, .. } => Some(format!("{}: {problem}", setting.name)),
            _ => None,
        });
        let name = provider.name();
        output.tell(&format!("not looked at: {name} ({})", missing.unwrap_or_default()));
    }
    registry
}

/// Looks for what a sweep means.
pub async fn find(
    sweep: &Sweep,
    registry: &Registry,
    args: &RemovalArgs,
    output: &Output,
) -> Result<Findings, Failure> {
    let findings = sweep.find(registry).await.map_err(|error| match error {
        SweepError::NoSuchRegion { .. } => Failure::usage(format!("--region: {error}")),
    })?;
    for (_, problem) in findings.problems() {
        if !output.is_json() {
            insist(&format!("not looked at: {problem}"));
        }
    }
    if args.reach() == Reach::Default {
        for place in findings.places.iter().filter(|place| !place.regions().is_empty()) {
            let (name, regions) = (place.name(), place.regions().join(", "));
            output.tell(&format!(
                "{name}: looked in {regions} alone; --all-regions looks everywhere"
            ));
        }
    }
    Ok(findings)
}

/// Shows what was found, asks, removes it, and gives how that ended; `None` if nothing was to be
/// removed or only a look was wanted.
pub async fn remove(
    findings: &Findings,
    args: &RemovalArgs,
    output: &Output,
) -> Result<Option<Vec<Cleared>>, Failure> {
    let count = findings.resources().count();
    if args.dry_run || count == 0 {
        return Ok(None);
    }
    let bill = Bill::of(findings, Timestamp::now());
    if !output.is_json() {
        output.tell(&text::found(findings, &bill));
    }
    let question = format!("Remove {}?", units::count(count, "resource"));
    if !args.yes && !output.can_ask() {
        return Err(Failure::environment(format!(
            "cannot ask \"{question}\" without a terminal; to agree, run: {}",
            with_consent(std::env::args())
        )));
    }
    confirm(output, args.yes, &question).await?;
    let cleared = findings.remove().await;
    close_ledger(&cleared, args);
    Ok(Some(cleared))
}

/// The command line of this process, with `--yes`.
fn with_consent(arguments: impl Iterator<Item = String>) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@".contains(c);
    let mut words = vec!["railsbench".to_owned()];
    words.extend(arguments.skip(1).map(|word| {
        let plain = !word.is_empty() && word.chars().all(is_plain);
        if plain { word } else { sh_quote(&word) }
    }));
    words.push("--yes".to_owned());
    words.join(" ")
}

/// What is gone is charged no more. An estimate may miss that; the removal has not failed then.
fn close_ledger(cleared: &[Cleared], args: &RemovalArgs) {
    let ledger = Ledger::of_state_dir(&args.state.state_dir);
    for place in cleared.iter().filter(|place| place.left.is_empty()) {
        let mut runs: Vec<&RunId> =
            place.removed.iter().filter_map(|resource| resource.run_id.as_ref()).collect();
        runs.sort();
        runs.dedup();
        for run_id in runs {
            if let Err(error) = ledger.close(run_id, &place.provider, None, Timestamp::now()) {
                tracing::warn!(%error, "what the run costs is not brought up to date");
            }
        }
    }
}

/// How a look ended.
pub fn exit_of_look(findings: &Findings) -> Exit {
    if findings.problems().next().is_some() { Exit::Environment } else { Exit::Ok }
}

/// How a removal ended: if a part of it failed, some of what was asked for is not done; if nothing
/// could be removed or looked at, something outside is wrong.
pub fn exit_of(findings: &Findings, cleared: &[Cleared]) -> Exit {
    let any_left = cleared.iter().any(|place| !place.left.is_empty());
    let any_removed = cleared.iter().any(|place| !place.removed.is_empty());
    match exit_of_look(findings) {
        Exit::Ok if any_left && any_removed => Exit::TaskFailed,
        Exit::Ok if any_left => Exit::Environment,
        exit => exit,
    }
}

/// What was found, for programs.
pub fn found_json(findings: &Findings) -> Value {
    let bill = Bill::of(findings, Timestamp::now());
    let found = findings.places.iter().filter(|place| place.problem.is_none()).map(|place| {
        json!({"provider": place.name(), "regions": place.regions(), "resources": place.resources})
    });
    json!({
        "found": found.collect::<Vec<_>>(),
        "problems": problems_json(findings),
        "per_hour": bill.per_hour,
        "estimated_so_far": bill.so_far,
    })
}

/// How a removal ended, for programs.
pub fn cleared_json(findings: &Findings, cleared: &[Cleared]) -> Value {
    let removed =
        cleared.iter().map(|place| json!({"provider": place.provider, "resources": place.removed}));
    let left = cleared.iter().filter(|place| !place.left.is_empty()).map(|place| {
        let problem = place.problem.as_ref().map(ToString::to_string);
        json!({"provider": place.provider, "resources": place.left, "problem": problem})
    });
    json!({
        "removed": removed.collect::<Vec<_>>(),
        "left": left.collect::<Vec<_>>(),
        "problems": problems_json(findings),
    })
}

fn problems_json(findings: &Findings) -> Vec<Value> {
    findings
        .problems()
        .map(|(provider, problem)| json!({"provider": provider, "problem": problem.to_string()}))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_to_agree_with_is_quoted_where_it_must_be() {
        let words = ["/usr/bin/railsbench", "nuke", "--all", "--state-dir", "my runs", ""];
        assert_eq!(
            with_consent(words.map(str::to_owned).into_iter()),
            "railsbench nuke --all --state-dir \"my runs\" \"\" --yes"
        );
    }
}
