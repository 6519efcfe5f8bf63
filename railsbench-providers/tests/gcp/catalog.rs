//! The reference prices, row by row.

use railsbench_core::provider::Provider;
use railsbench_providers::gcp::GcpProvider;

/// The autoscaler's table sets these above their prices on purpose, as its comments say.
const WRONG_ON_PURPOSE: [&str; 2] = ["e2-micro", "e2-small"];

#[test]
fn every_reference_type_resolves_and_no_price_is_far_off() {
    let provider = GcpProvider::from_environment();
    let listed = provider.instance_types();
    let rows = include_str!("reference-prices.csv").lines().filter(|line| !line.starts_with('#'));
    let mut priced = 0;
    for row in rows.skip(1) {
        let (name, price) = row.split_once(',').unwrap();
        let shape = provider.shape(name).unwrap();
        // The number of a type with GPUs is theirs; only those need the catalog.
        assert!(shape.vcpus.is_some(), "{name}");
        let reference: f64 = price.parse().unwrap();
        let ours = listed.iter().find(|(listed, ..)| listed == name);
        let Some(ours) = ours.and_then(|(_, _, price)| price.as_ref()) else {
            // What memory a Z4D has is not known, so it is in no catalog.
            assert!(name.starts_with("z4d-"), "{name} has no price");
            continue;
        };
        let off = (ours.per_hour.dollars() / reference - 1.0).abs();
        assert!(off < 0.08 || WRONG_ON_PURPOSE.contains(&name), "{name}: {off}");
        assert_eq!(ours.as_of.to_string(), "2026-06-23");
        priced += 1;
    }
    assert_eq!(priced, 201 - 11, "rows with a price");
}
