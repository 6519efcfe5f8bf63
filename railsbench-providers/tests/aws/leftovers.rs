//! What has expired or is old goes, and nothing else does.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use railsbench_core::id::RunId;
use railsbench_core::provider::{Due, Provider, Scope};

use super::world::{REGION, World, request};

#[tokio::test]
async fn what_has_expired_goes_and_the_rest_stays() {
    let world = World::new().await;
    let provider = world.provider();
    world.provision(&world.plan("t3.micro", 1)).await.unwrap();
    let lasting = RunId::new(format!("{}-2", world.run_id)).unwrap();
    let mut long = request(&lasting, "t3.micro", 1);
    long.max_lifetime = Duration::from_hours(100);
    world.provision(&provider.plan(&long).unwrap()).await.unwrap();

    let later = Timestamp::now() + SignedDuration::from_hours(10);
    let removed = provider.teardown(&Scope::due(Due::ExpiredBy(later))).await.unwrap().removed;
    assert!(!removed.is_empty());
    assert!(removed.iter().all(|gone| gone.run_id.as_ref() == Some(&world.run_id)), "{removed:?}");
    let kept = provider.list(&Scope::run(lasting.clone())).await.unwrap();
    assert!(kept.iter().any(|resource| resource.kind == "instance"), "{kept:?}");

    let old = |time| Scope::due(Due::MadeBefore(time));
    let an_hour_ago = Timestamp::now() - SignedDuration::from_hours(1);
    assert!(provider.teardown(&old(an_hour_ago)).await.unwrap().removed.is_empty());
    let removed = provider.teardown(&old(later)).await.unwrap().removed;
    assert_eq!(removed.len(), kept.len());
    world.is_empty().await;
}

#[tokio::test]
async fn a_disk_costs_what_gp3_costs() {
    let world = World::new().await;
    world.provision(&world.plan("t3.micro", 1)).await.unwrap();
    let found = world.provider().list(&Scope::all()).await.unwrap();
    let disk = found.iter().find(|resource| resource.kind == "volume").unwrap();
    let size = 1_600_000_u64.div_ceil(730);
    assert_eq!(disk.per_hour.unwrap().micros(), size, "20 GiB at $0.08 a month: {disk:?}");
    assert!(disk.created_at.is_some());
    world.teardown().await;
}

#[tokio::test]
async fn the_regions_are_those_that_the_account_may_use() {
    let world = World::new().await;
    let provider = world.provider();
    assert_eq!(provider.default_regions(), [REGION]);
    let regions = provider.regions().await.unwrap();
    for region in [REGION, "eu-west-1", "ap-southeast-2"] {
        assert!(regions.iter().any(|known| known == region), "{regions:?}");
    }
}
