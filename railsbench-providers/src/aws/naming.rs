//! What EC2 calls its instance types, and what railsbench calls what it makes there.
//!
//! A type is named `family.size`, in lower case. A family is a series (`c`, `m`, `hpc` …), one
//! digit for the generation and letters for attributes: `a` AMD, `g` AWS Graviton, `i` Intel,
//! `b` block storage, `d` instance store, `e` extra, `f` fractional, `n` network, `q` Qualcomm,
//! `s` storage, `u` UltraServer, `z` frequency; `-flex` and a few other suffixes may follow.
//! Source: <https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html>,
//! 2026-07. Only an attribute tells ARM: as a *series*, `g` is a machine with a GPU.

use railsbench_core::id::{MachineId, ProviderName, RunId};
use railsbench_core::provider::{Arch, Shape, ShapeError};
use sha2::{Digest, Sha256};

use super::catalog::catalog;
use crate::names::{PREFIX, name};

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
    let vcpus = match family.vcpus(Size::parse(size)?)? {
        Vcpus::Told(count) => Some(count),
        Vcpus::Untold => None,
    };
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

    /// How many vCPUs a size has in this family; nothing if it has no such size.
    fn vcpus(self, size: Size) -> Option<Vcpus> {
        let told = |count| Some(Vcpus::Told(count));
        let burstable = self.series == "t" && self.generation >= 3;
        match size {
            _ if self.series == "hpc" || self.is_older_than_sizes(size) => Some(Vcpus::Untold),
            Size::Metal => Some(Vcpus::Untold),
            Size::MetalOf(units) | Size::Extra(units) => told(units.checked_mul(4)?),
            Size::Large => told(2),
            Size::Medium | Size::Small | Size::Micro | Size::Nano if burstable => told(2),
            Size::Medium if self.series == "t" => told(2),
            Size::Medium => told(1),
            Size::Small | Size::Micro | Size::Nano if self.series == "t" => told(1),
            Size::Small | Size::Micro | Size::Nano => None,
        }
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

/// What the name of a size tells of its vCPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vcpus {
    Told(u32),
    /// Only EC2 knows, and the catalog.
    Untold,
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

/// The longest value of a tag is 256 characters, the longest name of a group 255; shorter ones
/// are read more easily.
pub(super) const LONGEST_NAME: usize = 128;

/// The name of the security group of the machines of a run with one label.
pub(super) fn group_name(run_id: &RunId, label: &str) -> String {
    name(&[PREFIX, run_id.as_str(), label], LONGEST_NAME)
}

/// What all client tokens for one machine in one zone begin with.
pub(super) fn token_prefix(machine_name: &str, zone: &str) -> String {
    let digest = Sha256::digest(format!("{machine_name}/{zone}"));
    let start = digest.iter().take(12).fold(0, |sum: u128, byte| sum << 8 | u128::from(*byte));
    format!("{start:024x}")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn grammar(name: &str) -> Option<(Arch, Option<u32>)> {
        by_grammar(name).map(|shape| (shape.arch, shape.vcpus))
    }

    #[test]
    fn the_grammar_agrees_with_every_row_of_the_catalog() {
        let mut unread = Vec::new();
        for known in catalog().types() {
            let Some(shape) = by_grammar(known.name) else {
                unread.push(known.name);
                continue;
            };
            assert_eq!(shape.arch, known.arch, "{}", known.name);
            if let Some(vcpus) = shape.vcpus {
                assert_eq!(vcpus, known.vcpus, "{}", known.name);
            }
        }
        let by_catalog_alone = |name: &&&str| !runs_macos_only(name) && !name.starts_with("u-");
        assert_eq!(unread.iter().filter(by_catalog_alone).count(), 0, "{unread:?}");
    }

    #[test]
    fn every_row_of_the_catalog_has_the_shape_that_it_says() {
        assert!(catalog().types().len() > 1200);
        for known in catalog().types() {
            assert_eq!(shape(known.name), Ok(known.shape()), "{}", known.name);
        }
    }

    #[test]
    fn graviton_is_an_attribute_and_a_graphics_machine_a_series() {
        let arm = ["a1.large", "c7g.large", "t4g.nano", "m6gd.large", "c7gn.large", "x2gd.large"];
        let arm_too = ["im4gn.large", "is4gen.large", "hpc7g.4xlarge", "g5g.xlarge", "c8gb.large"];
        for name in arm.into_iter().chain(arm_too) {
            assert_eq!(grammar(name).unwrap().0, Arch::Aarch64, "{name}");
        }
        let x86 = ["g4dn.xlarge", "g5.xlarge", "g6e.xlarge", "gr6.4xlarge", "m7i-flex.large"];
        for name in x86.into_iter().chain(["c8a.large", "p6-b200.48xlarge", "u7i-12tb.224xlarge"]) {
            assert_eq!(grammar(name).unwrap().0, Arch::X86_64, "{name}");
        }
    }

    #[test]
    fn types_that_no_catalog_has_are_read_by_their_name() {
        let cases = [
            ("c9g.medium", Arch::Aarch64, Some(1)),
            ("m9gd.12xlarge", Arch::Aarch64, Some(48)),
            ("m9a.metal-48xl", Arch::X86_64, Some(192)),
            ("r9i.metal", Arch::X86_64, None),
            ("t5g.micro", Arch::Aarch64, Some(2)),
            ("t2.micro", Arch::X86_64, Some(1)),
            ("hpc9g.16xlarge", Arch::Aarch64, None),
            ("p6e-gb200.36xlarge", Arch::Aarch64, Some(144)),
            ("c4.12xlarge", Arch::X86_64, None),
            ("m9i-flex.large", Arch::X86_64, Some(2)),
        ];
        for (name, arch, vcpus) in cases {
            assert_eq!(grammar(name), Some((arch, vcpus)), "{name}");
        }
    }

    #[test]
    fn what_ec2_could_not_have_named_is_refused_with_the_nearest_names() {
        let wrong = [
            "",
            ".",
            "c7g",
            "c7g.",
            ".large",
            "c7g.lrage",
            "C7g.medium",
            "c7g.Medium",
            "c07g.large",
            "c7g.0xlarge",
            "c7g.1xlarge",
            "c7g.02xlarge",
            "c7g.+2xlarge",
            "c7g.2000xlarge",
            "c7gg.large",
            "c7ga.large",
            "c7w.large",
            "y7.large",
            "c7-.large",
            "c7g-flx.large",
            "c.large",
            "7g.large",
            "c7g.metal-",
            "c7g.metal-xl",
            "c7g.medium.large",
            "m5.nano",
            "c7g.micro",
            "Standard_D2s_v5",
            "c7g medium",
            "p6-b.large",
            "u7i-tb.large",
            "c0.large",
        ];
        for name in wrong {
            let error = shape(name).unwrap_err();
            assert!(matches!(error, ShapeError::Unknown { .. }), "{name:?}: {error}");
        }
        let error = shape("C7G.medium").unwrap_err().to_string();
        assert!(error.contains("did you mean c7g.medium"), "{error}");
        let error = shape("m5.lrage").unwrap_err().to_string();
        assert!(error.contains("m5.large"), "{error}");
    }

    #[test]
    fn machine_ids_are_read_back_and_nothing_else_is() {
        let id = machine_id("us-east-1", "i-0123456789abcdef0");
        assert_eq!(parse_machine_id(&id), Some(("us-east-1", "i-0123456789abcdef0")));
        for other in ["i-0123", "us-east-1/", "/i-0123", "us-east-1/vol-1", "x/i-1", "r1/host-1"] {
            assert_eq!(parse_machine_id(&MachineId::new(other).unwrap()), None, "{other}");
        }
    }

    #[test]
    fn regions_look_like_regions() {
        for good in ["us-east-1", "us-gov-west-1", "ap-southeast-5", "eusc-de-east-1"] {
            assert!(is_region(good), "{good}");
        }
        for bad in
            ["", "us", "us-east", "US-EAST-1", "us-east-1a", "us_east_1", "-east-1", "a/b-c-1"]
        {
            assert!(!is_region(bad), "{bad}");
        }
    }

    #[test]
    fn tokens_and_names_are_within_the_limits_and_tell_machines_apart() {
        let run_id = RunId::new("r".repeat(64)).unwrap();
        assert!(group_name(&run_id, &"l".repeat(64)).len() <= LONGEST_NAME);
        assert_ne!(token_prefix("a", "us-east-1a"), token_prefix("a", "us-east-1b"));
        assert_ne!(token_prefix("a", "us-east-1a"), token_prefix("b", "us-east-1a"));
        // EC2 takes 64 characters; a time in nanoseconds adds 17.
        assert_eq!(token_prefix("a", "us-east-1a").len(), 24);
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_much(name in "\\PC{0,80}") {
            if let Ok(shape) = shape(&name) {
                proptest::prop_assert!(shape.vcpus.is_none_or(|vcpus| vcpus > 0));
            }
        }

        /// Names that are nearly right, where a slip of the grammar would show.
        #[test]
        fn no_name_is_too_much(
            name in "[a-z]{0,4}[0-9]{0,2}[a-z]{0,5}(-[a-z0-9]{0,5})?\\.?(metal-)?[0-9]{0,4}[a-z]{0,6}",
        ) {
            if let Ok(shape) = shape(&name) {
                proptest::prop_assert!(shape.vcpus.is_none_or(|vcpus| vcpus > 0));
                proptest::prop_assert_eq!(name.to_lowercase(), name.clone());
            }
        }
    }
}
