//! Who may act on a task.

use crate::*;

#[test]
fn a_stranger_is_told_that_its_runner_id_is_invalid_whatever_attempt_it_names() {
    let mut world = claimed();
    for attempt in [None, Some(Attempt(1)), Some(Attempt(7))] {
        let caller = Caller { runner_id: Some(runner(9)), attempt };
        let refused = world.apply(0, heartbeat(caller, Phase::Running), start()).unwrap_err();
        assert!(matches!(refused, Rejection::WrongRunner { .. }), "{refused}");
        assert!(refused.to_string().starts_with("Invalid runner_id"), "{refused}");
    }
}

#[test]
fn the_smallest_client_names_neither_itself_nor_its_attempt() {
    let mut world = claimed();
    world.apply(0, heartbeat(Caller::default(), Phase::Running), start()).unwrap();
    let id = world.tasks[0].id.clone();
    world.apply(0, complete(Caller::default(), &id, Attempt(1)), start()).unwrap();
    assert_eq!(world.run.status, RunStatus::Completed);
}

#[test]
fn nobody_may_act_on_a_task_that_was_never_claimed() {
    let mut world = World::new(&[("local", "host")], 1, Policy::default());
    let id = world.tasks[0].id.clone();
    for command in [
        heartbeat(Caller::default(), Phase::Running),
        complete(of(1, 0), &id, Attempt(0)),
        fail(of(1, 1), true),
        release(Caller::default()),
    ] {
        let refused = world.apply(0, command, start()).unwrap_err();
        assert!(matches!(refused, Rejection::WrongState { .. }), "{refused}");
    }
}

#[test]
fn a_holder_that_is_no_longer_remembered_lost_its_lease() {
    let mut world = claimed();
    world.apply(0, release(of(1, 1)), start()).unwrap();
    for attempt in 2..=40 {
        world.claim(0, &runner(2), start());
        world.apply(0, release(of(2, attempt)), start()).unwrap();
    }
    world.claim(0, &runner(2), start());
    is_lost(world.apply(0, heartbeat(of(1, 1), Phase::Running), start()), 1);
}
