//! What is known of dyno sizes.
//!
//! Shapes are those of Heroku's page "Technical Specifications by Dyno Size"
//! (devcenter.heroku.com/articles/dyno-sizes, read 2026-09-30). It gives memory, and a share of
//! a processor instead of processors, so those come from elsewhere:
//! * dedicated Cedar sizes (`performance-*`, `private-*`, `shield-*`): from the table in the
//!   default-concurrency script of heroku-buildpack-python, which counts the processors that a
//!   dyno sees. The page's "compute" of 12x, 24x, 50x and 100x stands for 2, 4, 8 and 16;
//! * shared Cedar sizes: the least that is promised, one for each share. A dyno may be given more,
//!   and sees more in any case; what it saw is in the metadata of each result;
//! * Fir sizes: the name says it.
//!
//! Cedar runs on x86. For Fir, Heroku's pages name no processor; the Platform API tells it per
//! size, and its reference gives `arm64` as the example, which the table follows.
//!
//! Prices are per month, charged by the second of wall time with the month taken as 720 hours,
//! which is also what Heroku's CLI divides by. Eco is a flat 5 USD for 1,000 hours.

use std::sync::LazyLock;

use crate::catalog::Catalog;

/// The dyno sizes that are known. Heroku ignores the case of their names.
pub(super) static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    Catalog::parse(include_str!("catalog.csv"))
        .and_then(Catalog::ignoring_case)
        .expect("the table is compiled in, and a test reads it")
});

#[cfg(test)]
mod tests {
    use railsbench_core::provider::Arch;

    use super::*;

    #[test]
    fn every_generation_is_there_with_prices() {
        assert_eq!(CATALOG.types().len(), 38);
        for known in CATALOG.types() {
            let fir = known.name.starts_with("dyno-");
            assert_eq!(known.arch == Arch::Aarch64, fir, "{}", known.name);
            assert!(known.per_hour.is_some_and(|price| price.micros() >= 5_000), "{}", known.name);
            assert_eq!(known.name, known.name.to_lowercase());
        }
    }

    /// A month of 720 hours costs what the price list says.
    #[test]
    fn prices_per_hour_add_up_to_those_per_month() {
        for (name, dollars) in [
            ("basic", 7.0),
            ("standard-1x", 25.0),
            ("performance-2xl", 1500.0),
            ("shield-l", 600.0),
            ("dyno-32c-64gb", 2400.0),
        ] {
            let month = CATALOG.price(name).unwrap().per_hour.times(720).dollars();
            assert!((month - dollars).abs() < 0.001, "{name}: {month}");
        }
    }
}
