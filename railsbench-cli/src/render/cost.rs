//! What runs would cost, and what they have cost.

use std::fmt::Write;
use std::time::Duration;

use railsbench::cost::{Estimate, GroupEstimate, Spent};
use railsbench::money::Usd;
use railsbench::provider::Rate;

use super::table::{table, text};
use super::units;

/// What a configuration is expected to cost, item by item.
pub fn estimate(estimate: &Estimate) -> String {
    let mut out = String::new();
    for group in &estimate.groups {
        out.push_str(&heading(group));
        out.push_str(&items(group));
        out.push('\n');
    }
    let cost = &estimate.cost;
    line(
        &mut out,
        &format!("in all about {}: {} at least, {} at most", cost.likely, cost.low, cost.high),
    );
    match estimate.max_cost {
        Some(max) if cost.high > max => {
            line(&mut out, &format!("that may be more than max_cost_usd, {max}: it is refused"));
        }
        Some(max) => line(&mut out, &format!("that is within max_cost_usd, {max}")),
        None => {}
    }
    prices(&mut out, cost.as_of, &cost.source, &cost.unpriced);
    out
}

fn heading(group: &GroupEstimate) -> String {
    let place = group.region.as_ref().map_or_else(String::new, |region| format!(" in {region}"));
    let mut text = format!(
        "{} {}{place}: {}, about {} each, at most {}",
        group.provider,
        group.instance_type,
        units::count(group.machines, "machine"),
        units::wait(group.expected),
        units::wait(group.max_lifetime),
    );
    if group.billing_minimum > Duration::ZERO && group.minimum > Usd::ZERO {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "; charged for at least {}, {}",
            units::wait(group.billing_minimum),
            group.minimum
        );
    }
    text.push('\n');
    text
}

fn items(group: &GroupEstimate) -> String {
    if group.cost.items.is_empty() {
        return format!("  {}\n", group.cost.source);
    }
    let mut rows = table(&["item", "count", "price", "low", "likely", "high"], &[1, 2, 3, 4, 5]);
    for item in &group.cost.items {
        let price = match item.rate {
            Rate::PerHour(rate) => format!("{} an hour", units::rate(rate)),
            Rate::PerGib(rate) => format!("{} a GiB", units::rate(rate)),
        };
        rows.add_row(vec![
            item.what.clone(),
            item.count.to_string(),
            price,
            item.low.to_string(),
            item.likely.to_string(),
            item.high.to_string(),
        ]);
    }
    let cost = &group.cost;
    let sums = [cost.low, cost.likely, cost.high].map(|sum| sum.to_string());
    let [low, likely, high] = sums;
    rows.add_row(vec!["sum".to_owned(), String::new(), String::new(), low, likely, high]);
    text(&rows)
}

/// What a run has cost so far, machine by machine.
pub fn run(spent: &Spent) -> String {
    let mut rows = table(
        &["provider", "machine", "type", "region", "started", "ended", "charged", "$/hour", "cost"],
        &[6, 7, 8],
    );
    for machine in &spent.machines {
        let dash = || "–".to_owned();
        rows.add_row(vec![
            machine.provider.to_string(),
            machine.machine.clone(),
            machine.instance_type.to_string(),
            machine.region.clone().unwrap_or_else(dash),
            units::moment(machine.started_at),
            machine.ended_at.map_or_else(dash, units::moment),
            units::wait(machine.billed),
            units::rate(machine.per_hour),
            machine.cost.to_string(),
        ]);
    }
    let mut out = text(&rows);
    let state = if spent.is_final { "in all" } else { "so far" };
    line(&mut out, &format!("run {}: about {} {state}, an estimate", spent.run_id, spent.total));
    prices(&mut out, spent.as_of, &spent.source, &spent.unpriced);
    out
}

/// What each run has cost.
pub fn runs(runs: &[Spent]) -> String {
    if runs.is_empty() {
        return "no machine was started from here\n".to_owned();
    }
    let mut rows = table(&["run", "machines", "cost", ""], &[1, 2]);
    for spent in runs {
        rows.add_row(vec![
            spent.run_id.to_string(),
            spent.machines.len().to_string(),
            spent.total.to_string(),
            if spent.is_final { "in all" } else { "so far" }.to_owned(),
        ]);
    }
    let mut out = text(&rows);
    line(&mut out, "estimates by the list prices of when the machines were started");
    out
}

fn prices(out: &mut String, as_of: Option<jiff::civil::Date>, source: &str, unpriced: &[String]) {
    if let Some(date) = as_of {
        line(out, &format!("list prices of {date} or later: {source}"));
    }
    if !unpriced.is_empty() {
        line(out, &format!("not in the sum, for want of a price: {}", unpriced.join(", ")));
    }
}

fn line(out: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}
