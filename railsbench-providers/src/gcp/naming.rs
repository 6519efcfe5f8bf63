//! What Google calls its machine types.
//!
//! A type is named `series-class-vcpus`, in lower case. A series is a letter, a digit for the
//! generation and letters that say whose processor it is: none Intel (or any x86 for `e2`), `d`
//! AMD, `a` Arm; `n` is for network and says nothing. `-lssd`, `-standardlssd`, `-highlssd`,
//! `-nolssd` and `-metal` may follow. Types with a GPU are named after the number of GPUs (`8g`),
//! and `x4` after its memory. `custom-4-8192` and `n2-custom-4-8192` are made to measure: vCPUs
//! and MiB, with `-ext` for more memory than usual. `e2-micro`, `e2-small`, `e2-medium`,
//! `f1-micro` and `g1-small` share a core.
//! Source: <https://cloud.google.com/compute/docs/machine-resource> and
//! <https://cloud.google.com/compute/docs/instances/creating-instance-with-custom-machine-type>,
//! 2026-07.

use railsbench_core::id::ProviderName;
use railsbench_core::provider::{Arch, Shape, ShapeError};

use super::catalog::catalog;

/// The key of this provider in configurations.
pub(super) fn provider_name() -> ProviderName {
    ProviderName::new("gcp").expect("\"gcp\" is lower-case letters")
}

/// Letters that series begin with.
const SERIES: [char; 11] = ['a', 'c', 'e', 'f', 'g', 'h', 'm', 'n', 't', 'x', 'z'];

/// Classes whose number is that of vCPUs.
const CLASSES: [&str; 8] = [
    "standard",
    "highmem",
    "highcpu",
    "megamem",
    "ultramem",
    "hypermem",
    "ultramem2x",
    "ultramemx",
];

/// Classes whose number is that of GPUs; how many vCPUs come with them only the catalog knows.
const GPU_CLASSES: [&str; 5] = ["highgpu", "megagpu", "ultragpu", "edgegpu", "maxgpu"];

/// What may follow the number.
const ENDINGS: [&str; 5] = ["lssd", "standardlssd", "highlssd", "nolssd", "metal"];

/// The memory of a custom type is a multiple of this, in MiB.
const MEMORY_STEP: u64 = 256;

/// The shape of a machine type: from the catalog, or else from its name.
pub(super) fn shape(name: &str) -> Result<Shape, ShapeError> {
    if let Some(shape) = catalog().shape(name) {
        return Ok(shape);
    }
    match by_grammar(name) {
        Reading::Shape(shape) => Ok(shape),
        Reading::Unknown => Err(catalog().unknown(&provider_name(), name)),
        Reading::Nearly(meant) => Err(ShapeError::Unknown {
            provider: provider_name(),
            name: name.to_owned(),
            nearest: vec![meant],
        }),
        Reading::Ambiguous => Err(ShapeError::Ambiguous {
            provider: provider_name(),
            name: name.to_owned(),
            question: "its series does not say whether the processor is x86 or Arm; use a type \
                       that `railsbench instance-types gcp` lists"
                .to_owned(),
        }),
    }
}

/// What a name alone tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reading {
    Shape(Shape),
    /// Not one that Google could have given.
    Unknown,
    /// The same, and this is what was meant.
    Nearly(String),
    /// It may be one, but does not say enough.
    Ambiguous,
}

/// What the name alone tells.
pub(super) fn by_grammar(name: &str) -> Reading {
    let parts: Vec<&str> = name.split('-').collect();
    match parts[..] {
        ["e2", "micro" | "small" | "medium"] => known(Arch::X86_64, Some(2), None),
        ["f1", "micro"] | ["g1", "small"] => known(Arch::X86_64, Some(1), None),
        ["custom", ref rest @ ..] => custom("n1", "custom", rest),
        [series, "custom", ref rest @ ..] => custom(series, &format!("{series}-custom"), rest),
        ["x4", vcpus, memory, "metal"] if is_terabytes(memory) => match count(vcpus) {
            Some(vcpus) => known(Arch::X86_64, Some(vcpus), None),
            None => Reading::Unknown,
        },
        [series, class, number, ref endings @ ..] => {
            if !endings.iter().all(|ending| ENDINGS.contains(ending)) {
                return Reading::Unknown;
            }
            let vcpus = if CLASSES.contains(&class) {
                count(number).map(Some)
            } else if GPU_CLASSES.contains(&class) {
                number.strip_suffix('g').and_then(whole).map(|_| None)
            } else {
                None
            };
            match (Series::parse(series), vcpus) {
                (Some(series), Some(vcpus)) => match series.arch() {
                    Some(arch) => known(arch, vcpus, None),
                    None => Reading::Ambiguous,
                },
                _ => Reading::Unknown,
            }
        }
        _ => Reading::Unknown,
    }
}

