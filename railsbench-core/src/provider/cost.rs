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

/// What one unit of something costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rate {
    /// While it exists, in USD per hour.
    PerHour(Usd),
    /// By what is sent, in USD per GiB.
    PerGib(Usd),
}

/// One of the things that a plan is charged for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostItem {
    /// What, e.g. `machine` or `disk of 20 GiB`.
    pub what: String,
    /// How many of it there are.
    pub count: u32,
    /// What one of it costs.
    #[serde(flatten)]
    pub rate: Rate,
    /// All of it, if all goes faster than expected.
    pub low: Usd,
    /// All of it, if all goes as expected.
    pub likely: Usd,
    /// All of it, if every machine lives as long as it may.
    pub high: Usd,
    /// When the price was read.
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
    /// What the sums are made of; left out where others are added up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<CostItem>,
}

impl CostRange {
    /// What these come to; `unpriced` is charged besides, and nobody knows at what price.
    pub fn of(items: Vec<CostItem>, unpriced: Vec<String>) -> Self {
        let mut sources: Vec<&str> = Vec::new();
        for item in &items {
            if !sources.contains(&item.source.as_str()) {
                sources.push(&item.source);
            }
        }
        Self {
            low: items.iter().map(|item| item.low).sum(),
            likely: items.iter().map(|item| item.likely).sum(),
            high: items.iter().map(|item| item.high).sum(),
            as_of: items.iter().map(|item| item.as_of).min(),
            source: sources.join("; "),
            unpriced,
            items,
        }
    }

    /// What all of it costs while it exists, in USD per hour; what is sent comes on top.
    pub fn per_hour(&self) -> Usd {
        let hourly = self.items.iter().filter_map(|item| match item.rate {
            Rate::PerHour(rate) => Some(rate.times(item.count)),
            Rate::PerGib(_) => None,
        });
        hourly.sum()
    }

    /// What is expected to be charged for what is sent.
    pub fn sent(&self) -> Usd {
        let sent = self.items.iter().filter(|item| matches!(item.rate, Rate::PerGib(_)));
        sent.map(|item| item.likely).sum()
    }
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
    /// Whether a machine that has ended by itself is charged in full until it is removed.
    pub charged_when_ended: bool,
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
    use jiff::civil::date;

    use super::*;

    #[test]
    fn time_is_billed_in_steps_from_a_minimum() {
        let expectations = Expectations {
            boot: Duration::ZERO,
            lease: Duration::ZERO,
            billing_minimum: Duration::from_mins(1),
            billing_increment: Duration::from_secs(1),
            charged_when_ended: false,
            max_lifetime: None,
        };
        assert_eq!(expectations.billed(Duration::from_secs(5)), Duration::from_mins(1));
        assert_eq!(expectations.billed(Duration::from_millis(60_500)), Duration::from_secs(61));
    }

    fn item(count: u32, rate: Rate, likely: u64, source: &str, year: i16) -> CostItem {
        CostItem {
            what: "machine".to_owned(),
            count,
            rate,
            low: Usd::from_micros(likely / 2),
            likely: Usd::from_micros(likely),
            high: Usd::from_micros(likely * 2),
            as_of: date(year, 1, 1),
            source: source.to_owned(),
        }
    }

    #[test]
    fn a_cost_is_the_sum_of_its_items_with_the_oldest_date_and_each_source_once() {
        let hour = Usd::from_micros(10);
        let items = vec![
            item(3, Rate::PerHour(hour), 100, "a", 2026),
            item(1, Rate::PerHour(hour), 20, "a", 2025),
            item(1, Rate::PerGib(hour), 7, "b", 2026),
        ];
        let cost = CostRange::of(items, Vec::new());
        assert_eq!((cost.likely.micros(), cost.low.micros(), cost.high.micros()), (127, 63, 254));
        assert_eq!((cost.as_of, cost.source.as_str()), (Some(date(2025, 1, 1)), "a; b"));
        assert_eq!((cost.per_hour().micros(), cost.sent().micros()), (40, 7));
        let json = serde_json::to_value(&cost.items[2]).unwrap();
        assert_eq!(json["per_gib"], 0.00001);
        assert_eq!(serde_json::from_value::<CostItem>(json).unwrap(), cost.items[2]);
    }
}
