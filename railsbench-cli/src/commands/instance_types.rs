//! `railsbench instance-types`: what can be asked for, its shape and its price. It needs neither
//! credentials nor a network.

use std::cmp::Ordering;
use std::io::{BufRead, Read};
use std::path::Path;
use std::sync::Arc;

use railsbench::id::ProviderName;
use railsbench::provider::{InstanceFacts, Provider, ShapeError, ShapeSource};
use railsbench::providers::Registry;

use super::named_provider;
use crate::args::{FilterArgs, InstanceTypesArgs, SortKey};
use crate::exit::{Exit, Failure};
use crate::output::{Output, print, print_json};
use crate::render::instance_types::{Known, Unresolved, table};

/// Longest name that is read from standard input, in bytes.
const LONGEST_NAME: u64 = 1024;

pub fn execute(args: &InstanceTypesArgs, output: &Output) -> Result<Exit, Failure> {
    // Nothing is asked of the providers that would need a state folder.
    let registry = Registry::standard(Path::new(".railsbench"));
    let provider = match &args.provider {
        Some(name) => Some(named_provider(&registry, name)?),
        None => None,
    };
    match provider {
        Some(provider) if !args.names.is_empty() => look_up(provider.as_ref(), args, output),
        provider => list(&registry, provider.as_ref(), args, output),
    }
}

/// Shows everything that the catalogs have.
fn list(
    registry: &Registry,
    only: Option<&Arc<dyn Provider>>,
    args: &InstanceTypesArgs,
    output: &Output,
) -> Result<Exit, Failure> {
    let mut found = Vec::new();
    for provider in registry.iter() {
        if only.is_some_and(|only| only.name() != provider.name()) {
            continue;
        }
        for (name, shape, price) in provider.instance_types() {
            let facts = InstanceFacts { shape, price, source: ShapeSource::Catalog };
            if admits(&args.filter, &facts) {
                // Where only one was asked for, all are its.
                let provider = only.is_none().then(|| provider.name().clone());
                found.push(Known { provider, name, facts });
            }
        }
    }
    sort(&mut found, args.sort);
    show(&found, output)?;
    Ok(Exit::Ok)
}

/// Looks names up. One that has no shape is told, and keeps none of the others from being shown.
fn look_up(
    provider: &dyn Provider,
    args: &InstanceTypesArgs,
    output: &Output,
) -> Result<Exit, Failure> {
    // Each answer follows its question, unless all must be known to show them.
    let at_once = output.is_json() && args.sort.is_none();
    let mut found = Vec::new();
    let mut unresolved = Vec::new();
    let mut all_resolved = true;
    each_name(&args.names, |name| {
        match provider.look_up(&name) {
            Ok(facts) if admits(&args.filter, &facts) => {
                let known = Known { provider: None, name, facts };
                if at_once {
                    return print_json(&known);
                }
                found.push(known);
            }
            Ok(_) => {}
            Err(error) => {
                all_resolved = false;
                let problem = told(provider.name(), name, error);
                if at_once {
                    return print_json(&problem);
                }
                unresolved.push(problem);
            }
        }
        Ok(())
    })?;
    sort(&mut found, args.sort);
    if all_resolved || !found.is_empty() {
        show(&found, output)?;
    }
    if all_resolved {
        return Ok(Exit::Ok);
    }
    if output.is_json() {
        unresolved.iter().try_for_each(print_json)?;
        return Ok(Exit::Usage);
    }
    let lines: Vec<String> = unresolved.iter().map(ToString::to_string).collect();
    Err(Failure::usage(lines.join("\n")))
}

/// Gives the names that are asked for, those of standard input where `-` stands.
fn each_name(
    names: &[String],
    mut give: impl FnMut(String) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for name in names {
        if name != "-" {
            give(name.clone())?;
            continue;
        }
        let mut input = std::io::stdin().lock();
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let read = (&mut input).take(LONGEST_NAME).read_until(b'\n', &mut line);
            let length = read.map_err(|error| {
                Failure::environment(format!("standard input cannot be read: {error}"))
            })?;
            if length == 0 {
                break;
            }
            if u64::try_from(length).unwrap_or(u64::MAX) == LONGEST_NAME && !line.ends_with(b"\n") {
                return Err(Failure::usage(format!(
                    "line {number} of standard input has {LONGEST_NAME} bytes or more; give one name \
                     a line"
                )));
            }
            // What is not text is no name, and is told as such.
            let text = String::from_utf8_lossy(&line);
            let name = text.trim_start_matches('\u{feff}').trim();
            if !name.is_empty() {
                give(name.to_owned())?;
            }
        }
    }
    Ok(())
}

