//! `railsbench providers`: where machines can be started.

use std::path::Path;

use railsbench::providers::Registry;
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::output::{Output, print, print_json};
use crate::render;

pub fn execute(output: &Output) -> Result<Exit, Failure> {
    // Nothing is asked of the providers that would need a state folder.
    let registry = Registry::standard(Path::new(".railsbench"));
    let providers: Vec<_> = registry.iter().cloned().collect();
    if output.is_json() {
        let list: Vec<Value> = providers
            .iter()
            .map(|provider| {
                let expectations = provider.expectations();
                json!({
                    "name": provider.name(),
                    "instance_types": provider.instance_types().len(),
                    "boot_seconds": expectations.boot.as_secs_f64(),
                    "lease_seconds": expectations.lease.as_secs_f64(),
                    "billing_minimum_seconds": expectations.billing_minimum.as_secs_f64(),
                    "max_lifetime_seconds": expectations.max_lifetime.map(|time| time.as_secs_f64()),
                })
            })
            .collect();
        print_json(&json!({ "providers": list }))?;
    } else {
        print(&render::providers(&providers))?;
    }
    Ok(Exit::Ok)
}
