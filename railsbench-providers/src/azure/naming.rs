//! What sizes of virtual machines mean, and what everything that is made is called.
//!
//! A size is `Standard_`, a family in capitals, a number of vCPUs, perhaps `-` and the number
//! that the guest sees of them, features in small letters, and `_` with an accelerator, a memory
//! variant or a generation, in this order: `Standard_E32-16ads_v5`. Azure takes names in any
//! case. Where case says more, it is read: in a family all letters are capitals. Source:
//! <https://learn.microsoft.com/azure/virtual-machines/vm-naming-conventions>.

use railsbench_core::id::{ProviderName, RunId};
use railsbench_core::provider::{Arch, Shape, ShapeError};

use super::catalog::catalog;
use crate::names;

/// Where machines are made if nobody says where; the catalog's prices are those of this region.
pub(super) const DEFAULT_REGION: &str = "eastus";

/// Longest name of a machine: 64 are allowed, and what belongs to it has a name that is longer.
pub(super) const LONGEST_NAME: usize = 56;

/// Longest name of a resource group.
/// Source: <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules>.
const LONGEST_GROUP: usize = 90;

/// What every size of machines that one can start begins with.
const TIER: &str = "standard_";

/// The families that exist, in the catalog or in Azure's documentation of 2026. A name of
/// another one is refused: nobody knows what its letters would mean.
const FAMILIES: [&str; 22] = [
    "A", "B", "D", "DC", "DS", "E", "EC", "F", "FX", "G", "GS", "H", "HB", "HC", "HX", "L", "M",
    "NC", "ND", "NG", "NP", "NV",
];

/// The feature letters that exist. `p` is an ARM processor.
const FEATURES: &str = "abdeilmoprst";

/// The key of this provider in configurations.
pub(super) fn provider_name() -> ProviderName {
    ProviderName::new("azure").expect("\"azure\" is lower-case letters")
}

/// The parts of a size's name, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Size {
    /// `d`, `nc`.
    pub(super) family: String,
    /// What the guest sees where the name says so: the number after the hyphen, else the first.
    number: u32,
    constrained: bool,
    features: String,
    /// The generation; 1 where none is named.
    pub(super) version: u32,
}

impl Size {
    /// Reads a name; nothing if it does not follow the grammar.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let mut parts = name.strip_prefix(TIER)?.split('_');
        let head = parts.next()?;
        let digits = head.find(|c: char| c.is_ascii_digit())?;
        let (family, rest) = head.split_at(digits);
        if !FAMILIES.iter().any(|known| known.eq_ignore_ascii_case(family)) {
            return None;
        }
        let (full, rest) = leading_number(rest)?;
        let (number, constrained, features) = match rest.strip_prefix('-') {
            Some(rest) => {
                let (seen, features) = leading_number(rest)?;
                // Of a place in a list nobody can say that.
                if seen > full && !matches!(family, "ds" | "g" | "gs") {
                    return None;
                }
                (seen, true, features)
            }
            None => (full, false, rest),
        };
        let mut seen = String::new();
        for letter in features.chars() {
            if !FEATURES.contains(letter) || seen.contains(letter) {
                return None;
            }
            seen.push(letter);
        }
        let mut version = 1;
        let mut versioned = false;
        for part in parts {
            let generation = part.strip_prefix('v').and_then(plain_number);
            match generation {
                // An accelerator such as V620 comes before the generation.
                Some(number @ 1..=99) if !versioned => {
                    version = number;
                    versioned = true;
                }
                _ if versioned && part == "promo" => {}
                _ if !versioned && is_variant(part) => {}
                _ => return None,
            }
        }
        Some(Self { family: family.to_owned(), number, constrained, features: seen, version })
    }

    /// ARM is a feature, never a family: `NP10s` is an FPGA beside an x86 processor.
    fn arch(&self) -> Arch {
        if self.features.contains('p') { Arch::Aarch64 } else { Arch::X86_64 }
    }

    /// Whether the number is a place in a list and not a count: so it was in the first
    /// generations of A, D and G. The numbers of A came to be counts with its second generation,
    /// those of D with its third.
    fn is_positional(&self) -> bool {
        if self.constrained {
            return false;
        }
        match self.family.as_str() {
            "a" => self.version == 1,
            "d" => self.version <= 2 && self.features.is_empty(),
            "ds" => self.version <= 2,
            "g" | "gs" => true,
            _ => false,
        }
    }

    /// Whether it starts only images that were made for confidential computing. Those with
    /// Intel's SGX, up to the third generation, start any.
    pub(super) fn is_confidential(&self) -> bool {
        matches!(self.family.as_str(), "dc" | "ec") && self.version >= 5
    }
}

