//! `railsbench results`: downloads what the finished tasks of a run left.

use railsbench::collect::fetch_results;
use serde_json::json;

use super::{close, connect_for_run};
use crate::args::ResultsArgs;
use crate::exit::{Exit, Failure};
use crate::output::Output;

pub async fn execute(args: &ResultsArgs, output: &Output) -> Result<Exit, Failure> {
    let connection = connect_for_run(&args.orchestrator).await?;
    let folders = fetch_results(&connection.client, &args.run_id, &args.dir).await;
    close(connection).await;
    let folders = folders?;
    output.show(&json!({"run_id": args.run_id, "folders": folders}), || {
        if folders.is_empty() {
            return format!("run {} has no results yet", args.run_id);
        }
        let lines: Vec<String> = folders.iter().map(|path| path.display().to_string()).collect();
        lines.join("\n")
    })?;
    Ok(Exit::Ok)
}
