//! What has expired or is old goes, and nothing else does.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use railsbench_core::provider::{Due, Provider, Scope};
use railsbench_emulators::gcp::Emulator;

use super::fixture::{instances, nothing_is_left, plan, plan_of, provider, provision, request};

#[tokio::test]
async fn what_has_expired_goes_and_the_rest_stays() {
    let emulator = Emulator::start().await;
    provision(&emulator, &plan("short", 1)).await.unwrap();
    let mut long = request("long", "e2-micro", 1);
    long.max_lifetime = Duration::from_hours(100);
    provision(&emulator, &plan_of(&long)).await.unwrap();
    let provider = provider(&emulator);

    let later = Timestamp::now() + SignedDuration::from_hours(10);
    let expired = Scope::due(Due::ExpiredBy(later));
    let removed = provider.teardown(&expired).await.unwrap().removed;
    assert_eq!(removed.len(), 4, "{removed:?}");
    assert!(removed.iter().all(|gone| gone.run_id.as_ref().unwrap().as_str() == "short"));
    assert_eq!(instances(&emulator).len(), 1, "the other is at work");

    let old = |time| Scope::due(Due::MadeBefore(time));
    let an_hour_ago = Timestamp::now() - SignedDuration::from_hours(1);
    assert!(provider.teardown(&old(an_hour_ago)).await.unwrap().removed.is_empty());
    assert_eq!(provider.teardown(&old(later)).await.unwrap().removed.len(), 4);
    nothing_is_left(&emulator);
}

#[tokio::test]
async fn the_regions_are_those_that_have_zones() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    let regions = provider.regions().await.unwrap();
    assert!(regions.contains(&"us-central1".to_owned()), "{regions:?}");
    assert!(regions.is_sorted() && !regions.iter().any(|region| region.ends_with("-a")));
    assert!(provider.default_regions().is_empty(), "a list covers all of them");
}
