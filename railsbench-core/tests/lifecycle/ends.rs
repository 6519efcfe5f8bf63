//! Completing, failing and giving back.

use crate::*;

#[test]
fn completing_twice_is_accepted_and_changes_nothing() {
    let mut world = claimed();
    completes(&mut world, 1, 1, start()).unwrap();
    let before = world.clone();
    completes(&mut world, 1, 1, after(1)).unwrap();
    assert_eq!(world, before);
    assert_eq!(world.run.status, RunStatus::Completed);
}

#[test]
fn a_late_completion_is_accepted_until_another_attempt_starts() {
    let mut world = claimed();
    world.expire(after(150));
    let mut other = world.clone();
    world.tasks[0].check_upload(&of(1, 1)).unwrap();
    completes(&mut world, 1, 1, after(4000)).unwrap();
    let task = &world.tasks[0];
    assert_eq!((task.status, &task.message), (TaskStatus::Completed, &None));
    let ends: Vec<_> = task.attempts.iter().map(|record| (record.attempt, record.end)).collect();
    assert_eq!(ends, [(Attempt(1), AttemptEnd::Completed)]);

    other.claim(0, &runner(2), after(151));
    is_lost(completes(&mut other, 1, 1, after(152)), 1);
    is_lost(other.tasks[0].check_upload(&of(1, 1)), 1);
    completes(&mut other, 2, 2, after(153)).unwrap();
    is_lost(completes(&mut other, 1, 1, after(154)), 1);
}

#[test]
fn after_a_failure_or_a_release_there_is_no_late_completion() {
    for command in [fail(of(1, 1), true), release(of(1, 1))] {
        let mut world = claimed();
        world.apply(0, command, start()).unwrap();
        is_lost(completes(&mut world, 1, 1, after(1)), 1);
        is_lost(world.tasks[0].check_upload(&of(1, 1)), 1);
    }
}

#[test]
fn a_task_fails_when_its_budget_is_used_up_and_stays_so() {
    let mut world = World::new(&[("local", "host")], 1, Policy::default());
    for attempt in 1..=3 {
        assert!(matches!(world.claim(0, &runner(1), start()).0, Claim::Take(_)));
        assert_eq!(world.tasks[0].attempt, Attempt(attempt));
        world.expire(after(150));
    }
    assert_eq!((world.tasks[0].status, world.tasks[0].failures), (TaskStatus::Failed, 3));
    assert_eq!(world.run.status, RunStatus::Failed);
    let late = completes(&mut world, 1, 3, after(151));
    assert!(matches!(late, Err(Rejection::WrongState { .. })), "{late:?}");
}

#[test]
fn what_cannot_do_better_is_not_tried_again() {
    let mut world = claimed();
    world.apply(0, fail(of(1, 1), false), start()).unwrap();
    assert_eq!(world.tasks[0].status, TaskStatus::Failed);
}

#[test]
fn the_newest_error_archive_is_remembered_over_retries() {
    let mut world = claimed();
    let with_key = |attempt, key: Option<&str>| Command::Fail {
        caller: of(1, attempt),
        error_type: "disk".to_owned(),
        error_message: "full".to_owned(),
        retryable: true,
        error_key: key.map(str::to_owned),
    };
    world.apply(0, with_key(1, Some("errors/1")), start()).unwrap();
    assert_eq!(world.tasks[0].error_key.as_deref(), Some("errors/1"));
    world.claim(0, &runner(1), start());
    world.apply(0, with_key(2, None), start()).unwrap();
    assert_eq!(world.tasks[0].error_key.as_deref(), Some("errors/1"));
}

#[test]
fn releases_use_no_budget_and_cannot_grow_a_task() {
    let mut world = claimed();
    for attempt in 1..=200 {
        world.apply(0, release(of(1, attempt)), start()).unwrap();
        assert_eq!(world.apply(0, release(of(1, attempt)), start()), Ok(Vec::new()));
        world.claim(0, &runner(1), start());
    }
    let task = &world.tasks[0];
    assert_eq!((task.failures, task.attempt), (0, Attempt(201)));
    assert_eq!(task.attempts.len(), 32);
    let size = serde_json::to_string(task.as_ref()).unwrap().len();
    assert!(size < 8_192, "{size} bytes");
}

#[test]
fn long_messages_are_cut() {
    let mut world = claimed();
    let command = Command::Release { caller: of(1, 1), reason: Some("é".repeat(1_000_000)) };
    world.apply(0, command, start()).unwrap();
    assert_eq!(world.tasks[0].message.as_ref().unwrap().chars().count(), 2_001);
}
