//! `railsbench plan`: what a run would make, install, take and cost.

use railsbench::{Campaign, CampaignPlan};
use serde_json::Value;

use super::{orchestrator_choice, read_config, runner_files};
use crate::args::PlanArgs;
use crate::exit::{Exit, Failure};
use crate::output::{Output, print, print_json};
use crate::render;

pub async fn execute(args: &PlanArgs, output: &Output) -> Result<Exit, Failure> {
    let mut config = read_config(&args.config)?;
    config.workload.quick |= args.quick;
    args.max_cost.apply(&mut config);
    let plan = Campaign::new(config)
        .with_state_dir(args.orchestrator.state.state_dir.clone())
        .with_orchestrator(orchestrator_choice(&args.orchestrator)?)
        .allow_unpriced(args.unpriced.allow_unpriced)
        .with_runners(runner_files(&args.runners)?)
        .meet_orchestrator()
        .await?
        .plan()?;
    if output.is_json() {
        print_json(&with_user_data(&plan)?)?;
    } else {
        print(&render::plan(&plan, args.user_data))?;
    }
    Ok(Exit::Ok)
}

/// The plan as JSON, with the start-up scripts, in which the token is blotted out.
pub fn with_user_data(plan: &CampaignPlan) -> Result<Value, Failure> {
    let mut json = serde_json::to_value(plan)
        .map_err(|error| Failure::internal(format!("cannot write the plan as JSON: {error}")))?;
    for (index, provider) in plan.plans.iter().enumerate() {
        json["plans"][index]["user_data"] = provider.user_data.redacted().into();
    }
    Ok(json)
}
