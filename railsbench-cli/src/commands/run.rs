//! `railsbench run`: the main job, from a configuration to a report.

use railsbench::Campaign;

use super::campaign::{self, prepare};
use super::read_config;
use crate::args::RunArgs;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::output::Output;

pub async fn execute(args: RunArgs, output: &Output) -> Result<Exit, Failure> {
    let mut config = read_config(&args.config)?;
    config.workload.quick |= args.quick;
    args.max_cost.apply(&mut config);
    let mut campaign = prepare(Campaign::new(config), &args.campaign)?;
    if let Some(run_id) = args.run_id {
        campaign = campaign.with_run_id(run_id);
    }
    campaign::carry_out(campaign, args.campaign.yes, output, &mut Interrupts::listen()?).await
}