fn known(arch: Arch, vcpus: Option<u32>, memory_mib: Option<u64>) -> Reading {
    Reading::Shape(Shape { arch, vcpus, memory_bytes: memory_mib.map(|mib| mib << 20) })
}

/// A type made to measure: `rest` is what follows `prefix`.
fn custom(series: &str, prefix: &str, rest: &[&str]) -> Reading {
    let Some(parsed) = Series::parse(series).filter(|series| series.has_custom_types()) else {
        return Reading::Unknown;
    };
    let Some(arch) = parsed.arch() else { return Reading::Ambiguous };
    let (size, memory, extended) = match rest {
        [size, memory] => (*size, *memory, false),
        [size, memory, "ext"] if parsed.letter == 'n' => (*size, *memory, true),
        _ => return Reading::Unknown,
    };
    let shared = series == "e2" && matches!(size, "micro" | "small" | "medium");
    let vcpus = if shared { Some(2) } else { count(size) };
    let (Some(vcpus), Some(memory)) = (vcpus, whole(memory).map(u64::from)) else {
        return Reading::Unknown;
    };
    if memory.is_multiple_of(MEMORY_STEP) {
        return known(arch, Some(vcpus), Some(memory));
    }
    let memory = memory.next_multiple_of(MEMORY_STEP);
    let ending = if extended { "-ext" } else { "" };
    Reading::Nearly(format!("{prefix}-{size}-{memory}{ending}"))
}

/// A series, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Series<'a> {
    letter: char,
    generation: u8,
    attributes: &'a str,
}

impl<'a> Series<'a> {
    /// The series that a type is of, if its name begins with one.
    pub(super) fn of(name: &'a str) -> Option<Self> {
        match name.split('-').next()? {
            "custom" => Self::parse("n1"),
            series => Self::parse(series),
        }
    }

    fn parse(text: &'a str) -> Option<Self> {
        let mut characters = text.chars();
        let letter = characters.next().filter(|letter| SERIES.contains(letter))?;
        let generation = characters.next()?.to_digit(10).filter(|digit| *digit > 0)?;
        let attributes = characters.as_str();
        let is_known = attributes.len() <= 2 && attributes.chars().all(|c| "adnx".contains(c));
        let generation = u8::try_from(generation).ok()?;
        is_known.then_some(Self { letter, generation, attributes })
    }

    /// Whose processor it is; nothing if that cannot be told.
    fn arch(self) -> Option<Arch> {
        match (self.letter, self.generation, self.attributes) {
            (_, _, "" | "d" | "n" | "dn") => Some(Arch::X86_64),
            // `a4x` has Grace processors beside its GPUs.
            ('a', 4, "x") | (_, _, "a" | "an") => Some(Arch::Aarch64),
            _ => None,
        }
    }

    fn has_custom_types(self) -> bool {
        matches!((self.letter, self.generation), ('n', _) | ('e' | 'g', 2))
    }

    /// Whether its machines boot from Hyperdisk alone.
    /// Source: <https://cloud.google.com/compute/docs/disks/hyperdisks>, 2026-07.
    pub(super) fn needs_hyperdisk(self) -> bool {
        self.generation >= 4
    }

    /// The regional quota that its vCPUs count against. Newer series have one of their own that
    /// the interface does not list.
    pub(super) fn quota(self) -> Option<&'static str> {
        Some(match (self.letter, self.generation, self.attributes) {
            ('e' | 'f' | 'g', 1 | 2, "") | ('n', 1, "") => "CPUS",
            ('n', 2, "") => "N2_CPUS",
            ('n', 2, "d") => "N2D_CPUS",
            ('c', 2, "") => "C2_CPUS",
            ('c', 2, "d") => "C2D_CPUS",
            ('c', 3, "") => "C3_CPUS",
            ('t', 2, "a") => "T2A_CPUS",
            ('t', 2, "d") => "T2D_CPUS",
            ('a', 2, "") => "A2_CPUS",
            ('m', 1, "") => "M1_CPUS",
            ('m', 2, "") => "M2_CPUS",
            ('m', 3, "") => "M3_CPUS",
            _ => return None,
        })
    }
}

