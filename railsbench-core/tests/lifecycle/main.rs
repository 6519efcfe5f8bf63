//! The rules of tasks and runs, one story per rule.

#![allow(clippy::unwrap_used, reason = "in a test a panic is a failure")]

mod callers;
mod claims_and_leases;
mod ends;
mod heartbeats;
mod runs;
mod stops;
#[path = "../world/mod.rs"]
mod world;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use railsbench_core::id::{Attempt, TaskId};
use railsbench_core::lifecycle::{
    AttemptEnd, Caller, Claim, Command, Policy, Rejection, Replay, ReplayError,
};
use railsbench_core::protocol::{
    Directive, Event, EventKind, Phase, RunStatus, TaskStatus, Telemetry,
};

use world::invariants::record;
use world::{World, complete, fail, full, heartbeat, release, runner, start};

fn after(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

/// One task, claimed by runner 1 at the start; its lease ends after 150 seconds.
fn claimed() -> World {
    let mut world = World::new(&[("local", "host")], 1, Policy::default());
    assert!(matches!(world.claim(0, &runner(1), start()).0, Claim::Take(_)));
    world
}

fn of(number: usize, attempt: u32) -> Caller {
    full(&runner(number), Attempt(attempt))
}

/// Completes with the object of this attempt.
fn completes(
    world: &mut World,
    number: usize,
    attempt: u32,
    now: Timestamp,
) -> Result<(), Rejection> {
    let id = world.tasks[0].id.clone();
    let command = complete(of(number, attempt), &id, Attempt(attempt));
    world.apply(0, command, now).map(|_| ())
}

fn is_lost<T: std::fmt::Debug>(answer: Result<T, Rejection>, attempt: u32) {
    match answer {
        Err(Rejection::LeaseLost { attempt: told, .. }) => assert_eq!(told, Attempt(attempt)),
        other => panic!("not a lost lease: {other:?}"),
    }
}
