//! Tables of the instance types that are known of a cloud: compact CSV text, compiled in.
//!
//! A table begins with comments, one of which dates its prices, then names its columns:
//! ```text
//! # shapes: 2026-01-22, the cluster autoscaler's generated list
//! # prices: 2026-07-20, on demand, Linux, us-east-1, the generated price list of …
//! type,arch,vcpus,memory_mib,gpus,usd_per_hour
//! a1.medium,arm64,1,2048,0,0.0255
//! ```
//! The architecture is as Debian or the kernel names it; a price that is not known is left empty.
//! What a name that is in no table means is for the grammar of its cloud's `naming.rs` to say.

use std::collections::HashMap;

use jiff::civil::Date;
use railsbench_core::config::nearest;
use railsbench_core::id::ProviderName;
use railsbench_core::money::Usd;
use railsbench_core::provider::{Arch, InstanceFacts, Price, Shape, ShapeError, ShapeSource};

/// The columns of a table.
const HEADER: &str = "type,arch,vcpus,memory_mib,gpus,usd_per_hour";

/// An instance type that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownType {
    /// Its name, as the cloud spells it.
    pub name: &'static str,
    /// Its processor architecture.
    pub arch: Arch,
    /// Virtual CPUs that the guest sees.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Graphics and other accelerators.
    pub gpus: u32,
    /// On demand, in the reference region of the table; absent where the source has none.
    pub per_hour: Option<Usd>,
}

impl KnownType {
    /// Architecture, vCPUs and memory.
    pub fn shape(&self) -> Shape {
        Shape {
            arch: self.arch,
            vcpus: Some(self.vcpus),
            memory_bytes: Some(self.memory_mib << 20),
        }
    }
}

/// A table that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the catalog: {problem}")]
pub struct CatalogError {
    /// Which line, counted from 1.
    pub line: usize,
    /// What is wrong with it, and how it should be.
    pub problem: String,
}

/// The instance types that are known of one cloud.
#[derive(Debug, Clone)]
pub struct Catalog {
    types: Vec<KnownType>,
    places: HashMap<String, usize>,
    ignores_case: bool,
    as_of: Date,
    source: &'static str,
}

impl Catalog {
    /// Reads a table.
    ///
    /// # Errors
    /// [`CatalogError`] naming the first line that is wrong.
    pub fn parse(csv: &'static str) -> Result<Self, CatalogError> {
        let mut types: Vec<KnownType> = Vec::new();
        let mut places = HashMap::new();
        let mut dated = None;
        let mut columns = false;
        for (index, text) in csv.lines().enumerate() {
            let wrong = |problem: String| CatalogError { line: index + 1, problem };
            if let Some(comment) = text.strip_prefix('#') {
                if let Some(origin) = comment.trim_start().strip_prefix("prices: ") {
                    dated = Some(origin_of(origin).map_err(wrong)?);
                }
            } else if !columns {
                if text != HEADER {
                    return Err(wrong(format!("the columns must be {HEADER}")));
                }
                columns = true;
            } else if !text.is_empty() {
                let known = known_type(text).map_err(wrong)?;
                if places.insert(known.name.to_owned(), types.len()).is_some() {
                    return Err(wrong(format!("{} is there twice", known.name)));
                }
                types.push(known);
            }
        }
        let end = |problem: &str| CatalogError {
            line: csv.lines().count().max(1),
            problem: problem.to_owned(),
        };
        let (as_of, source) = dated.ok_or_else(|| {
            end("no line says `# prices: YYYY-MM-DD, source`; put one at the top")
        })?;
        if types.is_empty() {
            return Err(end("there is no instance type"));
        }
        Ok(Self { types, places, ignores_case: false, as_of, source })
    }

    /// Looks names up without regard to case, for clouds that do the same.
    ///
    /// # Errors
    /// [`CatalogError`] if two names differ by case alone.
    pub fn ignoring_case(mut self) -> Result<Self, CatalogError> {
        self.places = HashMap::with_capacity(self.types.len());
        for (place, known) in self.types.iter().enumerate() {
            if self.places.insert(known.name.to_ascii_lowercase(), place).is_some() {
                let problem = format!("{} differs from another by case alone", known.name);
                return Err(CatalogError { line: place + 1, problem });
            }
        }
        self.ignores_case = true;
        Ok(self)
    }

