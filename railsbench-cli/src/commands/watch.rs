//! `railsbench watch`: follows a run that someone else carries out.

use std::time::Duration;

use futures::StreamExt;
use railsbench::client::OperatorClient;
use railsbench::id::RunId;
use railsbench::protocol::RunView;

use super::{close, connect_for_run};
use crate::args::WatchArgs;
use crate::exit::{Exit, Failure};
use crate::output::{Output, print, print_json};
use crate::progress::Progress;
use crate::render;

/// How often clocks on the screen move on.
const TICK: Duration = Duration::from_millis(500);

pub async fn execute(args: &WatchArgs, output: &Output) -> Result<Exit, Failure> {
    let connection = connect_for_run(&args.orchestrator).await?;
    let run = follow(&connection.client, &args.run_id, output).await;
    close(connection).await;
    let run = run?;
    if !output.is_json() {
        print(&render::run(&run))?;
    }
    let counts = &run.summary.task_counts;
    Ok(if counts.completed == counts.total { Exit::Ok } else { Exit::TaskFailed })
}

async fn follow(
    client: &OperatorClient,
    run_id: &RunId,
    output: &Output,
) -> Result<RunView, Failure> {
    let mut progress = Progress::new(output);
    progress.load(&client.run(run_id).await?);
    let mut events = client.events(run_id, 0);
    let mut ticks = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            record = events.next() => match record {
                None => break,
                Some(record) => {
                    let record = record?;
                    if output.is_json() {
                        print_json(&record)?;
                    }
                    progress.record(&record);
                }
            },
            _ = ticks.tick() => progress.tick(),
        }
    }
    progress.end();
    Ok(client.run(run_id).await?)
}