/// A number of vCPUs: one, or an even number.
fn count(text: &str) -> Option<u32> {
    whole(text).filter(|number| *number == 1 || number.is_multiple_of(2))
}

/// A positive number as Google writes it: digits only, no leading zero, at most 8.
fn whole(text: &str) -> Option<u32> {
    let plain = text.len() <= 8 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| plain && !text.starts_with('0'))
}

fn is_terabytes(text: &str) -> bool {
    text.strip_suffix('t').and_then(whole).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_agrees_with_the_whole_catalog() {
        for row in catalog().types() {
            let Reading::Shape(shape) = by_grammar(row.name) else {
                panic!("{} is not read", row.name);
            };
            assert_eq!(shape.arch, row.arch, "{}", row.name);
            assert!(shape.vcpus.is_none_or(|vcpus| vcpus == row.vcpus), "{}", row.name);
            assert!(shape.vcpus.is_some() || row.gpus > 0, "{}", row.name);
        }
        assert!(catalog().types().len() > 500);
    }

    #[test]
    fn the_series_tells_the_architecture() {
        for name in
            ["t2a-standard-1", "c4a-highmem-96-metal", "n4a-custom-2-4096", "c9a-standard-2"]
        {
            assert_eq!(shape(name).unwrap().arch, Arch::Aarch64, "{name}");
        }
        for name in
            ["a2-highgpu-1g", "n2d-standard-2", "g4-standard-48", "c4n-highcpu-2", "e2-micro"]
        {
            assert_eq!(shape(name).unwrap().arch, Arch::X86_64, "{name}");
        }
        assert_eq!(shape("a4x-highgpu-4g").unwrap().arch, Arch::Aarch64);
    }

    #[test]
    fn custom_types_say_what_they_are() {
        for (name, vcpus, mib) in [
            ("custom-4-5120", 4, 5120),
            ("n1-custom-1-3840", 1, 3840),
            ("n2-custom-8-81920-ext", 8, 81_920),
            ("e2-custom-micro-1024", 2, 1024),
            ("n4-custom-80-655360", 80, 655_360),
        ] {
            let shape = shape(name).unwrap();
            assert_eq!((shape.vcpus, shape.memory_bytes), (Some(vcpus), Some(mib << 20)), "{name}");
        }
    }

    #[test]
    fn what_google_cannot_have_is_refused_with_what_was_meant() {
        for (wrong, meant) in [
            ("e2-micr", "e2-micro"),
            ("E2-Micro", "e2-micro"),
            ("n2-standrd-4", "n2-standard-4"),
            ("n2-standard-3", "n2-standard-32"),
            ("zones/us-central1-a/machineTypes/e2-micro", ""),
            ("n2-custom-4-5000", "n2-custom-4-5120"),
            ("custom-2-5000-ext", "custom-2-5120-ext"),
            ("t2a-standard-4-lsd", "t2a-standard-4"),
            ("c3-custom-4-8192", ""),
            ("e2-custom-2-4096-ext", ""),
            ("k1-standard-4", ""),
            ("n2-standard-04", "n2-standard-4"),
            ("n2-standard-4-", "n2-standard-4"),
            ("n0-standard-4", ""),
            ("", ""),
        ] {
            match shape(wrong) {
                Err(ShapeError::Unknown { nearest, .. }) if meant.is_empty() => drop(nearest),
                Err(ShapeError::Unknown { nearest, .. }) => {
                    assert!(nearest.iter().any(|name| name == meant), "{wrong}: {nearest:?}");
                }
                other => panic!("{wrong:?} gives {other:?}"),
            }
        }
    }

    #[test]
    fn a_series_that_does_not_say_enough_asks() {
        let error = shape("n5x-standard-4").unwrap_err();
        assert!(matches!(error, ShapeError::Ambiguous { .. }), "{error}");
        assert!(error.to_string().contains("x86 or Arm"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn no_name_panics(name in "\\PC{0,80}") {
            let _ = shape(&name);
        }

        #[test]
        fn no_name_like_one_panics(
            name in "(n2|e2|c4a|a4x|x4|custom|n5x|é1)(-custom|-standard|-highgpu|-)?(-[0-9]{0,12}(g|t)?){0,3}(-ext|-lssd|-metal)?",
        ) {
            if let Ok(shape) = shape(&name) {
                proptest::prop_assert!(shape.vcpus != Some(0) && shape.memory_bytes != Some(0));
            }
        }
    }
}
