//! What a sign of life does, and what it is answered.

use crate::*;

#[test]
fn claimed_becomes_running_at_the_first_running_heartbeat() {
    let mut world = claimed();
    for (phase, status) in [
        (Phase::Boot, TaskStatus::Claimed),
        (Phase::Provision, TaskStatus::Claimed),
        (Phase::Running, TaskStatus::Running),
        (Phase::Uploading, TaskStatus::Running),
    ] {
        world.apply(0, heartbeat(of(1, 1), phase), start()).unwrap();
        assert_eq!((world.tasks[0].phase, world.tasks[0].status), (Some(phase), status));
    }
}

#[test]
fn a_late_one_renews_the_lease_and_says_nothing_else() {
    let mut world = claimed();
    let said = |phase, benchmark: &str, progress| Command::Heartbeat {
        caller: of(1, 1),
        phase,
        current_benchmark: Some(benchmark.to_owned()),
        progress_pct: Some(progress),
        message: Some(benchmark.to_owned()),
        telemetry: Some(Telemetry { load1: Some(1.0), ..Telemetry::default() }),
    };
    world.apply(0, said(Phase::Running, "boot", 40.0), after(10)).unwrap();
    let events = world.apply(0, said(Phase::Provision, "old", 1.0), after(20)).unwrap();
    let task = &world.tasks[0];
    assert_eq!(task.lease_expires_at, Some(after(170)));
    assert_eq!(task.phase, Some(Phase::Running));
    assert_eq!(task.progress_pct, Some(40.0));
    assert_eq!(task.current_benchmark.as_deref(), Some("boot"));
    assert_eq!(task.message.as_deref(), Some("boot"));
    assert!(matches!(events[0].kind, EventKind::Heartbeat { telemetry: None, .. }));
}

#[test]
fn for_an_ended_task_its_own_runner_is_told_to_stop_whatever_it_reports() {
    let mut completed = claimed();
    completes(&mut completed, 1, 1, start()).unwrap();
    let mut failed = claimed();
    failed.apply(0, fail(of(1, 1), false), start()).unwrap();
    let mut cancelled = claimed();
    cancelled.stop(start());
    cancelled.apply(0, heartbeat(of(1, 1), Phase::Running), start()).unwrap();
    for mut world in [completed, failed, cancelled] {
        let before = world.clone();
        assert!(before.tasks[0].status.is_ended());
        for phase in Phase::ALL {
            assert_eq!(world.apply(0, heartbeat(of(1, 1), phase), after(9)), Ok(Vec::new()));
            assert_eq!(world.tasks[0].directive(), Directive::Stop);
            assert_eq!(world, before);
        }
    }
}

#[test]
fn from_an_attempt_that_lost_its_lease_it_is_refused() {
    let mut world = claimed();
    world.expire(after(150));
    is_lost(world.apply(0, heartbeat(of(1, 1), Phase::Running), after(151)), 1);
    world.claim(0, &runner(2), after(152));
    is_lost(world.apply(0, heartbeat(of(1, 1), Phase::Running), after(153)), 1);
    let by_name = Caller { runner_id: Some(runner(1)), attempt: None };
    is_lost(world.apply(0, heartbeat(by_name, Phase::Running), after(153)), 1);
    let by_attempt = Caller { runner_id: None, attempt: Some(Attempt(1)) };
    is_lost(world.apply(0, heartbeat(by_attempt, Phase::Running), after(153)), 1);
    completes(&mut world, 2, 2, after(154)).unwrap();
    is_lost(world.apply(0, heartbeat(of(1, 1), Phase::Running), after(155)), 1);
}

#[test]
fn error_ends_the_attempt_as_fail_would() {
    let mut world = claimed();
    world.apply(0, heartbeat(of(1, 1), Phase::Error), start()).unwrap();
    let task = &world.tasks[0];
    assert_eq!((task.status, task.failures), (TaskStatus::Pending, 1));
    assert_eq!(task.message.as_deref(), Some("runner_error: the runner reported an error"));
    assert_eq!(task.attempts[0].end, AttemptEnd::Failed);
    let again = world.apply(0, heartbeat(of(1, 1), Phase::Error), start());
    assert_eq!(again, Ok(Vec::new()), "said twice, counted once");
}
