//! `railsbench status`: one run with its tasks, or all runs.

use railsbench::client::OperatorClient;
use railsbench::id::RunId;
use railsbench::protocol::{RunPage, RunSummary, RunView};

use super::{close, connect, connect_for_run};
use crate::args::StatusArgs;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::render;

/// How many runs are asked for at a time.
const PAGE: u32 = 100;

pub async fn execute(args: &StatusArgs, output: &Output) -> Result<Exit, Failure> {
    if let Some(run_id) = &args.run_id {
        let connection = connect_for_run(&args.orchestrator).await?;
        let run = whole_run(&connection.client, run_id).await;
        close(connection).await;
        let run = run?;
        output.show(&run, || render::run(&run))?;
        return Ok(Exit::Ok);
    }
    let runs = match connect(&args.orchestrator).await? {
        None => Vec::new(),
        Some(connection) => {
            let runs = all_runs(&connection.client).await;
            close(connection).await;
            runs?
        }
    };
    let page = RunPage { runs, next_cursor: None };
    output.show(&page, || render::runs(&page.runs))?;
    Ok(Exit::Ok)
}

/// A run with all its tasks, also those that its first page does not show.
pub async fn whole_run(client: &OperatorClient, run_id: &RunId) -> Result<RunView, Failure> {
    let mut run = client.run(run_id).await?;
    let total = usize::try_from(run.summary.task_counts.total).unwrap_or(usize::MAX);
    if run.tasks.len() < total {
        let mut tasks = Vec::new();
        let mut cursor = None;
        loop {
            let page = client.tasks(run_id, cursor.as_deref()).await?;
            tasks.extend(page.tasks);
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        run.tasks = tasks;
    }
    Ok(run)
}

async fn all_runs(client: &OperatorClient) -> Result<Vec<RunSummary>, Failure> {
    let mut runs = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = client.runs(cursor.as_deref(), PAGE).await?;
        runs.extend(page.runs);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(runs);
        }
    }
}