/// An accelerator (`T4`, `MI300X`), a variant of memory (`8`), or `cc`.
fn is_variant(part: &str) -> bool {
    let letters = part.trim_end_matches(|c: char| c.is_ascii_digit() || c == 'x');
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    // `v5` is a generation, and `v710` an accelerator.
    let fewest = if letters == "v" { 3 } else { 1 };
    (part.len() <= 2 && plain_number(part).is_some())
        || part == "cc"
        || (part.len() <= 8
            && matches!(letters, "a" | "b" | "gb" | "h" | "l" | "mi" | "rtx" | "t" | "v")
            && digits >= fewest)
}

fn leading_number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((plain_number(digits)?, rest))
}

/// A number from 1 to 9999, as one writes it.
fn plain_number(digits: &str) -> Option<u32> {
    let plain = (1..=4).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    if plain { digits.parse().ok() } else { None }
}

/// What a size is: from the catalog, else from the grammar, which does not know its memory.
pub(super) fn shape(name: &str) -> Result<Shape, ShapeError> {
    if let Some(shape) = catalog().shape(name) {
        return Ok(shape);
    }
    match Size::parse(name) {
        Some(size) if size.is_positional() => Err(unknown(name)),
        Some(size) => Ok(Shape { arch: size.arch(), vcpus: Some(size.number), memory_bytes: None }),
        None => Err(unknown(name)),
    }
}

/// The error for a name that does not exist; one without the prefix is told the name with it.
fn unknown(name: &str) -> ShapeError {
    let prefixed = format!("Standard_{name}");
    if let Some(known) = catalog().find(&prefixed) {
        return ShapeError::Unknown {
            provider: provider_name(),
            name: name.to_owned(),
            nearest: vec![known.name.to_owned()],
        };
    }
    if !name.to_ascii_lowercase().starts_with(TIER) && Size::parse(&prefixed).is_some() {
        return ShapeError::Unknown {
            provider: provider_name(),
            name: name.to_owned(),
            nearest: vec![prefixed],
        };
    }
    catalog().unknown(&provider_name(), name)
}

/// The resource group of a run in a region.
pub(super) fn group_name(run_id: &RunId, region: &str) -> String {
    names::name(&[names::PREFIX, run_id.as_str(), region], LONGEST_GROUP)
}

