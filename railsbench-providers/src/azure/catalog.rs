//! What is known of virtual machine sizes: `catalog.csv`, whose first lines say where it is from.
//!
//! Prices are those of eastus, the reference region. To see what Azure itself says of a size:
//! ```sh
//! az vm list-skus --location eastus --size Standard_D2ps_v5 --output json
//! ```

use std::sync::LazyLock;

use crate::catalog::Catalog;

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    Catalog::parse(include_str!("catalog.csv"))
        .and_then(Catalog::ignoring_case)
        .expect("it is compiled in, and a test reads it")
});

/// The known sizes.
pub(super) fn catalog() -> &'static Catalog {
    &CATALOG
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_have_dated_prices() {
        let price = catalog().price("standard_d2PS_v5").unwrap();
        assert_eq!(price.per_hour.micros(), 77_000);
        assert_eq!(price.as_of, jiff::civil::date(2026, 6, 18));
        assert!(price.source.contains("eastus"), "{}", price.source);
        assert_eq!(catalog().price("Standard_NV6s_v2"), None);
    }
}
