//! What exists of railsbench, what it costs, and what has become of it.

use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;
use railsbench::money::Usd;
use railsbench::provider::Resource;
use railsbench::{Cleared, Findings};

use super::table::{table, text};
use super::units;

/// Longest id that is shown in a table; the name stands for one that is longer.
const LONGEST_ID: usize = 32;

/// What things cost, as far as that is known: an estimate by list prices.
pub struct Bill {
    now: Timestamp,
    /// While they exist.
    pub per_hour: Usd,
    /// Since they were made.
    pub so_far: Usd,
}

impl Bill {
    /// Of all that was found.
    pub fn of(findings: &Findings, now: Timestamp) -> Self {
        Self {
            now,
            per_hour: findings.resources().filter_map(|resource| resource.per_hour).sum(),
            so_far: findings.resources().filter_map(|resource| so_far(resource, now)).sum(),
        }
    }
}

fn age(resource: &Resource, now: Timestamp) -> Option<Duration> {
    Duration::try_from(now.duration_since(resource.created_at?)).ok()
}

fn so_far(resource: &Resource, now: Timestamp) -> Option<Usd> {
    Some(resource.per_hour?.per_hour_for(age(resource, now)?))
}

/// What exists and is ours, with what it costs.
pub fn found(findings: &Findings, bill: &Bill) -> String {
    let problems = findings.problems().count();
    let Some(first) = findings.resources().next() else {
        return match problems {
            0 => "nothing is left\n".to_owned(),
            _ => "nothing was found where it could be looked\n".to_owned(),
        };
    };
    let mut rows = table(
        &["provider", "kind", "id", "run", "region", "age", "expires", "$/hour", "so far"],
        &[5, 7, 8],
    );
    for resource in std::iter::once(first).chain(findings.resources().skip(1)) {
        let dash = || "–".to_owned();
        let id = if resource.id.len() > LONGEST_ID { &resource.name } else { &resource.id };
        rows.add_row(vec![
            resource.provider.to_string(),
            resource.kind.clone(),
            id.clone(),
            resource.run_id.as_ref().map_or_else(dash, ToString::to_string),
            resource.region.clone().unwrap_or_else(dash),
            age(resource, bill.now).map_or_else(dash, units::wait),
            resource.expires_at.map_or_else(dash, |at| expiry(at, bill.now)),
            resource.per_hour.map_or_else(dash, units::rate),
            so_far(resource, bill.now).map_or_else(dash, |cost| cost.to_string()),
        ]);
    }
    let mut out = text(&rows);
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "together about {} an hour, and {} so far, by list prices",
        units::rate(bill.per_hour),
        bill.so_far
    );
    out
}

fn expiry(at: Timestamp, now: Timestamp) -> String {
    match Duration::try_from(at.duration_since(now)) {
        Ok(left) => format!("in {}", units::wait(left)),
        Err(_) => "expired".to_owned(),
    }
}

/// What has been removed, and what is left.
pub fn cleared(cleared: &[Cleared]) -> String {
    let mut out = String::new();
    for place in cleared {
        let removed = units::count(place.removed.len(), "resource");
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{}: removed {removed}", place.provider);
        for resource in &place.left {
            let _ = writeln!(out, "{}: left: {} {}", place.provider, resource.kind, resource.id);
        }
        if let Some(problem) = &place.problem {
            let _ = writeln!(out, "{}: why: {problem}", place.provider);
        }
    }
    if cleared.iter().all(|place| place.left.is_empty()) {
        out.push_str("nothing is left\n");
    }
    out
}
