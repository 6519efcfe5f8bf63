//! Reading what is measured: the instance types under each provider.

use std::collections::HashSet;

use serde_json::Value;

use super::MachineRequest;
use super::json::Json;
use super::problems::Problems;
use crate::id::{Alias, InstanceType, ProviderName};

pub(super) fn read_machines(
    provider: &str,
    json: &Json,
    machines: &mut Vec<MachineRequest>,
    problems: &mut Problems,
) {
    let provider_name = match ProviderName::new(provider) {
        Ok(name) => name,
        Err(error) => return problems.add(provider, error.to_string(), "rename the provider"),
    };
    let Some(items) = problems.list(provider, json) else { return };
    if items.is_empty() {
        problems.add(provider, "an empty list", "name an instance type or leave the provider out");
    }
    for (index, item) in items.iter().enumerate() {
        let path = format!("{provider}[{index}]");
        let mut name = None;
        let mut alias = None;
        if let Json::Object(_) = item {
            let mut named = false;
            for (key, value) in problems.entries(&path, item, &["instance_type", "alias"]) {
                let field = format!("{path}.{key}");
                named |= key == "instance_type";
                let Some(text) = problems.text(&field, value) else {
                    continue;
                };
                if key == "instance_type" {
                    name = Some((field, text));
                } else {
                    match Alias::new(text) {
                        Ok(value) => alias = Some(value),
                        Err(e) => problems.add(&field, e.to_string(), "choose another alias"),
                    }
                }
            }
            if !named {
                problems.add(&format!("{path}.instance_type"), "missing", "name the instance type");
            }
        } else if let Json::Scalar(Value::String(text)) = item {
            name = Some((path.clone(), text.as_str()));
        } else {
            problems.add(
                &path,
                format!("{} is not an instance type", item.describe()),
                "write e.g. \"c7g.medium\" or {\"instance_type\": \"c7g.medium\", \"alias\": \"arm\"}",
            );
        }
        let Some((field, text)) = name else { continue };
        match InstanceType::new(text) {
            Ok(instance_type) => {
                machines.push(MachineRequest {
                    provider: provider_name.clone(),
                    instance_type,
                    alias,
                });
            }
            Err(error) => problems.add(
                &field,
                error.to_string(),
                "write the type as its cloud does, e.g. \"c7g.medium\"",
            ),
        }
    }
}

/// Two machines of one label would write their results to the same folder, and two requests
/// for one type would share a queue.
pub(super) fn report_repeated_machines(machines: &[MachineRequest], problems: &mut Problems) {
    let mut types = HashSet::new();
    let mut labels = HashSet::new();
    for machine in machines {
        let provider = machine.provider.as_str();
        if !types.insert((provider, machine.instance_type.as_str())) {
            problems.add(
                provider,
                format!("{} is named twice", machine.instance_type),
                "name it once; per_instance_type says how many tasks and machines it gets",
            );
        } else if !labels.insert(machine.label().to_lowercase()) {
            problems.add(
                provider,
                format!("the name {:?} is used twice", machine.label()),
                "give one of the two another alias: results are filed under it",
            );
        }
    }
}
