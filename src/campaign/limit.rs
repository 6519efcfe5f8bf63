//! What a campaign may cost: the limit that is kept before anything is made, and before a machine
//! is replaced.
//!
//! The limit is on what a run can cost at most, if every machine lives as long as it may. What it
//! is expected to cost would be no limit: a run that hangs would go over it.

use std::time::{Duration, Instant};

use railsbench_core::money::Usd;
use railsbench_core::provider::{CostRange, Expectations, Plan, Rate};

use super::{Campaign, CampaignError};

/// How many of the dearest machines are named.
const NAMED: usize = 3;

impl Campaign {
    /// Refuses plans that could cost more than the configuration allows, or nobody knows how much.
    pub(super) fn keep_within_limit(
        &self,
        plans: &[Plan],
        cost: &CostRange,
    ) -> Result<(), CampaignError> {
        let Some(max) = self.config.max_cost else { return Ok(()) };
        if !cost.unpriced.is_empty() && !self.allow_unpriced {
            return Err(CampaignError::NoPrice { what: cost.unpriced.join(", "), max });
        }
        if cost.high <= max {
            return Ok(());
        }
        Err(CampaignError::TooExpensive {
            likely: cost.likely,
            high: cost.high,
            max,
            dearest: dearest(plans),
            fixes: self.fixes(plans, max),
        })
    }

    /// What would bring the cost below the limit, the mildest first.
    fn fixes(&self, plans: &[Plan], max: Usd) -> String {
        let mut fixes = Vec::new();
        let now = self.config.max_lifetime.as_secs() / 60;
        if let Some(minutes) = longest_lives(plans, self.config.max_lifetime, max) {
            fixes.push(format!("set max_lifetime_minutes to {minutes} (it is {now})"));
        }
        if self.config.instances_per_type > 1 {
            fixes.push("ask for fewer per_instance_type.instances".to_owned());
        }
        if plans.len() > 1 {
            fixes.push("leave out the dearest".to_owned());
        } else {
            fixes.push("take a cheaper type".to_owned());
        }
        fixes.push("allow more (--max-cost, max_cost_usd)".to_owned());
        fixes.join(", or ")
    }
}

/// What all plans cost together.
pub(super) fn total_cost(plans: &[Plan]) -> CostRange {
    let sum = |part: fn(&CostRange) -> Usd| plans.iter().map(|plan| part(&plan.cost)).sum();
    let mut sources: Vec<&str> = Vec::new();
    for plan in plans {
        if !sources.contains(&plan.cost.source.as_str()) {
            sources.push(&plan.cost.source);
        }
    }
    let mut unpriced: Vec<String> = Vec::new();
    for what in plans.iter().flat_map(|plan| &plan.cost.unpriced) {
        if !unpriced.contains(what) {
            unpriced.push(what.clone());
        }
    }
    CostRange {
        low: sum(|cost| cost.low),
        likely: sum(|cost| cost.likely),
        high: sum(|cost| cost.high),
        as_of: plans.iter().filter_map(|plan| plan.cost.as_of).min(),
        source: sources.join("; "),
        unpriced,
        items: Vec::new(),
    }
}

/// The plans that can cost most, with how much.
fn dearest(plans: &[Plan]) -> String {
    let mut plans: Vec<&Plan> = plans.iter().collect();
    plans.sort_by_key(|plan| std::cmp::Reverse(plan.cost.high));
    let named: Vec<String> = plans
        .iter()
        .take(NAMED)
        .map(|plan| {
            let instance_type = &plan.vars.instance_type;
            let count = plan.machines.len();
            format!("{} {instance_type} ×{count} up to {}", plan.provider, plan.cost.high)
        })
        .collect();
    named.join(", ")
}

/// The most minutes that machines may live for the sum to stay within the limit, if that is as
/// long as they are expected to.
fn longest_lives(plans: &[Plan], now: Duration, max: Usd) -> Option<u64> {
    let hourly: Usd = plans.iter().map(|plan| plan.cost.per_hour()).sum();
    let high: Usd = plans.iter().map(|plan| plan.cost.high).sum();
    let over = u128::from(high.micros().checked_sub(max.micros())?);
    // The lives that cost the surplus, rounded up to whole minutes.
    let shorter = (over * 60).div_ceil(u128::from(hourly.micros()).max(1));
    let minutes = (now.as_secs() / 60).checked_sub(u64::try_from(shorter).ok()?)?;
    let expected = plans.iter().map(|plan| plan.expected).max()?;
    (Duration::from_secs(minutes * 60) >= expected).then_some(minutes)
}

/// Machines that were started, and what they can cost.
pub(super) struct Commitment {
    started: Instant,
    cost: CostRange,
    /// For how long they were charged, once that is known.
    lived: Option<Duration>,
}

impl Commitment {
    pub(super) fn new(cost: CostRange) -> Self {
        Self { started: Instant::now(), cost, lived: None }
    }

    /// All of them have ended by now.
    pub(super) fn end(&mut self, expectations: &Expectations) {
        if !expectations.charged_when_ended {
            self.lived.get_or_insert_with(|| expectations.billed(self.started.elapsed()));
        }
    }

    /// What they cost at most.
    pub(super) fn at_most(&self) -> Usd {
        let Some(lived) = self.lived else { return self.cost.high };
        let sent = self.cost.items.iter().filter(|item| matches!(item.rate, Rate::PerGib(_)));
        let sent: Usd = sent.map(|item| item.high).sum();
        (self.cost.per_hour().per_hour_for(lived) + sent).min(self.cost.high)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use railsbench_core::provider::CostItem;

    use super::*;

    fn cost(hourly: u64, high: u64) -> CostRange {
        let item = |rate, high| CostItem {
            what: "it".to_owned(),
            count: 2,
            rate,
            low: Usd::ZERO,
            likely: Usd::ZERO,
            high: Usd::from_micros(high),
            as_of: date(2026, 1, 1),
            source: "a list".to_owned(),
        };
        let rate = Rate::PerHour(Usd::from_micros(hourly));
        let sent = Rate::PerGib(Usd::from_micros(1));
        CostRange::of(vec![item(rate, high - 5), item(sent, 5)], Vec::new())
    }

    fn expectations(charged_when_ended: bool) -> Expectations {
        Expectations {
            boot: Duration::ZERO,
            lease: Duration::ZERO,
            billing_minimum: Duration::from_mins(6),
            billing_increment: Duration::from_secs(1),
            charged_when_ended,
            max_lifetime: None,
        }
    }

    #[test]
    fn machines_that_have_ended_are_counted_for_the_time_that_they_lived() {
        let mut commitment = Commitment::new(cost(1_000, 8_000));
        assert_eq!(commitment.at_most().micros(), 8_000);
        commitment.end(&expectations(false));
        // The least that is charged: a tenth of an hour of two machines, and what they may send.
        assert_eq!(commitment.at_most().micros(), 200 + 5);
    }

    #[test]
    fn machines_that_are_charged_until_they_are_removed_are_counted_in_full() {
        let mut commitment = Commitment::new(cost(1_000, 8_000));
        commitment.end(&expectations(true));
        assert_eq!(commitment.at_most().micros(), 8_000);
    }
}
