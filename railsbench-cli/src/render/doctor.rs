//! What `railsbench doctor` has found.

use railsbench::Examined;
use railsbench::id::ProviderName;
use railsbench::provider::Check;
use serde::Serialize;

use super::checks;

/// Everything that was looked at.
#[derive(Serialize)]
pub struct Diagnosis {
    /// Whether a run could start as things are.
    #[serde(rename = "ok")]
    pub is_well: bool,
    /// What was found of a remote orchestrator.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub orchestrator: Vec<Check>,
    /// What was found of providers.
    pub providers: Vec<Examined>,
    /// Those that were not looked at, because settings are missing.
    #[serde(rename = "not_configured", skip_serializing_if = "Vec::is_empty")]
    pub not_set_up: Vec<ProviderName>,
}

/// What was found, for people.
pub fn diagnosis(found: &Diagnosis) -> String {
    let mut text = String::new();
    if !found.orchestrator.is_empty() {
        text.push_str("orchestrator\n");
        text.push_str(&checks::lines(&found.orchestrator));
        text.push('\n');
    }
    for examined in &found.providers {
        text.push_str(&heading(examined));
        text.push_str(&checks::lines(&examined.checks));
        text.push('\n');
    }
    if !found.not_set_up.is_empty() {
        let names: Vec<&str> = found.not_set_up.iter().map(ProviderName::as_str).collect();
        text.extend([
            "not looked at, for settings are missing: ",
            &names.join(", "),
            "; `railsbench providers` says which\n\n",
        ]);
    }
    text.push_str(if found.is_well { "all is well\n" } else { "not all is well\n" });
    text
}

fn heading(examined: &Examined) -> String {
    let place = examined.region.as_ref().map_or_else(String::new, |region| format!(" in {region}"));
    match &examined.instance_type {
        Some(instance_type) => format!("{}, for {instance_type}{place}\n", examined.provider),
        None => format!("{}\n", examined.provider),
    }
}