/// Whether it looks like a region, as Azure writes them: `eastus2`. It becomes a part of paths.
pub(super) fn is_region(text: &str) -> bool {
    (2..=40).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> (Arch, Option<u32>) {
        let shape = shape(name).unwrap();
        (shape.arch, shape.vcpus)
    }

    /// The numbers of the old families are places in a list, and only the catalog knows those;
    /// for all others the name says what the catalog says.
    #[test]
    fn grammar_and_catalog_agree_on_every_size() {
        let mut positional = 0;
        for known in catalog().types() {
            let size = Size::parse(known.name).unwrap_or_else(|| panic!("{}", known.name));
            assert_eq!(size.arch(), known.arch, "{}", known.name);
            if size.is_positional() {
                positional += 1;
            } else {
                assert_eq!(size.number, known.vcpus, "{}", known.name);
            }
            assert_eq!(shape(&known.name.to_uppercase()).unwrap(), known.shape(), "{}", known.name);
        }
        assert!(catalog().types().len() > 1170);
        assert!((40..90).contains(&positional), "{positional}");
    }

    #[test]
    fn names_that_the_catalog_has_not_heard_of_follow_the_grammar() {
        for (name, arch, vcpus) in [
            ("Standard_D2ps_v9", Arch::Aarch64, 2),
            ("standard_e64-32PDS_V9", Arch::Aarch64, 32),
            ("Standard_D256as_v9", Arch::X86_64, 256),
            ("Standard_NP80s", Arch::X86_64, 80),
            ("Standard_ND128isr_GB300_v6", Arch::X86_64, 128),
            ("Standard_NC72ads_V999_v7", Arch::X86_64, 72),
        ] {
            assert_eq!(catalog().find(name), None, "{name}");
            assert_eq!(of(name), (arch, Some(vcpus)), "{name}");
        }
    }

    #[test]
    fn old_numbers_are_places_in_a_list() {
        for (name, vcpus) in [
            ("Standard_DS3_v2", 4),
            ("Standard_D14_v2", 16),
            ("Standard_DS14-8_v2", 8),
            ("Standard_A8_v2", 8),
            ("Standard_GS5", 32),
        ] {
            assert_eq!(of(name), (Arch::X86_64, Some(vcpus)), "{name}");
        }
        // A place that nobody knows is not guessed.
        assert!(shape("Standard_D16_v2").is_err());
        assert!(shape("Standard_A9").is_err());
    }

    #[test]
    fn what_is_no_size_is_refused_with_the_nearest() {
        for (name, nearest) in [
            ("Standard_D2pz_v5", "Standard_D2ps_v5"),
            ("D2ps_v5", "Standard_D2ps_v5"),
            ("D2ps_v9", "Standard_D2ps_v9"),
            ("Standard_D2ps_v0", "Standard_D2ps_v5"),
            ("Standard_D02ps_v5", "Standard_D2ps_v5"),
        ] {
            let error = shape(name).unwrap_err().to_string();
            assert!(error.contains(nearest), "{error}");
        }
        for name in [
            "",
            "Standard_",
            "c7g.medium",
            "Standard_Q2s_v5",
            "Standard_E4-8s_v5",
            "Standard_D2ss_v5",
            "Standard_D2s_v5_v6",
            "Standard_Ds_v5",
            "Basic_A1",
        ] {
            assert!(shape(name).is_err(), "{name}");
        }
    }

    #[test]
    fn confidential_sizes_are_told_by_their_names() {
        let confidential = |name| Size::parse(name).unwrap().is_confidential();
        assert!(confidential("Standard_DC2as_v5") && confidential("Standard_EC8eds_v6"));
        assert!(!confidential("Standard_DC2s_v3") && !confidential("Standard_D2s_v5"));
    }

    #[test]
    fn groups_have_names_of_their_own_within_the_limits() {
        let name = |run: &str| group_name(&RunId::new(run).unwrap(), "eastus");
        assert_eq!(name("r1"), "railsbench-r1-eastus");
        assert_ne!(name("R1").to_lowercase(), name("r1"));
        assert_ne!(name("r.1"), name("r-1"));
        assert!(name(&"x".repeat(64)).len() <= LONGEST_GROUP);
        assert!(is_region("eastus2") && !is_region("East US") && !is_region("../x"));
    }

    proptest::proptest! {
        #[test]
        fn no_name_makes_it_panic(name in "\\PC{0,40}", size in "(?i)standard_[a-z]{0,3}[0-9-]{0,6}[a-z]{0,5}(_[a-z0-9]{0,5}){0,3}") {
            let _ = shape(&name);
            let _ = shape(&size);
        }
    }
}
