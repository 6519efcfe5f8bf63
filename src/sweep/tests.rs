//! Sweeps over mock providers: what is looked at, what is removed, what is told.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use proptest::prelude::*;
use railsbench_core::id::{ProviderName, RunId};
use railsbench_core::provider::{MockProvider, ProviderError, Resource, Scope, Teardown};
use railsbench_providers::Registry;

use super::*;

const NOW: i64 = 1_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn name(text: &str) -> ProviderName {
    ProviderName::new(text).unwrap()
}

/// A resource of a run that expires this many seconds from now.
fn resource(id: &str, run: &str, expires: Option<i64>) -> Resource {
    Resource {
        provider: name("cloud"),
        kind: "instance".to_owned(),
        id: id.to_owned(),
        name: id.to_owned(),
        run_id: Some(RunId::new(run).unwrap()),
        region: Some("here-1".to_owned()),
        created_at: None,
        expires_at: expires.map(|seconds| Timestamp::from_second(NOW + seconds).unwrap()),
        per_hour: None,
    }
}

fn refusal(detail: &str) -> ProviderError {
    ProviderError::Call {
        provider: name("cloud"),
        action: "removing".to_owned(),
        detail: detail.to_owned(),
    }
}

/// A provider without default regions.
fn mock(provider: &str) -> MockProvider {
    let mut mock = MockProvider::new();
    mock.expect_name().return_const(name(provider));
    mock.expect_default_regions().returning(Vec::new);
    mock
}

fn registry(mocks: impl IntoIterator<Item = MockProvider>) -> Registry {
    let mut registry = Registry::empty();
    for mock in mocks {
        registry.register(Arc::new(mock));
    }
    registry
}

/// A provider that has these, and removes what a scope means.
fn cloud(things: Vec<Resource>) -> (MockProvider, Arc<Mutex<Vec<Resource>>>) {
    let world = Arc::new(Mutex::new(things));
    let mut mock = mock("cloud");
    let there = world.clone();
    mock.expect_list()
        .returning(move |scope: &Scope| Ok(scope.select(there.lock().unwrap().clone())));
    let there = world.clone();
    mock.expect_teardown().returning(move |scope: &Scope| {
        let removed = scope.select(there.lock().unwrap().clone());
        there.lock().unwrap().retain(|thing| !removed.contains(thing));
        Ok(Teardown { removed })
    });
    (mock, world)
}

#[tokio::test]
async fn what_is_found_is_removed_and_told() {
    let (cloud, world) = cloud(vec![resource("a", "r1", Some(-5)), resource("b", "r2", Some(5))]);
    let findings = Sweep::expired(now()).find(&registry([cloud])).await.unwrap();
    let found: Vec<&str> = findings.resources().map(|found| found.id.as_str()).collect();
    assert_eq!(found, ["a"]);
    let cleared = findings.remove().await;
    assert_eq!((cleared.len(), cleared[0].removed.len(), cleared[0].left.len()), (1, 1, 0));
    assert!(cleared[0].problem.is_none());
    assert_eq!(*world.lock().unwrap(), [resource("b", "r2", Some(5))]);
}

/// It would remove machines that are at work.
#[tokio::test]
async fn a_provider_that_knows_no_ages_is_not_asked_to_remove_by_age() {
    let mut careless = mock("cloud");
    careless.expect_list().returning(|_| Ok(vec![resource("a", "r1", Some(5))]));
    careless.expect_teardown().never();
    let findings = Sweep::expired(now()).find(&registry([careless])).await.unwrap();
    assert_eq!(findings.resources().count(), 0);
    let problem = findings.problems().next().unwrap().1.to_string();
    assert!(problem.contains("instance a, which was not asked for"), "{problem}");
    assert!(findings.remove().await.is_empty());
}

#[tokio::test]
async fn what_refuses_to_go_is_told_one_by_one_and_others_go_all_the_same() {
    let all = vec![resource("a", "r1", None), resource("b", "r1", None)];
    let mut stubborn = mock("cloud");
    let mut looks = vec![vec![all[1].clone()], all.clone()];
    stubborn.expect_list().times(2).returning(move |_| Ok(looks.pop().unwrap()));
    stubborn.expect_teardown().returning(|_| Err(refusal("b is in use")));
    let mut well = mock("other");
    let mut looks = vec![Vec::new(), vec![resource("c", "r1", None)]];
    well.expect_list().times(2).returning(move |_| Ok(looks.pop().unwrap()));
    well.expect_teardown().returning(|_| Ok(Teardown { removed: vec![resource("c", "r1", None)] }));

    let cleared = Sweep::all().find(&registry([stubborn, well])).await.unwrap().remove().await;
    assert_eq!((&cleared[0].removed[..], &cleared[0].left[..]), (&all[..1], &all[1..]));
    assert!(cleared[0].problem.as_ref().unwrap().to_string().contains("b is in use"));
    assert_eq!((cleared[1].removed.len(), cleared[1].left.len()), (1, 0));
}

#[tokio::test]
async fn what_vanishes_meanwhile_is_gone_and_no_problem() {
    let mut cloud = mock("cloud");
    let mut looks = vec![Vec::new(), vec![resource("a", "r1", None)]];
    cloud.expect_list().times(2).returning(move |_| Ok(looks.pop().unwrap()));
    cloud.expect_teardown().returning(|_| Err(refusal("there is no a")));
    let cleared = Sweep::all().find(&registry([cloud])).await.unwrap().remove().await;
    assert_eq!((cleared[0].removed.len(), cleared[0].left.len()), (1, 0));
    assert!(cleared[0].problem.is_none());
}

