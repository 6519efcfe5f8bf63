//! `railsbench logs`: what runners have said.

use std::collections::HashMap;
use std::time::Duration;

use railsbench::client::OperatorClient;
use railsbench::config::nearest;
use railsbench::id::{Attempt, TaskId};
use railsbench::protocol::{LogPart, TaskView};
use serde_json::json;

use super::status::whole_run;
use super::{close, connect_for_run};
use crate::args::LogsArgs;
use crate::exit::{Exit, Failure};
use crate::output::{Output, print, print_json};
use crate::render::LogLines;

/// How often it is looked for more. Heartbeats bring it, and they come less often.
const PAUSE: Duration = Duration::from_secs(2);

pub async fn execute(args: &LogsArgs, output: &Output) -> Result<Exit, Failure> {
    let connection = connect_for_run(&args.orchestrator).await?;
    let shown = show(&connection.client, args, output).await;
    close(connection).await;
    shown.map(|()| Exit::Ok)
}

async fn show(client: &OperatorClient, args: &LogsArgs, output: &Output) -> Result<(), Failure> {
    let mut logs: HashMap<TaskId, LogLines> = HashMap::new();
    loop {
        let run = whole_run(client, &args.run_id).await?;
        // Asked before the logs: what a task has said before its end is there by then.
        let has_ended = run.summary.status.is_ended();
        for task in wanted(&run.tasks, args.task.as_deref())? {
            if task.attempt == Attempt(0) {
                continue;
            }
            let name = args.task.is_none().then(|| task.label());
            let lines = logs.entry(task.id.clone()).or_insert_with(|| LogLines::new(name));
            for part in client.task_log(&task.id, lines.place()).await?.parts {
                show_part(task, &part, lines, output)?;
            }
        }
        if has_ended || !args.follow {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    for lines in logs.into_values() {
        if !output.is_json()
            && let Some(rest) = lines.rest()
        {
            print(&rest)?;
        }
    }
    Ok(())
}

fn show_part(
    task: &TaskView,
    part: &LogPart,
    lines: &mut LogLines,
    output: &Output,
) -> Result<(), Failure> {
    if output.is_json() {
        print_json(&json!({
            "task_id": task.id,
            "task": task.label(),
            "attempt": part.attempt,
            "offset": part.offset,
            "text": part.text,
        }))?;
        lines.add(part);
        return Ok(());
    }
    match lines.add(part) {
        text if text.is_empty() => Ok(()),
        text => print(&text),
    }
}

/// The tasks of this name or id; all without one.
fn wanted<'a>(tasks: &'a [TaskView], name: Option<&str>) -> Result<Vec<&'a TaskView>, Failure> {
    let Some(name) = name else { return Ok(tasks.iter().collect()) };
    let is_meant = |task: &&TaskView| task.label() == name || task.id.as_str() == name;
    let found: Vec<&TaskView> = tasks.iter().filter(is_meant).collect();
    if found.is_empty() {
        let labels: Vec<String> = tasks.iter().map(TaskView::label).collect();
        let near = nearest(name, labels.iter().map(String::as_str));
        return Err(Failure::usage(match near.first() {
            Some(near) => format!("there is no task {name} in the run; did you mean {near}?"),
            None => format!("there is no task {name} in the run; railsbench status lists them"),
        }));
    }
    Ok(found)
}
