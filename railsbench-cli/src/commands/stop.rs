//! `railsbench stop`: ends a run before its time.

use serde_json::json;

use super::{close, confirm, connect_for_run};
use crate::args::StopArgs;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::render;

pub async fn execute(args: &StopArgs, output: &Output) -> Result<Exit, Failure> {
    let run_id = &args.run_id;
    let connection = connect_for_run(&args.orchestrator).await?;
    let stopped = async {
        let client = &connection.client;
        let run = client.run(run_id).await?;
        let status = run.summary.status;
        if status.is_ended() {
            let text = format!("run {run_id} has ended already: {}", status.as_str());
            return Ok((run.summary, text));
        }
        let counts = render::counts(&run.summary.task_counts);
        confirm(output, args.yes, &format!("Stop run {run_id} ({counts})?")).await?;
        client.stop(run_id).await?;
        let text = format!("run {run_id} is stopping; follow it with: railsbench watch {run_id}");
        Ok::<_, Failure>((client.run(run_id).await?.summary, text))
    }
    .await;
    close(connection).await;
    let (summary, text) = stopped?;
    output.show(
        &json!({"run_id": run_id, "status": summary.status, "stop_requested": summary.stop_requested}),
        || text,
    )?;
    Ok(Exit::Ok)
}