    /// What is known of a name.
    pub fn find(&self, name: &str) -> Option<&KnownType> {
        let place = if self.ignores_case {
            self.places.get(&name.to_ascii_lowercase())
        } else {
            self.places.get(name)
        };
        place.map(|place| &self.types[*place])
    }

    /// All that is known, in the order of the table.
    pub fn types(&self) -> &[KnownType] {
        &self.types
    }

    /// The shape of a name, if it is known.
    pub fn shape(&self, name: &str) -> Option<Shape> {
        self.find(name).map(KnownType::shape)
    }

    /// The price of a name, if it is known and has one.
    pub fn price(&self, name: &str) -> Option<Price> {
        self.find(name).and_then(|known| self.price_of(known))
    }

    fn price_of(&self, known: &KnownType) -> Option<Price> {
        let per_hour = known.per_hour?;
        Some(Price { per_hour, as_of: self.as_of, source: self.source.to_owned() })
    }

    /// What is known of a name whose shape has been found, here or by the grammar of its cloud.
    pub fn facts(&self, name: &str, shape: Shape) -> InstanceFacts {
        let known = self.find(name);
        InstanceFacts {
            shape,
            price: known.and_then(|known| self.price_of(known)),
            source: if known.is_some() { ShapeSource::Catalog } else { ShapeSource::Grammar },
        }
    }

    /// When the prices were read.
    pub fn as_of(&self) -> Date {
        self.as_of
    }

    /// Where the prices were read, and for which region.
    pub fn source(&self) -> &'static str {
        self.source
    }

    /// Everything, as [`Provider::instance_types`](railsbench_core::provider::Provider) lists it.
    pub fn instance_types(&self) -> Vec<(String, Shape, Option<Price>)> {
        self.types
            .iter()
            .map(|known| (known.name.to_owned(), known.shape(), self.price_of(known)))
            .collect()
    }

    /// Up to three known names that may be meant, nearest first.
    pub fn nearest(&self, name: &str) -> Vec<String> {
        let names = self.types.iter().map(|known| known.name);
        nearest(name, names).into_iter().map(str::to_owned).collect()
    }

    /// The error for a name that neither the table nor the grammar knows.
    pub fn unknown(&self, provider: &ProviderName, name: &str) -> ShapeError {
        ShapeError::Unknown {
            provider: provider.clone(),
            name: name.to_owned(),
            nearest: self.nearest(name),
        }
    }
}

fn origin_of(text: &'static str) -> Result<(Date, &'static str), String> {
    let (date, source) = text.split_once(", ").ok_or("write `# prices: YYYY-MM-DD, source`")?;
    let date = date.parse().map_err(|error| format!("{date:?} is no date: {error}"))?;
    Ok((date, source.trim_end()))
}

fn known_type(line: &'static str) -> Result<KnownType, String> {
    let fields: Vec<&'static str> = line.split(',').collect();
    let [name, arch, vcpus, memory_mib, gpus, usd_per_hour] = fields[..] else {
        return Err(format!("{} fields instead of 6", fields.len()));
    };
    if name.is_empty() {
        return Err("the type has no name".to_owned());
    }
    let arch = match arch {
        "amd64" | "x86_64" => Arch::X86_64,
        "arm64" | "aarch64" => Arch::Aarch64,
        other => return Err(format!("{other:?} is no architecture; write amd64 or arm64")),
    };
    Ok(KnownType {
        name,
        arch,
        vcpus: number("vcpus", vcpus)?,
        memory_mib: number("memory_mib", memory_mib)?,
        gpus: number("gpus", gpus)?,
        per_hour: price(usd_per_hour)?,
    })
}

fn number<T: std::str::FromStr>(column: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{column} {text:?} is no whole number"))
}

