//! What EC2 calls its instance types, and what railsbench calls what it makes there.
//!
//! A type is named `family.size`, in lower case. A family is a series (`c`, `m`, `hpc` …), one
//! digit for the generation and letters for attributes: `a` AMD, `g` AWS Graviton, `i` Intel,
//! `b` block storage, `d` instance store, `e` extra, `f` fractional, `n` network, `q` Qualcomm,
//! `s` storage, `u` UltraServer, `z` frequency; `-flex` and a few other suffixes may follow.
//! Source: <https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html>,
//! 2026-07. Only an attribute tells ARM: as a *series*, `g` is a machine with a GPU.

use railsbench_core::id::{Alias, InvalidId, MachineId, ProviderName, RunId};
use railsbench_core::provider::{Arch, Shape, ShapeError};
use sha2::{Digest, Sha256};

use super::catalog::catalog;

/// Where machines are made if nobody says where.
pub const DEFAULT_REGION: &str = "us-east-1";

/// The key of this provider in configurations.
pub(super) fn provider_name() -> ProviderName {
    ProviderName::new("aws").expect("\"aws\" is lower-case letters")
}

/// Series that EC2 has or had, by their letters.
const SERIES: [&str; 27] = [
    "a", "c", "cc", "cr", "d", "dl", "f", "g", "gr", "h", "hpc", "hs", "i", "im", "inf", "is", "m",
    "p", "r", "t", "trn", "u", "vt", "x", "z", "hi", "cg",
];

/// Attributes that say whose processor it is; a family has at most one.
const PROCESSORS: [char; 3] = ['a', 'g', 'i'];

/// Attributes that say nothing of the processor.
const OTHERS: [char; 9] = ['b', 'd', 'e', 'f', 'n', 'q', 's', 'u', 'z'];

/// The shape of an instance type: from the catalog, or else from its name.
pub(super) fn shape(name: &str) -> Result<Shape, ShapeError> {
    let catalog = catalog();
    catalog
        .shape(name)
        .or_else(|| by_grammar(name))
        .ok_or_else(|| catalog.unknown(&provider_name(), name))
}

/// What the name alone tells; nothing if it is not one that EC2 could have given.
pub(super) fn by_grammar(name: &str) -> Option<Shape> {
    let (family, size) = name.split_once('.')?;
    let family = Family::parse(family)?;
    let vcpus = family.vcpus(Size::parse(size)?)?;
    Some(Shape { arch: family.arch(), vcpus, memory_bytes: None })
}

/// A family, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Family<'a> {
    series: &'a str,
    generation: u8,
    attributes: &'a str,
    suffix: &'a str,
}

impl<'a> Family<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (head, suffix) = text.split_once('-').unwrap_or((text, ""));
        let place = head.find(|c: char| c.is_ascii_digit())?;
        let (series, rest) = head.split_at(place);
        let generation = rest.as_bytes().first()?.checked_sub(b'0')?;
        let attributes = rest.get(1..)?;
        let family = Self { series, generation, attributes, suffix };
        (generation > 0
            && SERIES.contains(&series)
            && family.attributes_are_known()
            && family.suffix_is_known(text))
        .then_some(family)
    }

    fn attributes_are_known(self) -> bool {
        let count = |letter: char| self.attributes.chars().filter(|c| *c == letter).count();
        let processors: usize = PROCESSORS.into_iter().map(count).sum();
        processors <= 1
            && self.attributes.chars().all(|letter| {
                (PROCESSORS.contains(&letter) || OTHERS.contains(&letter)) && count(letter) == 1
            })
    }

    /// `-flex`, the memory of a high memory machine (`u7i-12tb`) or a GPU (`p6-b200`).
    fn suffix_is_known(self, text: &str) -> bool {
        let digits_between = |start: &str, end: &str| {
            let middle = self.suffix.strip_prefix(start).and_then(|s| s.strip_suffix(end));
            middle.is_some_and(|m| !m.is_empty() && m.bytes().all(|b| b.is_ascii_digit()))
        };
        match self.series {
            _ if self.suffix.is_empty() => !text.ends_with('-'),
            "u" => digits_between("", "tb"),
            "p" => digits_between("b", "") || digits_between("gb", ""),
            _ => self.suffix == "flex",
        }
    }

    /// Graviton is an attribute, the first ARM family has none, and a Grace processor comes with
    /// a GPU whose name begins with `gb`.
    fn arch(self) -> Arch {
        let first = self.series == "a" && self.generation == 1;
        if first || self.attributes.contains('g') || self.suffix.starts_with("gb") {
            Arch::Aarch64
        } else {
            Arch::X86_64
        }
    }

    /// How many vCPUs a size has in this family: `None` if the family has no such size,
    /// `Some(None)` if only EC2 knows.
    fn vcpus(self, size: Size) -> Option<Option<u32>> {
        let burstable = self.series == "t" && self.generation >= 3;
        Some(match size {
            // One thread of a core, or none of the usual counts.
            _ if self.series == "hpc" || self.is_older_than_sizes(size) => None,
            Size::Metal => None,
            Size::MetalOf(units) | Size::Extra(units) => Some(units.checked_mul(4)?),
            Size::Large => Some(2),
            Size::Medium | Size::Small | Size::Micro | Size::Nano if burstable => Some(2),
            Size::Medium if self.series == "t" => Some(2),
            Size::Medium => Some(1),
            Size::Small | Size::Micro | Size::Nano if self.series == "t" => Some(1),
            Size::Small | Size::Micro | Size::Nano => return None,
        })
    }

    /// Before the fifth generation, a size did not everywhere stand for a number of vCPUs.
    fn is_older_than_sizes(self, size: Size) -> bool {
        matches!(size, Size::Extra(_) | Size::Medium | Size::Small)
            && match self.series {
                "m" | "c" => self.generation <= 2 || (self.generation == 4 && self.series == "c"),
                "cc" | "cr" | "cg" | "hi" | "hs" => true,
                "d" => self.generation <= 2,
                _ => false,
            }
    }
}

