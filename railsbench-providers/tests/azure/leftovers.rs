//! What has expired or is old goes, and nothing else does.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use railsbench_core::provider::{Due, Provider, Scope};
use railsbench_emulators::azure::Emulator;

use super::setup::{plan, provider, provision, request};

#[tokio::test]
async fn what_has_expired_goes_and_the_rest_stays() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    provision(&provider, &plan(&provider, "short", "Standard_D2ps_v5", 1)).await.unwrap();
    let mut long = request("long", "Standard_D2ps_v5", 1);
    long.max_lifetime = Duration::from_hours(100);
    provision(&provider, &provider.plan(&long).unwrap()).await.unwrap();

    let later = Timestamp::now() + SignedDuration::from_hours(10);
    let removed = provider.teardown(&Scope::due(Due::ExpiredBy(later))).await.unwrap().removed;
    assert!(!removed.is_empty());
    assert!(removed.iter().all(|gone| gone.run_id.as_ref().unwrap().as_str() == "short"));
    assert_eq!(emulator.world().groups.keys().collect::<Vec<_>>(), ["railsbench-long-eastus"]);

    let old = |time| Scope::due(Due::MadeBefore(time));
    let an_hour_ago = Timestamp::now() - SignedDuration::from_hours(1);
    assert!(provider.teardown(&old(an_hour_ago)).await.unwrap().removed.is_empty());
    assert!(!provider.teardown(&old(later)).await.unwrap().removed.is_empty());
    assert!(emulator.is_empty(), "{:?}", emulator.world().resources.keys());
}

#[tokio::test]
async fn the_regions_are_named_as_in_the_api() {
    let emulator = Emulator::start().await;
    let regions = provider(&emulator).regions().await.unwrap();
    assert_eq!(regions, ["eastus", "westeurope"]);
}
