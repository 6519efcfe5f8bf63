//! What instance types, machines and networks of a daemon are called.

use railsbench_core::config::nearest;
use railsbench_core::id::{ProviderName, RunId};
use railsbench_core::provider::{Arch, Shape, ShapeError};

use crate::names::{machine_name, run_name};

/// Docker itself sets no limit; this is what a host name may have, and what people can read.
const LONGEST_NAME: usize = 63;

/// The largest machine that a name can ask for: far more than any host has.
const MOST_CPUS: u32 = 4096;
const MOST_GIB: u32 = 65_536;

const GIB: u64 = 1 << 30;

/// The key of this provider in configurations.
pub(super) fn provider_name() -> ProviderName {
    ProviderName::new("docker").expect("\"docker\" is lower-case letters")
}

/// How large a machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Size {
    pub(super) cpus: u32,
    pub(super) gib: u32,
}

impl Size {
    /// Reads `NcMg`: N CPUs and M GiB of memory.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (cpus, memory) = name.split_once('c')?;
        let cpus = number(cpus, MOST_CPUS)?;
        let gib = number(memory.strip_suffix('g')?, MOST_GIB)?;
        Some(Self { cpus, gib })
    }

    pub(super) fn name(self) -> String {
        format!("{}c{}g", self.cpus, self.gib)
    }

    pub(super) fn memory_bytes(self) -> u64 {
        u64::from(self.gib) * GIB
    }

    pub(super) fn shape(self, arch: Arch) -> Shape {
        Shape { arch, vcpus: Some(self.cpus), memory_bytes: Some(self.memory_bytes()) }
    }
}

/// A whole number from 1 on, written in one way only: without sign and leading zeros.
fn number(text: &str, most: u32) -> Option<u32> {
    let number = text.parse().ok().filter(|number| (1..=most).contains(number))?;
    (text == number.to_string()).then_some(number)
}

/// The size that an instance type names.
pub(super) fn size(name: &str, known: &[Size]) -> Result<Size, ShapeError> {
    Size::parse(name).ok_or_else(|| {
        let known: Vec<String> = known.iter().map(|size| size.name()).collect();
        let mut close = nearest(&name.to_lowercase(), known.iter().map(String::as_str))
            .into_iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>();
        if close.is_empty() {
            // However far off the name is, this is how one is written.
            close.extend(known.first().cloned());
        }
        ShapeError::Unknown { provider: provider_name(), name: name.to_owned(), nearest: close }
    })
}

/// The name of a container, which is also its machine's id.
pub(super) fn container_name(run_id: &RunId, label: &str, number: u32) -> String {
    machine_name(run_id, label, number, LONGEST_NAME)
}

/// The name of the network of a run.
pub(super) fn network_name(run_id: &RunId) -> String {
    run_name(run_id, LONGEST_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_cpus_and_memory() {
        assert_eq!(Size::parse("2c4g"), Some(Size { cpus: 2, gib: 4 }));
        let shape = Size::parse("16c128g").unwrap().shape(Arch::Aarch64);
        assert_eq!((shape.vcpus, shape.memory_bytes), (Some(16), Some(128 << 30)));
        for wrong in [
            "",
            "c",
            "cg",
            "2c",
            "2c4",
            "c4g",
            "2c4gb",
            "4g2c",
            "2C4G",
            "02c4g",
            "2c04g",
            "+2c4g",
            "0c4g",
            "2c0g",
            "2c4g ",
            "2 c4g",
            "-1c4g",
            "2.5c4g",
            "9999c4g",
            "2c99999999999g",
        ] {
            assert_eq!(Size::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_wrong_name_is_told_the_nearest() {
        let known = [Size { cpus: 1, gib: 2 }, Size { cpus: 2, gib: 4 }];
        for (wrong, meant) in [("2c4", "2c4g"), ("2C4G", "2c4g"), ("c7g.medium", "1c2g")] {
            let error = size(wrong, &known).unwrap_err().to_string();
            assert!(error.contains(meant), "{wrong}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn sizes_are_read_back(cpus in 1..=MOST_CPUS, gib in 1..=MOST_GIB) {
            let size = Size { cpus, gib };
            proptest::prop_assert_eq!(Size::parse(&size.name()), Some(size));
        }

        #[test]
        fn no_text_panics_and_names_have_one_spelling(text in "[0-9cg+]{0,12}") {
            if let Some(size) = Size::parse(&text) {
                proptest::prop_assert_eq!(size.name(), text);
            }
        }
    }
}
