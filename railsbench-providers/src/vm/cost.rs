//! What machines of a VM cloud are expected to cost.

use jiff::civil::Date;
use railsbench_core::money::Usd;
use railsbench_core::provider::{CostItem, CostRange, Expectations, Price, ProvisionRequest, Rate};

/// Hours in a month, as clouds count them for disks: 365 × 24 ÷ 12.
const HOURS_A_MONTH: u64 = 730;

/// What a machine sends in MiB, its uploads above all: at least, likely, at most.
const SENT_MIB: [u64; 3] = [1, 10, 200];

/// What a machine and what belongs to it costs, in one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmPrices {
    /// The machine; absent if its price is not known.
    pub machine: Option<Price>,
    /// Its disk, in GiB.
    pub disk_gib: u32,
    /// A GiB of that for a month.
    pub disk_gib_month: Usd,
    /// Its public IPv4 address for an hour.
    pub public_ip_hour: Usd,
    /// A GiB that it sends to the internet.
    pub sent_gib: Usd,
    /// When the prices of disk, address and traffic were read.
    pub as_of: Date,
    /// Where.
    pub source: String,
}

/// What something costs for an hour that has a price for a month, rounded up to a millionth.
pub fn hour_of_month(month: Usd) -> Usd {
    Usd::from_micros(month.micros().div_ceil(HOURS_A_MONTH))
}

/// What `request.count` machines cost: at least if boot takes half and the work three quarters
/// of what is expected, likely if all is as expected, at most if each lives as long as it may.
pub fn cost(
    prices: &VmPrices,
    expectations: &Expectations,
    request: &ProvisionRequest,
) -> CostRange {
    let likely = expectations.boot.saturating_add(request.expected_work);
    let least = (expectations.boot / 2).saturating_add(request.expected_work / 4 * 3);
    let most = request.max_lifetime.max(likely);
    let item = |what: String, rate: Rate, [low, likely, high]: [Usd; 3]| CostItem {
        what,
        count: request.count,
        rate,
        low: low.times(request.count),
        likely: likely.times(request.count),
        high: high.times(request.count),
        as_of: prices.as_of,
        source: prices.source.clone(),
    };
    let hourly = |what: String, rate: Usd| {
        let lives = [least, likely, most];
        let costs = lives.map(|life| rate.per_hour_for(expectations.billed(life)));
        item(what, Rate::PerHour(rate), costs)
    };
    let machine = prices.machine.as_ref().map(|price| CostItem {
        as_of: price.as_of,
        source: price.source.clone(),
        ..hourly(format!("machine ({})", request.instance_type), price.per_hour)
    });
    let unpriced = match &machine {
        Some(_) => Vec::new(),
        None => vec![format!("{} ({})", request.instance_type, request.vars.provider)],
    };
    let disk = hour_of_month(prices.disk_gib_month.times(prices.disk_gib));
    let sent =
        SENT_MIB.map(|mib| Usd::from_micros((prices.sent_gib.micros() * mib).div_ceil(1024)));
    let beside = [
        hourly(format!("disk of {} GiB", prices.disk_gib), disk),
        hourly("public IPv4 address".to_owned(), prices.public_ip_hour),
        item("traffic".to_owned(), Rate::PerGib(prices.sent_gib), sent),
    ];
    CostRange::of(machine.into_iter().chain(beside).collect(), unpriced)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::vm::fixture::{EXPECTATIONS, prices, request};

    #[test]
    fn machine_disk_address_and_traffic_are_counted_for_the_time_that_is_billed() {
        let mut request = request();
        request.count = 2;
        let cost = cost(&prices(), &EXPECTATIONS, &request);
        // 4 minutes of boot and 56 of work: an hour, at $0.36 + $0.005 + 20 GiB of $0.073 a month.
        let hour = 360_000 + 5_000 + 20 * 73_000 / 730;
        let sent = (90_000_u64 * 10).div_ceil(1024);
        assert_eq!(cost.likely, Usd::from_micros(2 * (hour + sent)));
        assert!(cost.low < cost.likely && cost.likely < cost.high);
        let most = 4 * hour + (90_000_u64 * 200).div_ceil(1024);
        assert_eq!(cost.high, Usd::from_micros(2 * most));
        assert_eq!(cost.as_of, Some(date(2025, 6, 1)), "the older of the two");
        assert!(cost.unpriced.is_empty());
        let what: Vec<&str> = cost.items.iter().map(|item| item.what.as_str()).collect();
        let all = ["machine (c7g.medium)", "disk of 20 GiB", "public IPv4 address", "traffic"];
        assert_eq!(what, all);
        assert_eq!(cost.per_hour(), Usd::from_micros(2 * hour));
    }

    #[test]
    fn a_machine_without_a_price_is_named() {
        let prices = VmPrices { machine: None, ..prices() };
        let cost = cost(&prices, &EXPECTATIONS, &request());
        assert_eq!(cost.unpriced, ["c7g.medium (cloud)"]);
        assert!(cost.likely > Usd::ZERO, "the rest is known");
    }
}
