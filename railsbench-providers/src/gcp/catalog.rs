//! What is known of machine types: `catalog.csv`, whose first lines say where it is from.
//!
//! Prices are those of us-central1, the reference region; other regions cost up to a half more.
//! The Kubernetes autoscaler's table sets `e2-micro` and `e2-small` above their real prices on
//! purpose, as its own comments say; the table here has the real ones. For types of which neither
//! source has a price, there is none. To see what Google itself says of a type:
//! ```sh
//! gcloud compute machine-types describe c4a-standard-4 --zone us-central1-a
//! ```

use std::sync::LazyLock;

use crate::catalog::Catalog;

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    Catalog::parse(include_str!("catalog.csv")).expect("it is compiled in, and a test reads it")
});

/// The known types.
pub(super) fn catalog() -> &'static Catalog {
    &CATALOG
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_types_have_the_prices_that_google_publishes() {
        for (name, micros) in [
            ("e2-micro", 8_376),
            ("e2-small", 16_753),
            ("n2-standard-4", 194_236),
            ("t2a-standard-4", 154_000),
            ("n4a-standard-2", 77_000),
            ("c4a-standard-1", 44_900),
        ] {
            assert_eq!(catalog().price(name).unwrap().per_hour.micros(), micros, "{name}");
        }
        assert_eq!(catalog().price("x4-480-6t-metal"), None);
    }

    /// Two lists by the same vendor: they differ by little, or the list of the vendor's own
    /// interface is taken.
    #[test]
    fn every_priced_type_is_plausible() {
        for known in catalog().types() {
            let Some(price) = known.per_hour else { continue };
            let per_vcpu = price.dollars() / f64::from(known.vcpus);
            let shared = matches!(known.name, "e2-micro" | "e2-small" | "f1-micro");
            let dearest = if known.gpus > 0 { 6.0 } else { 0.3 };
            assert!((0.015..dearest).contains(&per_vcpu) || shared, "{}: {per_vcpu}", known.name);
        }
    }
}
