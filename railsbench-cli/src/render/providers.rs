//! Providers: what each is, and what is missing to use it.

use std::time::Duration;

use railsbench::provider::{Expectations, Setup};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{checks, table, units};

/// A provider that railsbench comes with.
#[derive(Serialize)]
pub struct ProviderStatus {
    /// Its key in configurations.
    pub name: &'static str,
    /// What it is.
    pub title: &'static str,
    /// Whether this build has it.
    pub compiled: bool,
    /// Whether all settings are there that can be found without a call.
    pub configured: bool,
    /// How to get it, where this build does not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<&'static str>,
    /// Where its page is.
    pub documentation: String,
    /// What is known of it, where this build has it.
    #[serde(flatten)]
    pub details: Option<Details>,
}

/// What is known of a provider that is compiled in.
#[derive(Serialize)]
pub struct Details {
    /// What is found of its settings.
    #[serde(flatten)]
    pub setup: Setup,
    /// How many instance types its catalog has.
    pub instance_types: usize,
    /// What to expect of its machines.
    #[serde(flatten, serialize_with = "as_seconds")]
    pub expectations: Expectations,
}

fn as_seconds<S: Serializer>(times: &Expectations, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(4))?;
    map.serialize_entry("boot_seconds", &times.boot.as_secs_f64())?;
    map.serialize_entry("lease_seconds", &times.lease.as_secs_f64())?;
    map.serialize_entry("billing_minimum_seconds", &times.billing_minimum.as_secs_f64())?;
    let longest = times.max_lifetime.as_ref().map(Duration::as_secs_f64);
    map.serialize_entry("max_lifetime_seconds", &longest)?;
    map.end()
}

/// All providers in a table, then what is found of the settings of each.
pub fn providers(providers: &[ProviderStatus]) -> String {
    let mut rows = table::table(
        &["provider", "is", "state", "types", "boot", "lease", "billed at least", "lives at most"],
        &[3, 4, 5, 6, 7],
    );
    let dash = || "–".to_owned();
    for provider in providers {
        let times = provider.details.as_ref().map(|details| details.expectations);
        let time = |of: fn(&Expectations) -> Option<Duration>| {
            times.as_ref().and_then(of).map_or_else(dash, units::wait)
        };
        let types = provider.details.as_ref().map(|details| details.instance_types.to_string());
        rows.add_row(vec![
            provider.name.to_owned(),
            provider.title.to_owned(),
            state(provider).to_owned(),
            types.unwrap_or_else(dash),
            time(|times| Some(times.boot)),
            time(|times| Some(times.lease)),
            time(|times| Some(times.billing_minimum)),
            time(|times| times.max_lifetime),
        ]);
    }
    let mut text = table::text(&rows);
    for provider in providers {
        text.extend(["\n", provider.name, ": ", state(provider), "\n"]);
        match (&provider.details, provider.fix) {
            (Some(details), _) => text.push_str(&checks::lines(&details.setup.settings)),
            (None, Some(fix)) => text.extend(["  → ", fix, "\n"]),
            (None, None) => {}
        }
        if !provider.configured {
            text.extend(["  → ", &provider.documentation, " explains it\n"]);
        }
    }
    text
}

fn state(provider: &ProviderStatus) -> &'static str {
    match &provider.details {
        None => "not in this build",
        Some(details) if details.setup.settings.is_empty() => "needs no set-up",
        Some(_) if provider.configured => "set up",
        Some(_) => "not set up",
    }
}
