//! What a stop does.

use crate::*;

#[test]
fn pending_tasks_end_at_once_and_held_ones_at_their_next_word() {
    let words = [
        heartbeat(of(1, 1), Phase::Running),
        heartbeat(of(1, 1), Phase::Error),
        fail(of(1, 1), true),
        release(of(1, 1)),
    ];
    for word in words {
        let mut world = World::new(&[("local", "host")], 2, Policy::default());
        world.claim(0, &runner(1), start());
        world.stop(start());
        let statuses: Vec<_> = world.tasks.iter().map(|task| task.status).collect();
        assert_eq!(statuses, [TaskStatus::Claimed, TaskStatus::Cancelled]);
        assert_eq!(world.tasks[0].directive(), Directive::Stop);
        assert_eq!(world.run.status, RunStatus::Running);
        world.apply(0, word, start()).unwrap();
        assert_eq!(world.tasks[0].status, TaskStatus::Cancelled);
        assert_eq!(world.run.status, RunStatus::Cancelled);
    }
}

#[test]
fn a_held_task_without_a_word_ends_when_its_lease_does() {
    let mut world = claimed();
    world.stop(start());
    world.expire(after(150));
    assert_eq!(world.run.status, RunStatus::Cancelled);
    assert_eq!(world.run.ended_at, Some(after(150)));
}

#[test]
fn a_result_that_arrives_after_the_stop_is_kept() {
    let mut world = claimed();
    world.stop(start());
    completes(&mut world, 1, 1, after(1)).unwrap();
    assert_eq!(world.run.status, RunStatus::Completed);
}

#[test]
fn a_run_that_nobody_has_touched_is_cancelled_without_ever_running() {
    let mut world = World::new(&[("local", "host")], 3, Policy::default());
    let events = world.stop(start());
    let statuses: Vec<RunStatus> = events
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::RunStatusChanged { status } => Some(status),
            _ => None,
        })
        .collect();
    assert_eq!(statuses, [RunStatus::Cancelled]);
    assert!(world.stop(after(1)).is_empty(), "stopping twice changes nothing");
    assert_eq!(world.claim(0, &runner(1), after(2)).0, Claim::Done);
}