/// A size, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Nano,
    Micro,
    Small,
    Medium,
    Large,
    /// `xlarge` is one, `12xlarge` is twelve.
    Extra(u32),
    /// The whole machine; the name does not say how large that is.
    Metal,
    /// The whole machine, as large as so many `xlarge`.
    MetalOf(u32),
}

impl Size {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "nano" => Self::Nano,
            "micro" => Self::Micro,
            "small" => Self::Small,
            "medium" => Self::Medium,
            "large" => Self::Large,
            "xlarge" => Self::Extra(1),
            "metal" => Self::Metal,
            _ => match text.strip_prefix("metal-").and_then(|size| size.strip_suffix("xl")) {
                Some(units) => Self::MetalOf(factor(units)?),
                None => Self::Extra(factor(text.strip_suffix("xlarge")?)?),
            },
        })
    }
}

/// A count of at least two, written as EC2 does: without sign or leading zero, three digits.
fn factor(text: &str) -> Option<u32> {
    let plain = text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
    let number: u32 = text.parse().ok().filter(|_| plain && !text.starts_with('0'))?;
    (number > 1).then_some(number)
}

/// Whether EC2 runs only macOS on it, on dedicated hosts.
pub(super) fn runs_macos_only(name: &str) -> bool {
    name.starts_with("mac")
}

/// The name of a machine: its label and its number among those of the label.
pub(super) fn machine_name(label: &str, number: u32) -> Result<String, InvalidId> {
    Ok(format!("{}-{number}", Alias::new(label)?))
}

/// The name of the security group of the machines of a run with one label. At most 140 of the
/// 255 characters that EC2 allows, all of them allowed.
pub(super) fn group_name(run_id: &RunId, label: &str) -> String {
    format!("railsbench-{run_id}-{label}")
}

/// The label in the name of a machine.
pub(super) fn label_of(machine_name: &str) -> &str {
    machine_name.rsplit_once('-').map_or(machine_name, |(label, _)| label)
}

/// What all client tokens of one machine begin with, whoever makes them.
pub(super) fn token_prefix(run_id: &RunId, machine_name: &str, zone: &str) -> String {
    let digest = Sha256::digest(format!("{run_id}/{machine_name}/{zone}").as_bytes());
    digest[..12].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The id of a machine: EC2 knows an instance only within its region.
pub(super) fn machine_id(region: &str, instance: &str) -> MachineId {
    MachineId::new(format!("{region}/{instance}"))
        .expect("regions and instance ids are short graphic ASCII")
}

/// Region and instance of a machine's id; nothing if it is not one of ours.
pub(super) fn parse_machine_id(id: &MachineId) -> Option<(&str, &str)> {
    id.as_str().split_once('/').filter(|(region, instance)| {
        is_region(region) && instance.starts_with("i-") && !instance.contains('/')
    })
}

/// Whether it looks like a region: `us-east-1`, `us-gov-west-1`.
pub(super) fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return false };
    (3..=5).contains(&parts.len())
        && text.len() <= 32
        && first.len() >= 2
        && last.parse::<u8>().is_ok()
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
