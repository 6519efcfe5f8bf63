//! Prices and what a plan is expected to cost.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::money::Usd;

/// What a machine costs, and how we know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Per hour, on demand, in the reference region.
    pub per_hour: Usd,
    /// When the price was read, `YYYY-MM-DD`.
    pub as_of: jiff::civil::Date,
    /// Where it was read.
    pub source: String,
}

/// What a plan is expected to cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostRange {
    /// If all goes faster than expected.
    pub low: Usd,
    /// If all goes as expected.
    pub likely: Usd,
    /// If every machine lives as long as it may.
    pub high: Usd,
    /// When the oldest price in it was read; absent if nothing is charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<jiff::civil::Date>,
    /// Where the prices come from.
    pub source: String,
    /// What is charged at a price that is not known, and so is not in the sums.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unpriced: Vec<String>,
}

/// What to expect of a provider's machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expectations {
    /// From the create call to the first claim.
    pub boot: Duration,
    /// Lease length that suits it.
    pub lease: Duration,
    /// Least time that is charged.
    pub billing_minimum: Duration,
    /// Time is charged in steps of this.
    pub billing_increment: Duration,
    /// Longest a machine may live there; absent if unlimited.
    pub max_lifetime: Option<Duration>,
}

impl Expectations {
    /// The time that is charged for a machine that lives this long.
    pub fn billed(&self, life: Duration) -> Duration {
        let step = self.billing_increment.as_millis().max(1);
        let billed = life.max(self.billing_minimum).as_millis().div_ceil(step) * step;
        Duration::from_millis(u64::try_from(billed).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_billed_in_steps_from_a_minimum() {
        let expectations = Expectations {
            boot: Duration::ZERO,
            lease: Duration::ZERO,
            billing_minimum: Duration::from_mins(1),
            billing_increment: Duration::from_secs(1),
            max_lifetime: None,
        };
        assert_eq!(expectations.billed(Duration::from_secs(5)), Duration::from_mins(1));
        assert_eq!(expectations.billed(Duration::from_millis(60_500)), Duration::from_secs(61));
    }
}
