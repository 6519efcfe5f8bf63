//! `railsbench instance-types`: what can be asked for, its shape and its price.

use std::path::Path;

use railsbench::providers::Registry;
use serde_json::{Value, json};

use crate::args::InstanceTypesArgs;
use crate::exit::{Exit, Failure};
use crate::output::{Output, print, print_json};
use crate::render;

pub fn execute(args: &InstanceTypesArgs, output: &Output) -> Result<Exit, Failure> {
    // Nothing is asked of the providers that would need a state folder.
    let registry = Registry::standard(Path::new(".railsbench"));
    if let Some(name) = &args.provider
        && registry.get(name).is_none()
    {
        let known: Vec<String> = registry.names().iter().map(ToString::to_string).collect();
        return Err(Failure::usage(format!(
            "there is no provider {name}; use one of: {}",
            known.join(", ")
        )));
    }
    let mut types = Vec::new();
    for provider in registry.iter() {
        if args.provider.as_ref().is_some_and(|name| name != provider.name()) {
            continue;
        }
        for (name, shape, price) in provider.instance_types() {
            if args.arch.is_none_or(|arch| arch == shape.arch) {
                types.push((provider.name().to_string(), name, shape, price));
            }
        }
    }
    if output.is_json() {
        let list: Vec<Value> = types
            .iter()
            .map(|(provider, name, shape, price)| {
                json!({
                    "provider": provider,
                    "instance_type": name,
                    "arch": shape.arch,
                    "vcpus": shape.vcpus,
                    "memory_bytes": shape.memory_bytes,
                    "price": price,
                })
            })
            .collect();
        print_json(&json!({ "instance_types": list }))?;
    } else {
        print(&render::instance_types(&types))?;
    }
    Ok(Exit::Ok)
}
