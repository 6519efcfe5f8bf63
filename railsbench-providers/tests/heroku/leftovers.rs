//! What has expired or is old goes, and nothing else does.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use railsbench_core::provider::{Due, Provider, Scope};
use railsbench_emulators::heroku::Emulator;

use super::fixture::{ids, plan, provider, provision, request, scope};

#[tokio::test]
async fn what_has_expired_goes_and_the_rest_stays() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    provision(&provider, &plan(&provider, "short", "standard-1x", 1)).await.unwrap();
    let mut long = request("long", "standard-1x", 1);
    long.max_lifetime = Duration::from_hours(20);
    provision(&provider, &provider.plan(&long).unwrap()).await.unwrap();

    let later = Timestamp::now() + SignedDuration::from_hours(10);
    let removed = provider.teardown(&Scope::due(Due::ExpiredBy(later))).await.unwrap().removed;
    assert_eq!(ids(&removed), ["railsbencher-runner-short"]);

    let old = |time| Scope::due(Due::MadeBefore(time));
    let an_hour_ago = Timestamp::now() - SignedDuration::from_hours(1);
    assert!(provider.teardown(&old(an_hour_ago)).await.unwrap().removed.is_empty());
    assert_eq!(ids(&provider.list(&scope("long")).await.unwrap()), ["railsbencher-runner-long"]);
    let removed = provider.teardown(&old(later)).await.unwrap().removed;
    assert_eq!(ids(&removed), ["railsbencher-runner-long"]);
    assert!(provider.list(&Scope::all()).await.unwrap().is_empty());
}

#[tokio::test]
async fn regions_are_those_of_heroku() {
    let emulator = Emulator::start().await;
    let regions = provider(&emulator).regions().await.unwrap();
    assert_eq!(regions, ["us", "eu", "virginia"]);
}