#[tokio::test]
async fn what_cannot_be_seen_to_be_gone_counts_as_left() {
    let mut cloud = mock("cloud");
    let mut looks = vec![Err(refusal("no answer")), Ok(vec![resource("a", "r1", None)])];
    cloud.expect_list().times(2).returning(move |_| looks.pop().unwrap());
    cloud
        .expect_teardown()
        .returning(|_| Ok(Teardown { removed: vec![resource("a", "r1", None)] }));
    let cleared = Sweep::all().find(&registry([cloud])).await.unwrap().remove().await;
    assert_eq!((cleared[0].removed.len(), cleared[0].left.len()), (0, 1));
    assert!(cleared[0].problem.as_ref().unwrap().to_string().contains("no answer"));
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_told_and_keeps_no_other() {
    let mut silent = mock("cloud");
    silent.expect_list().returning(|_| Err(refusal("no answer")));
    silent.expect_teardown().never();
    let mut well = mock("other");
    well.expect_list().returning(|_| Ok(vec![resource("c", "r1", None)]));
    let findings = Sweep::all().find(&registry([silent, well])).await.unwrap();
    assert_eq!(findings.problems().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["cloud"]);
    assert_eq!(findings.resources().count(), 1);
}

/// A provider with a default region among several; gives the regions that it is asked to list.
fn regional(regions: &'static [&'static str]) -> (MockProvider, Arc<Mutex<Vec<Vec<String>>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let mut mock = MockProvider::new();
    mock.expect_name().return_const(name("cloud"));
    mock.expect_default_regions().returning(|| vec![regions[0].to_owned()]);
    mock.expect_regions().returning(|| Ok(regions.iter().map(ToString::to_string).collect()));
    let noted = asked.clone();
    mock.expect_list().returning(move |scope: &Scope| {
        noted.lock().unwrap().push(scope.regions.clone());
        Ok(Vec::new())
    });
    (mock, asked)
}

#[tokio::test]
async fn the_regions_that_are_asked_for_are_looked_in() {
    let only = |regions: &[&str]| Reach::Only(regions.iter().map(ToString::to_string).collect());
    let run = || Sweep::run(RunId::new("r1").unwrap());
    let cases: [(Sweep, &[&str]); 4] = [
        (run(), &["a-1"]),
        (run().besides(name("cloud"), "c-1".to_owned()), &["a-1", "c-1"]),
        (run().within(Reach::Everywhere), &["a-1", "b-1", "c-1"]),
        (run().within(only(&["c-1", "b-1", "c-1"])), &["b-1", "c-1"]),
    ];
    for (sweep, expected) in cases {
        let (cloud, asked) = regional(&["a-1", "b-1", "c-1"]);
        let mut elsewhere = mock("other");
        elsewhere.expect_regions().returning(|| Ok(vec!["o-1".to_owned()]));
        elsewhere.expect_list().returning(|_| Ok(Vec::new()));
        let findings = sweep.find(&registry([cloud, elsewhere])).await.unwrap();
        assert_eq!(*asked.lock().unwrap(), [expected], "{sweep:?}");
        let both = !matches!(sweep.reach, Reach::Only(_));
        assert_eq!(findings.places.len(), if both { 2 } else { 1 }, "{sweep:?}");
    }
}

/// To look nowhere would pass for finding nothing.
#[tokio::test]
async fn a_region_that_no_provider_has_is_refused() {
    let (cloud, asked) = regional(&["us-east-1", "eu-west-1"]);
    let sweep = Sweep::all().within(Reach::Only(vec!["us-esat-1".to_owned()]));
    let error = sweep.find(&registry([cloud])).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "there is no region \"us-esat-1\" at cloud; did you mean us-east-1 or eu-west-1?"
    );
    assert!(asked.lock().unwrap().is_empty());
}

proptest! {
    /// Whatever there is: after a sweep of what has expired, all is still there that has not, and
    /// all that does not say when it does.
    #[test]
    fn a_sweep_never_takes_what_is_needed(
        things in proptest::collection::vec(
            (0..4_u8, proptest::option::of(-3..3_i64), proptest::option::of(-3..3_i64)), 0..10,
        ),
        by_age in any::<bool>(),
    ) {
        let things: Vec<Resource> = things
            .into_iter()
            .enumerate()
            .map(|(index, (run, expires, made))| Resource {
                created_at: made.map(|seconds| Timestamp::from_second(NOW + seconds).unwrap()),
                ..resource(&format!("i-{index}"), &format!("r{run}"), expires)
            })
            .collect();
        let sweep = if by_age { Sweep::made_before(now()) } else { Sweep::expired(now()) };
        let (cloud, world) = cloud(things.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let cleared = runtime.block_on(async {
            sweep.find(&registry([cloud])).await.unwrap().remove().await
        });
        let left = world.lock().unwrap().clone();
        let over = |thing: &Resource| {
            let time = if by_age { thing.created_at } else { thing.expires_at };
            time.is_some_and(|time| time < now())
        };
        for thing in things.iter().filter(|thing| !over(thing)) {
            prop_assert!(left.contains(thing), "{thing:?} is gone");
        }
        let removed: usize = cleared.iter().map(|place| place.removed.len()).sum();
        prop_assert_eq!(removed + left.len(), things.len());
    }
}
