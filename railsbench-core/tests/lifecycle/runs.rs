//! When runs end, and their event streams.

use crate::*;

#[test]
fn a_run_that_is_not_stopped_waits_for_a_runner() {
    let mut world = claimed();
    world.expire(after(150));
    world.expire(after(1_000_000));
    assert_eq!(world.run.status, RunStatus::Running);
    assert_eq!(world.tasks[0].status, TaskStatus::Pending);
    world.stop(after(1_000_001));
    assert_eq!(world.run.status, RunStatus::Cancelled);
}

#[test]
fn an_ended_run_cannot_be_stopped() {
    let mut world = claimed();
    completes(&mut world, 1, 1, start()).unwrap();
    assert!(world.stop(start()).is_empty());
    assert!(!world.run.stop_requested);
}

#[test]
fn a_stream_with_a_gap_a_repeat_or_a_foreign_task_is_refused() {
    let world = claimed();
    let birth = world.birth();
    let mut replay = Replay::default();
    replay.push(&record(1, &birth[0])).unwrap();
    let before = replay.clone();
    for seq in [0, 1, 3] {
        let refused = replay.push(&record(seq, &birth[1])).unwrap_err();
        assert_eq!(refused, ReplayError::OutOfSequence { last: 1, found: seq });
    }
    let foreign = Event {
        at: start(),
        task_id: Some(TaskId::from_parts(9, 9)),
        kind: EventKind::TaskCancelled,
    };
    let refused = replay.push(&record(2, &foreign)).unwrap_err();
    assert!(matches!(refused, ReplayError::UnknownTask { seq: 2, .. }));
    assert_eq!(replay, before);
    replay.push(&record(2, &birth[1])).unwrap();
    let refused = replay.push(&record(3, &birth[1])).unwrap_err();
    assert!(matches!(refused, ReplayError::RepeatedTask { seq: 3, .. }));
}
