//! `railsbench resume`: takes up a run with the configuration that its orchestrator keeps.

use railsbench::Campaign;
use railsbench::config::RunConfig;

use super::campaign::{self, prepare};
use super::{close, connect_for_run};
use crate::args::ResumeArgs;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::output::Output;

pub async fn execute(args: ResumeArgs, output: &Output) -> Result<Exit, Failure> {
    let mut interrupts = Interrupts::listen()?;
    let config = tokio::select! {
        config = stored_config(&args) => config?,
        how = interrupts.next() => return Err(Failure::interrupted(how)),
    };
    let campaign = prepare(Campaign::new(config), &args.campaign)?.with_run_id(args.run_id.clone());
    campaign::carry_out(campaign, args.campaign.yes, output, &mut interrupts).await
}

async fn stored_config(args: &ResumeArgs) -> Result<RunConfig, Failure> {
    let connection = connect_for_run(&args.campaign.orchestrator).await?;
    let run = connection.client.run(&args.run_id).await;
    close(connection).await;
    Ok(RunConfig::parse(&run?.config.to_string())?)
}
