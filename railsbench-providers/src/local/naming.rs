//! What the one instance type, and the machines on this host, are called.

use std::fmt;
use std::str::FromStr;

use railsbench_core::config::nearest;
use railsbench_core::id::{Alias, InvalidId, MachineId, ProviderName, RunId};
use railsbench_core::provider::{Shape, ShapeError};

/// The only instance type: this host, all of it.
pub const HOST: &str = "host";

/// The key of this provider in configurations.
pub(super) fn provider_name() -> ProviderName {
    ProviderName::new("local").expect("\"local\" is lower-case letters")
}

/// The shape of an instance type, given that of this host.
pub(super) fn shape(name: &str, host: Shape) -> Result<Shape, ShapeError> {
    if name == HOST {
        return Ok(host);
    }
    let close = nearest(name, [HOST]);
    // There is only one: name it, however far off the name is.
    let nearest = close.first().map_or(HOST, |name| name).to_owned();
    Err(ShapeError::Unknown {
        provider: provider_name(),
        name: name.to_owned(),
        nearest: vec![nearest],
    })
}

/// One machine: its run, and its name within the run. Written `run/name`, it is the machine's
/// id, its tag, its token in the journal and the path of its folder; neither part can hold a `/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct MachineKey {
    pub(super) run_id: RunId,
    pub(super) name: String,
}

/// A text that is no machine's key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotAKey;

impl MachineKey {
    /// The key of a planned machine; its name must have come from [`machine_name`].
    pub(super) fn new(run_id: &RunId, name: &str) -> Result<Self, NotAKey> {
        if is_machine_name(name) {
            Ok(Self { run_id: run_id.clone(), name: name.to_owned() })
        } else {
            Err(NotAKey)
        }
    }

    pub(super) fn id(&self) -> MachineId {
        MachineId::new(self.to_string()).expect("both parts are graphic ASCII, 150 bytes at most")
    }
}

impl fmt::Display for MachineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.run_id, self.name)
    }
}

impl FromStr for MachineKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let (run_id, name) = text.split_once('/').ok_or(NotAKey)?;
        Self::new(&RunId::new(run_id).map_err(|_| NotAKey)?, name)
    }
}

/// The name of a machine: its label and its number among those of the label.
pub(super) fn machine_name(label: &str, number: u32) -> Result<String, InvalidId> {
    Ok(format!("{}-{number}", Alias::new(label)?))
}

fn is_machine_name(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(label, number)| {
        Alias::new(label).is_ok() && number.parse::<u32>().is_ok_and(|n| n.to_string() == number)
    })
}

#[cfg(test)]
mod tests {
    use railsbench_core::provider::Arch;

    use super::*;

    #[test]
    fn the_host_is_the_only_type() {
        let host = Shape { arch: Arch::Aarch64, vcpus: Some(2), memory_bytes: Some(1 << 30) };
        assert_eq!(shape("host", host), Ok(host));
        for wrong in ["hots", "Host", "c7g.medium", ""] {
            let error = shape(wrong, host).unwrap_err();
            assert!(error.to_string().ends_with("did you mean host?"), "{error}");
        }
    }

    #[test]
    fn keys_are_read_back_and_nothing_else_is() {
        let run_id = RunId::new("r.1-a_b").unwrap();
        let name = machine_name("graviton-4.x", 12).unwrap();
        assert_eq!(name, "graviton-4.x-12");
        let key = MachineKey::new(&run_id, &name).unwrap();
        assert_eq!(key.to_string().parse(), Ok(key.clone()));
        assert_eq!(key.id().as_str(), "r.1-a_b/graviton-4.x-12");
        for wrong in ["", "r1", "r1/", "/a-1", "r1/../a-1", "r1/a", "r1/a-", "r1/a-01", "../a-1"] {
            assert_eq!(wrong.parse::<MachineKey>(), Err(NotAKey), "{wrong:?}");
        }
        assert!(machine_name("a/b", 1).is_err());
    }

    #[test]
    fn the_longest_names_fit_a_file_name() {
        let name = machine_name(&"x".repeat(64), u32::MAX).unwrap();
        let key = MachineKey::new(&RunId::new("y".repeat(64)).unwrap(), &name).unwrap();
        assert!(name.len() <= 255 && key.id().as_str().len() <= 150);
    }
}
