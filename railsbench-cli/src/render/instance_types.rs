//! Instance types, as lines of JSON and as a table.

use std::fmt;

use railsbench::id::ProviderName;
use railsbench::money::Usd;
use railsbench::provider::{Arch, InstanceFacts, ShapeSource};
use serde::{Serialize, Serializer};

use super::table;
use super::units;

/// An instance type that is known.
pub struct Known {
    /// Where; absent where all are of the one that was asked for.
    pub provider: Option<ProviderName>,
    /// Its name, as it was asked for or is listed.
    pub name: String,
    /// What is known of it.
    pub facts: InstanceFacts,
}

impl Serialize for Known {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Line<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            provider: Option<&'a ProviderName>,
            instance_type: &'a str,
            arch: Arch,
            vcpus: Option<u32>,
            memory_mib: Option<u64>,
            usd_per_hour: Option<Usd>,
            source: ShapeSource,
        }
        let InstanceFacts { shape, price, source } = &self.facts;
        Line {
            provider: self.provider.as_ref(),
            instance_type: &self.name,
            arch: shape.arch,
            vcpus: shape.vcpus,
            memory_mib: shape.memory_bytes.map(|bytes| bytes >> 20),
            usd_per_hour: price.as_ref().map(|price| price.per_hour),
            source: *source,
        }
        .serialize(serializer)
    }
}

/// A name that has no shape.
#[derive(Serialize)]
pub struct Unresolved {
    /// The name.
    #[serde(rename = "instance_type")]
    pub name: String,
    /// What is wrong with it.
    pub error: String,
    /// Names that may be meant, nearest first.
    pub suggestions: Vec<String>,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)?;
        if !self.suggestions.is_empty() {
            write!(f, "; did you mean {}?", self.suggestions.join(", "))?;
        }
        Ok(())
    }
}

/// A table of instance types.
pub fn table(types: &[Known]) -> String {
    if types.is_empty() {
        return "no instance type matches\n".to_owned();
    }
    let with_provider = types.iter().any(|known| known.provider.is_some());
    let mut heads = vec!["type", "arch", "vCPUs", "memory", "per hour", "price of", "known by"];
    let mut right = vec![2, 3, 4];
    if with_provider {
        heads.insert(0, "provider");
        right = right.iter().map(|column| column + 1).collect();
    }
    let mut rows = table::table(&heads, &right);
    for Known { provider, name, facts: InstanceFacts { shape, price, source } } in types {
        let dash = || "–".to_owned();
        let mut row = vec![
            name.clone(),
            shape.arch.to_string(),
            shape.vcpus.map_or_else(dash, |vcpus| vcpus.to_string()),
            shape.memory_bytes.map_or_else(dash, units::memory),
            price.as_ref().map_or_else(dash, |price| units::rate(price.per_hour)),
            price.as_ref().map_or_else(dash, |price| price.as_of.to_string()),
            source.to_string(),
        ];
        if with_provider {
            row.insert(0, provider.as_ref().map_or_else(dash, ToString::to_string));
        }
        rows.add_row(row);
    }
    table::text(&rows)
}
