//! `railsbench cost`: what a configuration is expected to cost, or what runs have cost so far.

use std::path::Path;

use jiff::Timestamp;
use railsbench::Campaign;
use railsbench::cost::{Ledger, Spent, spent};
use railsbench::id::RunId;
use serde_json::json;

use super::read_config;
use crate::args::{ConfigArgs, CostArgs};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::render::cost as text;

pub fn execute(args: &CostArgs, output: &Output) -> Result<Exit, Failure> {
    let Some(subject) = args.subject.as_deref() else {
        let all = runs(&args.state.state_dir)?;
        output.show(&json!({"runs": all, "is_estimate": true}), || text::runs(&all))?;
        return Ok(Exit::Ok);
    };
    if subject == Path::new("-") || subject.exists() {
        return estimate(subject, args, output);
    }
    let run_id = subject.to_str().and_then(|text| RunId::new(text).ok()).ok_or_else(|| {
        Failure::usage(format!(
            "{} is neither a configuration file nor the id of a run; name one of the two",
            subject.display()
        ))
    })?;
    let found = runs(&args.state.state_dir)?.into_iter().find(|spent| spent.run_id == run_id);
    let spent = found.ok_or_else(|| {
        Failure::usage(format!(
            "there is no file {run_id}, and no machine of a run {run_id} was started from {}; name \
             a configuration file, or with --state-dir the folder that the run was started with",
            args.state.state_dir.display()
        ))
    })?;
    output.show(&json!({"run": spent, "is_estimate": true}), || text::run(&spent))?;
    Ok(Exit::Ok)
}

fn estimate(subject: &Path, args: &CostArgs, output: &Output) -> Result<Exit, Failure> {
    let mut config = read_config(&ConfigArgs { path: Some(subject.to_owned()), option: None })?;
    config.workload.quick |= args.quick;
    let campaign = Campaign::new(config).with_state_dir(args.state.state_dir.clone());
    let estimate = campaign.estimate()?;
    output
        .show(&json!({"estimate": estimate, "is_estimate": true}), || text::estimate(&estimate))?;
    Ok(Exit::Ok)
}

fn runs(state_dir: &Path) -> Result<Vec<Spent>, Failure> {
    let entries = Ledger::of_state_dir(state_dir).entries();
    let entries = entries.map_err(|error| Failure::environment(error.to_string()))?;
    Ok(spent(&entries, Timestamp::now()))
}
