//! What every store does between loading and saving, so that engines cannot disagree.
//!
//! These functions are pure. A store loads a run and a task, calls one of them, and saves what
//! changed together with the events, in the order given.

use jiff::Timestamp;
use railsbench_core::lifecycle::{Command, Policy, Rejection, Run, Task};
use railsbench_core::protocol::{Event, EventKind};

use super::NewRun;

/// The events that a new run starts with.
pub fn first_events(new: &NewRun, tasks: &[Task]) -> Vec<Event> {
    let created = Event { at: new.at, task_id: None, kind: EventKind::RunCreated };
    let tasks = tasks.iter().map(|task| Event {
        at: new.at,
        task_id: Some(task.id.clone()),
        kind: EventKind::TaskCreated {
            provider: task.provider.clone(),
            instance_type: task.instance_type.clone(),
            alias: task.alias.clone(),
            run_number: task.run_number,
        },
    });
    std::iter::once(created).chain(tasks).collect()
}

/// Applies a command to a task and lets its run follow. Gives the events of both; none means
/// that nothing changed and nothing needs saving.
///
/// # Errors
/// [`Rejection`], with nothing changed.
pub fn apply(
    run: &mut Run,
    task: &mut Task,
    command: Command,
    now: Timestamp,
    policy: &Policy,
) -> Result<Vec<Event>, Rejection> {
    let from = task.status;
    let mut events = task.apply(command, now, policy)?;
    if !events.is_empty() {
        events.extend(run.follow(from, task.status, now));
    }
    Ok(events)
}