fn price(text: &str) -> Result<Option<Usd>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let dollars = text.parse().ok().and_then(Usd::from_dollars);
    dollars.map(Some).ok_or_else(|| format!("usd_per_hour {text:?} is no price"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "# shapes: 2026-01-22, a list\n\
        # prices: 2026-07-20, on demand, us-east-1, another list\n\
        type,arch,vcpus,memory_mib,gpus,usd_per_hour\n\
        a1.medium,arm64,1,2048,0,0.0255\n\
        g5.xlarge,x86_64,4,16384,1,\n";

    #[test]
    fn a_table_gives_shapes_and_dated_prices() {
        let catalog = Catalog::parse(TABLE).unwrap();
        let shape = catalog.shape("a1.medium").unwrap();
        let expected =
            Shape { arch: Arch::Aarch64, vcpus: Some(1), memory_bytes: Some(2_147_483_648) };
        assert_eq!(shape, expected);
        let price = catalog.price("a1.medium").unwrap();
        assert_eq!(price.per_hour, Usd::from_micros(25_500));
        assert_eq!(price.as_of, jiff::civil::date(2026, 7, 20));
        assert_eq!(price.source, "on demand, us-east-1, another list");
        assert_eq!(catalog.find("g5.xlarge").unwrap().gpus, 1);
        assert_eq!(catalog.price("g5.xlarge"), None);
        assert_eq!(catalog.instance_types().len(), 2);
        let facts = catalog.facts("a1.medium", shape);
        assert_eq!((facts.price, facts.source), (Some(price), ShapeSource::Catalog));
        let facts = catalog.facts("a2.medium", shape);
        assert_eq!((facts.price, facts.source), (None, ShapeSource::Grammar));
        assert_eq!(catalog.find("A1.MEDIUM"), None);
        assert!(catalog.ignoring_case().unwrap().find("A1.Medium").is_some());
    }

    #[test]
    fn an_unknown_name_is_told_the_nearest() {
        let provider = ProviderName::new("aws").unwrap();
        let error = Catalog::parse(TABLE).unwrap().unknown(&provider, "a1.medum");
        assert_eq!(
            error.to_string(),
            "aws has no instance type \"a1.medum\"; did you mean a1.medium?"
        );
    }

    #[test]
    fn wrong_lines_are_named() {
        const HEAD: &str =
            "# prices: 2026-07-20, a list\ntype,arch,vcpus,memory_mib,gpus,usd_per_hour\n";
        let cases = [
            ("", "line 1 of the catalog: no line says"),
            ("# prices: yesterday, a list\n", "line 1 of the catalog: \"yesterday\" is no date"),
            ("# prices: 2026-07-20\n", "write `# prices: YYYY-MM-DD, source`"),
            ("# prices: 2026-07-20, a list\ntype,arch\n", "line 2 of the catalog: the columns"),
            ("type,arch,vcpus,memory_mib,gpus,usd_per_hour\na,arm64,1,1,0,\n", "no line says"),
        ];
        let rows = [
            ("a,arm64,1,1,0\n", "line 3 of the catalog: 5 fields instead of 6"),
            ("a,mips,1,1,0,\n", "\"mips\" is no architecture"),
            ("a,arm64,-1,1,0,\n", "vcpus \"-1\" is no whole number"),
            ("a,arm64,1,1,0,-0.1\n", "usd_per_hour \"-0.1\" is no price"),
            ("a,arm64,1,1,0,\na,arm64,1,1,0,\n", "line 4 of the catalog: a is there twice"),
            (",arm64,1,1,0,\n", "the type has no name"),
            ("", "there is no instance type"),
        ];
        let rows = rows.map(|(row, problem)| (format!("{HEAD}{row}"), problem));
        let cases = cases.map(|(text, problem)| (text.to_owned(), problem));
        for (text, problem) in cases.into_iter().chain(rows) {
            let error = Catalog::parse(text.clone().leak()).unwrap_err().to_string();
            assert!(error.contains(problem), "{text:?}: {error}");
        }
    }

    #[test]
    fn names_that_differ_by_case_alone_are_refused() {
        let text = "# prices: 2026-07-20, a list\n\
            type,arch,vcpus,memory_mib,gpus,usd_per_hour\na,arm64,1,1,0,\nA,arm64,1,1,0,\n";
        assert!(Catalog::parse(text).unwrap().ignoring_case().is_err());
    }
}
