//! What a run would make, and what stands in its way.

use std::fmt::Write;

use railsbench::provider::{Direction, Outcome, Plan};
use railsbench::{CampaignPlan, ProviderPreflight};

use super::table::{table, text};
use super::units;

/// The plan of a run, with the machines' start-up scripts if asked for.
pub fn plan(plan: &CampaignPlan, with_user_data: bool) -> String {
    let machines: usize = plan.plans.iter().map(|plan| plan.machines.len()).sum();
    let mut out = String::new();
    line(
        &mut out,
        &format!(
            "run {}: {} on {}, about {}, {}",
            plan.run_id,
            units::count(usize::try_from(plan.tasks).unwrap_or(usize::MAX), "task"),
            units::count(machines, "machine"),
            units::wait(plan.expected),
            cost(plan),
        ),
    );
    out.push('\n');
    let mut machines =
        table(&["provider", "machine", "type", "arch", "vCPUs", "memory", "region"], &[4, 5]);
    for provider in &plan.plans {
        for machine in &provider.machines {
            machines.add_row(vec![
                provider.provider.to_string(),
                machine.name.clone(),
                machine.instance_type.to_string(),
                machine.shape.arch.to_string(),
                or_dash(machine.shape.vcpus),
                machine.shape.memory_bytes.map_or_else(|| "–".to_owned(), units::memory),
                machine.region.clone().unwrap_or_else(|| "–".to_owned()),
            ]);
        }
    }
    out.push_str(&text(&machines));
    out.push('\n');
    for provider in &plan.plans {
        details(&mut out, provider, with_user_data);
    }
    out
}

fn details(out: &mut String, plan: &Plan, with_user_data: bool) {
    let name = &plan.provider;
    for resource in &plan.resources {
        line(out, &format!("{name}: {} {}: {}", resource.kind, resource.name, resource.detail));
    }
    for rule in &plan.firewall {
        let way = match rule.direction {
            Direction::Ingress => "in",
            Direction::Egress => "out",
        };
        line(out, &format!("{name}: {} {} {way} is let through", rule.protocol, rule.port));
    }
    if !plan.installs.is_empty() {
        line(out, &format!("{name}: installs where missing: {}", plan.installs.join(", ")));
    }
    line(
        out,
        &format!(
            "{name}: each machine about {}, never more than {}",
            units::wait(plan.expected),
            units::wait(plan.max_lifetime)
        ),
    );
    if with_user_data {
        line(out, &format!("\n{name}: start-up script of each machine:"));
        out.push_str(&plan.user_data.redacted());
        out.push('\n');
    }
}

/// The cost of a plan in words: `free`, or a range with the date of its prices.
fn cost(plan: &CampaignPlan) -> String {
    let cost = &plan.cost;
    if cost.high == railsbench::money::Usd::ZERO {
        return "free".to_owned();
    }
    let date = cost.as_of.map_or_else(String::new, |date| format!(", prices of {date}"));
    format!("about {} ({} to {}{date})", cost.likely, cost.low, cost.high)
}

/// Everything that must be put right by hand, with its fix.
pub fn problems(preflights: &[ProviderPreflight]) -> Vec<String> {
    preflights
        .iter()
        .flat_map(|found| {
            found.preflight.failures().filter_map(|check| match &check.outcome {
                Outcome::Failed { problem, fix } => {
                    Some(format!("{}: {}: {problem}; {fix}", found.provider, check.name))
                }
                _ => None,
            })
        })
        .collect()
}

fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| value.to_string())
}

fn line(out: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}
