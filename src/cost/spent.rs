//! What the machines of a run have cost so far, by the ledger.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use railsbench_core::id::{InstanceType, ProviderName, RunId};
use railsbench_core::money::Usd;
use serde::Serialize;

use super::ledger::{LedgerEntry, LedgerStep, Terms};
use super::seconds;

/// What the machines of a run have cost so far. An estimate: times are those of this host, prices
/// those of the plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spent {
    /// The run.
    pub run_id: RunId,
    /// Its machines, in the order in which they were started.
    pub machines: Vec<MachineSpent>,
    /// What they have cost together.
    pub total: Usd,
    /// Whether all of them are known to be charged no more.
    pub is_final: bool,
    /// What was charged besides, at a price that is not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unpriced: Vec<String>,
    /// When the oldest of the prices was read; absent if nothing was charged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Date>,
    /// Where the prices come from.
    pub source: String,
}

/// What a machine has cost so far.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MachineSpent {
    /// Where.
    pub provider: ProviderName,
    /// Its planned name.
    pub machine: String,
    /// Its type.
    pub instance_type: InstanceType,
    /// Where it is; absent where there are no regions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// When it was asked for.
    pub started_at: Timestamp,
    /// When it was charged no more, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The time that it is charged for.
    #[serde(serialize_with = "seconds", rename = "billed_seconds")]
    pub billed: Duration,
    /// What it costs with all that belongs to it, per hour.
    pub per_hour: Usd,
    /// What it has cost so far.
    pub cost: Usd,
}

/// What each run in the ledger has cost by now, in the order in which they began.
///
/// A machine that is not known to have ended is counted until now; not longer than it may live,
/// unless it is charged until it is removed.
pub fn spent(entries: &[LedgerEntry], now: Timestamp) -> Vec<Spent> {
    let mut order: Vec<&RunId> = Vec::new();
    let mut runs: BTreeMap<&RunId, Vec<Life>> = BTreeMap::new();
    for entry in entries {
        if !order.contains(&&entry.run_id) {
            order.push(&entry.run_id);
        }
        let lives = runs.entry(&entry.run_id).or_default();
        // Made again under its name, it is no longer what it was before.
        let open = lives.iter_mut().filter(|life| life.ended_at.is_none());
        for life in open.filter(|life| life.is_of(entry)) {
            life.ended_at = Some(entry.at);
        }
        if let LedgerStep::Started { instance_type, region, terms } = &entry.step {
            lives.push(Life { entry, instance_type, region, terms, ended_at: None });
        }
    }
    order
        .into_iter()
        .filter_map(|run_id| Some(sum(run_id, runs.get(run_id)?, now)))
        .filter(|spent| !spent.machines.is_empty())
        .collect()
}

/// A machine from its start to its end.
struct Life<'a> {
    entry: &'a LedgerEntry,
    instance_type: &'a InstanceType,
    region: &'a Option<String>,
    terms: &'a Terms,
    ended_at: Option<Timestamp>,
}

impl Life<'_> {
    fn is_of(&self, entry: &LedgerEntry) -> bool {
        self.entry.provider == entry.provider && self.entry.machine == entry.machine
    }

    fn billed(&self, now: Timestamp) -> Duration {
        let until = self.ended_at.unwrap_or(now);
        let lived = Duration::try_from(until.duration_since(self.entry.at)).unwrap_or_default();
        let longest = Duration::from_millis(self.terms.max_lifetime_ms);
        let known = self.ended_at.is_some() || self.terms.charged_when_ended;
        let lived = if known { lived } else { lived.min(longest) };
        let step = u128::from(self.terms.billing_increment_ms.max(1));
        let least = Duration::from_millis(self.terms.billing_minimum_ms);
        let billed = lived.max(least).as_millis().div_ceil(step) * step;
        Duration::from_millis(u64::try_from(billed).unwrap_or(u64::MAX))
    }

    fn spent(&self, now: Timestamp) -> MachineSpent {
        let billed = self.billed(now);
        MachineSpent {
            provider: self.entry.provider.clone(),
            machine: self.entry.machine.clone(),
            instance_type: self.instance_type.clone(),
            region: self.region.clone(),
            started_at: self.entry.at,
            ended_at: self.ended_at,
            billed,
            per_hour: self.terms.per_hour,
            cost: self.terms.per_hour.per_hour_for(billed) + self.terms.sent,
        }
    }
}

fn sum(run_id: &RunId, lives: &[Life], now: Timestamp) -> Spent {
    let machines: Vec<MachineSpent> = lives.iter().map(|life| life.spent(now)).collect();
    let mut unpriced: Vec<String> = Vec::new();
    let mut sources: Vec<&str> = Vec::new();
    for terms in lives.iter().map(|life| life.terms) {
        for what in &terms.unpriced {
            if !unpriced.contains(what) {
                unpriced.push(what.clone());
            }
        }
        if !sources.contains(&terms.source.as_str()) {
            sources.push(&terms.source);
        }
    }
    Spent {
        run_id: run_id.clone(),
        total: machines.iter().map(|machine| machine.cost).sum(),
        is_final: machines.iter().all(|machine| machine.ended_at.is_some()),
        machines,
        unpriced,
        as_of: lives.iter().filter_map(|life| life.terms.as_of).min(),
        source: sources.join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ledger::tests::{entry, started, terms};
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_machine_is_charged_from_its_start_to_its_end() {
        let entries = [
            entry("a", 100, started()),
            entry("b", 100, started()),
            entry("a", 110, LedgerStep::Ended),
        ];
        let spent = spent(&entries, at(400));
        assert_eq!(spent.len(), 1);
        // A second costs a thousandth of a dollar, and a minute is the least; the other still runs.
        let costs: Vec<u64> = spent[0].machines.iter().map(|spent| spent.cost.micros()).collect();
        assert_eq!(costs, [60_000 + 500, 300_000 + 500]);
        assert_eq!(spent[0].total.micros(), 361_000);
        assert!(!spent[0].is_final);
        assert_eq!(spent[0].machines[0].ended_at, Some(at(110)));
    }

    #[test]
    fn a_machine_that_nobody_saw_end_is_counted_for_as_long_as_it_may_live() {
        let hours = |charged_when_ended| {
            let LedgerStep::Started { instance_type, region, .. } = started() else { panic!() };
            let terms = Terms { charged_when_ended, ..terms() };
            let step = LedgerStep::Started { instance_type, region, terms };
            let spent = spent(&[entry("a", 0, step)], at(36_000));
            spent[0].machines[0].billed.as_secs() / 3_600
        };
        assert_eq!((hours(false), hours(true)), (1, 10));
    }

    #[test]
    fn a_machine_that_was_made_again_is_not_counted_twice() {
        let entries = [
            entry("a", 0, started()),
            entry("a", 100, started()),
            entry("a", 200, LedgerStep::Ended),
        ];
        let spent = spent(&entries, at(1_000));
        let billed: Vec<u64> =
            spent[0].machines.iter().map(|spent| spent.billed.as_secs()).collect();
        assert_eq!((billed, spent[0].is_final), (vec![100, 100], true));
    }
}
