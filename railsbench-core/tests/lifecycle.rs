//! The rules of tasks and runs, one story per rule.

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

mod claims_and_leases {
    use super::*;

    #[test]
    fn a_claim_repeated_by_its_runner_gives_the_same_task_and_attempt() {
        let mut world = World::new(&[("local", "host")], 2, Policy::default());
        let (first, _) = world.claim(0, &runner(1), start());
        let (again, events) = world.claim(0, &runner(1), after(149));
        let Claim::Take(id) = first else { panic!("{first:?}") };
        assert_eq!(again, Claim::Again(id));
        assert!(events.is_empty());
        assert_eq!(world.tasks[0].attempt, Attempt(1));
        assert_eq!(world.tasks[0].lease_expires_at, Some(after(150)));
    }

    #[test]
    fn a_claim_repeated_after_the_lease_ran_out_is_a_new_attempt() {
        let mut world = claimed();
        let (answer, _) = world.claim(0, &runner(1), after(150));
        assert!(matches!(answer, Claim::Take(_)));
        assert_eq!(world.tasks[0].attempt, Attempt(2));
        assert_eq!(world.tasks[0].failures, 1);
    }

    #[test]
    fn the_oldest_pending_task_is_given_first() {
        let mut world =
            World::new(&[("local", "host"), ("docker", "local-2")], 2, Policy::default());
        for (number, expected) in [(1, 0), (2, 2)] {
            let (answer, _) = world.claim(0, &runner(number), start());
            assert_eq!(answer, Claim::Take(world.tasks[expected].id.clone()));
        }
    }

    #[test]
    fn one_spare_waits_and_the_others_are_done() {
        let mut world = claimed();
        assert!(matches!(world.claim(0, &runner(2), start()).0, Claim::Wait(_)));
        assert_eq!(world.claim(0, &runner(3), start()).0, Claim::Done);
        assert!(
            matches!(world.claim(0, &runner(2), after(15)).0, Claim::Wait(_)),
            "the same spare"
        );
        assert!(matches!(world.claim(0, &runner(3), after(31)).0, Claim::Wait(_)), "2 went away");
        completes(&mut world, 1, 1, after(32)).unwrap();
        assert_eq!(world.claim(0, &runner(3), after(33)).0, Claim::Done);
    }

    #[test]
    fn a_heartbeat_renews_the_lease() {
        let mut world = claimed();
        world.apply(0, heartbeat(of(1, 1), Phase::Running), after(100)).unwrap();
        assert!(world.expire(after(249)).is_empty());
        assert!(!world.expire(after(250)).is_empty());
        assert_eq!(world.tasks[0].status, TaskStatus::Pending);
    }

    #[test]
    fn a_lease_on_heroku_is_three_times_as_long() {
        let mut world = World::new(&[("heroku", "standard-1x")], 1, Policy::default());
        world.claim(0, &runner(1), start());
        assert_eq!(world.tasks[0].lease_expires_at, Some(after(450)));
    }

    #[test]
    fn a_clock_that_goes_back_shortens_no_lease() {
        let mut world = claimed();
        world.apply(0, heartbeat(of(1, 1), Phase::Boot), after(-3600)).unwrap();
        assert_eq!(world.tasks[0].lease_expires_at, Some(after(150)));
        assert!(world.expire(after(-7200)).is_empty());
    }

    #[test]
    fn the_ends_of_time_are_no_panic() {
        let policy =
            Policy { lease: Duration::MAX, retry_after: Duration::MAX, ..Policy::default() };
        for now in [Timestamp::MIN, Timestamp::MAX] {
            let mut world = World::new(&[("heroku", "standard-1x")], 1, policy);
            world.claim(0, &runner(1), now);
            assert_eq!(world.tasks[0].lease_expires_at, Some(Timestamp::MAX));
            assert!(matches!(
                world.claim(0, &runner(2), Timestamp::MIN).0,
                Claim::Wait(_) | Claim::Take(_)
            ));
        }
    }
}

mod heartbeats {
    use super::*;

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
}

mod ends {
    use super::*;

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
        let ends: Vec<_> =
            task.attempts.iter().map(|record| (record.attempt, record.end)).collect();
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
}

mod callers {
    use super::*;

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
}

mod stops {
    use super::*;

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
}

mod runs {
    use super::*;

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
}
