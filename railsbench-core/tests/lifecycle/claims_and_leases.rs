//! Who gets a task, and for how long.

use crate::*;

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
    let mut world = World::new(&[("local", "host"), ("docker", "local-2")], 2, Policy::default());
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
    assert!(matches!(world.claim(0, &runner(2), after(15)).0, Claim::Wait(_)), "the same spare");
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
    let policy = Policy { lease: Duration::MAX, retry_after: Duration::MAX, ..Policy::default() };
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
