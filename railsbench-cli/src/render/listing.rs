//! Providers, instance types, and what exists or has been removed.

use std::sync::Arc;

use railsbench::TornDown;
use railsbench::provider::{Price, Provider, Resource, Shape};

use super::table::{table, text};
use super::units;

/// The providers of this build.
pub fn providers(providers: &[Arc<dyn Provider>]) -> String {
    let mut rows = table(
        &["provider", "types", "boot", "lease", "billed at least", "lives at most"],
        &[1, 2, 3, 4, 5],
    );
    for provider in providers {
        let expectations = provider.expectations();
        rows.add_row(vec![
            provider.name().to_string(),
            provider.instance_types().len().to_string(),
            units::wait(expectations.boot),
            units::wait(expectations.lease),
            units::wait(expectations.billing_minimum),
            expectations.max_lifetime.map_or_else(|| "–".to_owned(), units::wait),
        ]);
    }
    text(&rows)
}

/// Instance types with their shape and price: provider, name, shape, price.
pub fn instance_types(types: &[(String, String, Shape, Option<Price>)]) -> String {
    if types.is_empty() {
        return "no instance type matches\n".to_owned();
    }
    let mut rows =
        table(&["provider", "type", "arch", "vCPUs", "memory", "per hour", "price of"], &[3, 4, 5]);
    for (provider, name, shape, price) in types {
        rows.add_row(vec![
            provider.clone(),
            name.clone(),
            shape.arch.to_string(),
            shape.vcpus.map_or_else(|| "–".to_owned(), |vcpus| vcpus.to_string()),
            shape.memory_bytes.map_or_else(|| "–".to_owned(), units::memory),
            price.as_ref().map_or_else(|| "–".to_owned(), |price| price.per_hour.to_string()),
            price.as_ref().map_or_else(|| "–".to_owned(), |price| price.as_of.to_string()),
        ]);
    }
    text(&rows)
}

/// What exists and is ours.
pub fn resources(found: &[TornDown]) -> String {
    let all: Vec<&Resource> = found.iter().flat_map(|found| &found.resources).collect();
    if all.is_empty() {
        return "nothing is left\n".to_owned();
    }
    let mut rows = table(&["provider", "kind", "id", "name", "run", "region", "expires"], &[]);
    for resource in all {
        let dash = || "–".to_owned();
        rows.add_row(vec![
            resource.provider.to_string(),
            resource.kind.clone(),
            resource.id.clone(),
            resource.name.clone(),
            resource.run_id.as_ref().map_or_else(dash, ToString::to_string),
            resource.region.clone().unwrap_or_else(dash),
            resource.expires_at.map_or_else(dash, |at| at.to_string()),
        ]);
    }
    text(&rows)
}

/// What has been removed; the provider has proved that nothing else is left.
pub fn removed(removed: &[TornDown]) -> String {
    let parts: Vec<String> = removed
        .iter()
        .filter(|removed| !removed.resources.is_empty())
        .map(|removed| {
            format!(
                "{}: removed {}",
                removed.provider,
                units::count(removed.resources.len(), "resource")
            )
        })
        .collect();
    if parts.is_empty() {
        "nothing was left to remove\n".to_owned()
    } else {
        format!("{}\nnothing is left\n", parts.join("\n"))
    }
}
