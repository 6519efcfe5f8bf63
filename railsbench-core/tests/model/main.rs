//! The lifecycle, model-checked: runners, tasks and an operator over a network that delays,
//! loses and duplicates requests and loses answers, with leases that run out at any moment.
//! Every reachable state within the bounds is visited.
//!
//! Time is abstract: it stands still but for a lease that runs out, which may happen to any held
//! task at any step. The clock's own tricks are for the property tests.

#![allow(clippy::unwrap_used, reason = "in a test a panic is a failure")]

mod bounds;
mod server;
mod steps;
#[path = "../world/mod.rs"]
mod world;

use std::collections::BTreeMap;

use railsbench_core::protocol::Phase;
use stateright::{Checker, Expectation, HasDiscoveries, Model};

use bounds::Bounds;
use world::invariants::check_state;

/// Visits every state within the bounds and gives how often each outcome was seen.
fn explore(name: &str, bounds: Bounds) -> BTreeMap<&'static str, u64> {
    let began = std::time::Instant::now();
    let checker =
        bounds.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let seen = checker.model().seen.lock().unwrap().clone();
    println!(
        "{name}: {} states, {} steps, depth {}, {:.1} s; {seen:#?}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        began.elapsed().as_secs_f64(),
    );
    for (property, path) in checker.discoveries() {
        if checker.model().property(property).expectation == Expectation::Sometimes {
            continue;
        }
        let state = path.last_state();
        let broken = state.broken.clone().or_else(|| check_state(&state.world).err());
        for action in path.into_actions() {
            println!("  {action:?}");
        }
        panic!("{name}: not so: {property}: {}", broken.unwrap_or_default());
    }
    checker.assert_properties();
    assert!(checker.is_done());
    seen
}

fn assert_seen(seen: &BTreeMap<&'static str, u64>, outcomes: &[&'static str]) {
    for outcome in outcomes {
        assert!(seen.contains_key(outcome), "never seen: {outcome}");
    }
}

/// The operator may stop at any step, and does in the end, so every history must end with the
/// run ended, whatever became of the runners.
#[test]
fn two_runners_two_tasks_and_a_stop_keep_all_invariants() {
    let bounds = Bounds { releases: 1, stop: true, ..Bounds::default() };
    let seen = explore("with stop", bounds);
    assert_seen(
        &seen,
        &[
            "first claim",
            "claim after a lost or failed attempt",
            "claim answered again",
            "release",
            "expiry",
            "retry",
            "completion",
            "late completion",
            "failure for good",
            "cancelled at once",
            "cancelled while held",
            "said before, or too late to matter",
            "lease lost",
            "wrong state",
        ],
    );
}

/// Without a stop, a run ends as long as lost runners are replaced: each lost one uses up an
/// attempt, so that even runners that all vanish bring every task to an end.
#[test]
fn a_run_whose_runners_are_replaced_ends_without_a_stop() {
    let seen = explore("with replacement", Bounds { replace: true, ..Bounds::default() });
    assert_seen(&seen, &["expiry", "late completion", "failure for good", "lease lost"]);
}

/// Heartbeats of two phases, which may overtake each other and everything else.
const PHASES: &[Phase] = &[Phase::Provision, Phase::Running];

#[test]
fn heartbeats_out_of_order_keep_all_invariants() {
    let bounds = Bounds { tasks: 1, faults: 2, phases: PHASES, replace: true, ..Bounds::default() };
    let seen = explore("with heartbeats", bounds);
    assert_seen(&seen, &["heartbeat", "late heartbeat", "late completion", "lease lost"]);
}

#[test]
#[ignore = "3 million states, several minutes: run with --ignored"]
fn heartbeats_out_of_order_on_two_tasks_keep_all_invariants() {
    let bounds = Bounds { phases: PHASES, replace: true, ..Bounds::default() };
    let seen = explore("with heartbeats on two tasks", bounds);
    assert_seen(&seen, &["heartbeat", "late heartbeat", "late completion", "lease lost"]);
}