fn told(provider: &ProviderName, name: String, error: ShapeError) -> Unresolved {
    let (error, suggestions) = match error {
        ShapeError::Unknown { nearest, .. } => {
            (format!("{provider} has no instance type {name:?}"), nearest)
        }
        ambiguous @ ShapeError::Ambiguous { .. } => (ambiguous.to_string(), Vec::new()),
    };
    Unresolved { name, error, suggestions }
}

fn show(found: &[Known], output: &Output) -> Result<(), Failure> {
    if !output.is_json() {
        return print(&table(found));
    }
    found.iter().try_for_each(print_json)
}

/// Whether a type is within all limits. What is not known is within none.
fn admits(filter: &FilterArgs, facts: &InstanceFacts) -> bool {
    let shape = facts.shape;
    let price = facts.price.as_ref().map(|price| price.per_hour);
    filter.arch.is_none_or(|arch| arch == shape.arch)
        && within(filter.min_vcpus, filter.max_vcpus, shape.vcpus)
        && within(filter.min_memory, filter.max_memory, shape.memory_bytes)
        && within(None, filter.max_price, price)
}

fn within<T: PartialOrd>(least: Option<T>, most: Option<T>, value: Option<T>) -> bool {
    match value {
        Some(value) => {
            least.is_none_or(|least| least <= value) && most.is_none_or(|most| value <= most)
        }
        None => least.is_none() && most.is_none(),
    }
}

fn sort(found: &mut [Known], key: Option<SortKey>) {
    let Some(key) = key else { return };
    found.sort_by(|one, other| {
        let by_key = match key {
            SortKey::Name => Ordering::Equal,
            SortKey::Vcpus => unknown_last(one.facts.shape.vcpus, other.facts.shape.vcpus),
            SortKey::Memory => {
                unknown_last(one.facts.shape.memory_bytes, other.facts.shape.memory_bytes)
            }
            SortKey::Price => {
                let per_hour = |known: &Known| known.facts.price.as_ref().map(|p| p.per_hour);
                unknown_last(per_hour(one), per_hour(other))
            }
        };
        by_key.then_with(|| one.name.cmp(&other.name))
    });
}

fn unknown_last<T: Ord>(one: Option<T>, other: Option<T>) -> Ordering {
    match (one, other) {
        (Some(one), Some(other)) => one.cmp(&other),
        (one, other) => other.is_some().cmp(&one.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use railsbench::money::Usd;
    use railsbench::provider::{Arch, Price, Shape};

    use super::*;

    fn known(name: &str, vcpus: Option<u32>, gib: Option<u64>, micros: Option<u64>) -> Known {
        let shape = Shape { arch: Arch::Aarch64, vcpus, memory_bytes: gib.map(|gib| gib << 30) };
        let price = micros.map(|micros| Price {
            per_hour: Usd::from_micros(micros),
            as_of: "2026-01-01".parse().unwrap(),
            source: "a list".to_owned(),
        });
        let facts = InstanceFacts { shape, price, source: ShapeSource::Catalog };
        Known { provider: None, name: name.to_owned(), facts }
    }

    #[test]
    fn what_is_not_known_comes_last_and_is_within_no_limit() {
        let mut types = [
            known("d", None, None, None),
            known("c", Some(4), Some(2), Some(30)),
            known("b", Some(2), Some(8), None),
            known("a", Some(2), Some(4), Some(40)),
        ];
        let mut order = |key| {
            sort(&mut types, key);
            types.iter().map(|known| known.name.as_str()).collect::<String>()
        };
        assert_eq!(order(None), "dcba");
        assert_eq!(order(Some(SortKey::Price)), "cabd");
        assert_eq!(order(Some(SortKey::Vcpus)), "abcd");
        assert_eq!(order(Some(SortKey::Memory)), "cabd");
        assert_eq!(order(Some(SortKey::Name)), "abcd");
        let admitted = |filter: FilterArgs| {
            let admitted = types.iter().filter(|known| admits(&filter, &known.facts));
            admitted.map(|known| known.name.as_str()).collect::<String>()
        };
        let none = FilterArgs::default;
        assert_eq!(admitted(none()), "abcd");
        assert_eq!(admitted(FilterArgs { min_vcpus: Some(2), ..none() }), "abc");
        assert_eq!(admitted(FilterArgs { max_vcpus: Some(2), ..none() }), "ab");
        assert_eq!(admitted(FilterArgs { min_memory: Some(4 << 30), ..none() }), "ab");
        assert_eq!(admitted(FilterArgs { max_memory: Some(4 << 30), ..none() }), "ac");
        let cheap = Some(Usd::from_micros(30));
        assert_eq!(admitted(FilterArgs { max_price: cheap, ..none() }), "c");
        assert_eq!(admitted(FilterArgs { arch: Some(Arch::X86_64), ..none() }), "");
    }
}
