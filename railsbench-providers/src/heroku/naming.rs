//! What dyno sizes, apps, process types and dynos are called.
//!
//! Cedar sizes are words (`standard-1x`, `performance-l-ram`), the same in any case; the prefix
//! says where they run (`private-`, `shield-`: only in a private space). Fir sizes say what they
//! are: `dyno-<processors>c-<memory>gb`. An app's name is worldwide unique, at most 30 characters
//! of a-z, 0-9 and `-`. Each dyno size is a process type of its name, and Heroku numbers the
//! dynos of a process type from 1: `standard-1x.1`.
//!
//! A run has one app, whose process types it scales. Eco and basic dynos are apart: an app that
//! has one of these can have no other size, and one dyno of each process type at most
//! (devcenter.heroku.com/articles/dyno-types, "Mixing dyno types", and dyno-tiers). So each
//! machine of these two sizes has an app of its own.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use railsbench_core::id::{InstanceType, MachineId, ProviderName, RunId};
use railsbench_core::provider::{Arch, Shape, ShapeError};
use sha2::{Digest, Sha256};

use super::catalog::CATALOG;

/// What the names of our apps begin with.
pub(super) const APP_PREFIX: &str = "railsbencher-runner-";

/// How much of an app's name is left for the run: names have at most 30 characters.
const SUFFIX: usize = 10;

/// Crockford's base32 alphabet in lower case, as generated run ids use it.
const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The key of this provider in configurations.
pub(super) fn provider_name() -> ProviderName {
    ProviderName::new("heroku").expect("\"heroku\" is lower-case letters")
}

/// Architecture, processors and memory of a dyno size.
pub(super) fn shape(name: &str) -> Result<Shape, ShapeError> {
    CATALOG
        .shape(name)
        .or_else(|| fir_shape(name))
        .ok_or_else(|| CATALOG.unknown(&provider_name(), name))
}

/// What the name of a Fir size says.
fn fir_shape(name: &str) -> Option<Shape> {
    let name = name.to_ascii_lowercase();
    let (vcpus, memory) = name.strip_prefix("dyno-")?.strip_suffix("gb")?.split_once("c-")?;
    let (whole, half) = match memory.split_once('.') {
        Some((whole, "5")) => (whole, 512),
        Some(_) => return None,
        None => (memory, 0),
    };
    let memory_mib = number(whole)?.checked_mul(1024)?.checked_add(half)?;
    let vcpus = u32::try_from(number(vcpus)?).ok()?;
    if vcpus == 0 || memory_mib == 0 {
        return None;
    }
    let memory_bytes = memory_mib.checked_mul(1 << 20)?;
    Some(Shape { arch: Arch::Aarch64, vcpus: Some(vcpus), memory_bytes: Some(memory_bytes) })
}

/// A number without sign and leading zeros.
fn number(text: &str) -> Option<u64> {
    let plain = text == "0" || text.starts_with(|c: char| ('1'..='9').contains(&c));
    (plain && text.bytes().all(|c| c.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// Where dynos of a size can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runtime {
    /// Shared by all customers.
    Common,
    /// A private space, or a shielded one.
    Space,
    /// A private space of the Fir generation.
    Fir,
}

impl Runtime {
    /// Where dynos of a size that has a shape can be.
    pub(super) fn of(size: &str) -> Self {
        match size.split('-').next() {
            Some("private" | "shield") => Self::Space,
            Some("dyno") => Self::Fir,
            _ => Self::Common,
        }
    }
}

/// A dyno size in the one spelling that Heroku's answers and our process types use.
pub(super) fn size(instance_type: &InstanceType) -> String {
    instance_type.as_str().to_ascii_lowercase()
}

/// The sizes that share their app with nothing.
const LONELY: [&str; 2] = ["eco", "basic"];

/// Most machines of such a size that a run may have, with all that replace others.
pub(super) const MOST_LONELY: u32 = 100;

/// Whether dynos of a size are alone in their app.
pub(super) fn is_lonely(size: &str) -> bool {
    LONELY.contains(&size)
}

/// Where a run's machine of a size with a number is. It is the same on every call, so that making
/// it twice is noticed by Heroku.
pub(super) fn place(run_id: &RunId, size: &str, number: u32) -> DynoKey {
    let process_type = size.to_owned();
    if is_lonely(size) {
        // A run id holds no `/`, so this is no other run's name.
        let digest = digest(&format!("{run_id}/{size}.{number}"));
        DynoKey { app: format!("{APP_PREFIX}{digest}"), process_type, number: 1 }
    } else {
        DynoKey { app: app_name(run_id), process_type, number }
    }
}

/// The names of all apps that a run may have.
pub(super) fn app_names(run_id: &RunId) -> HashSet<String> {
    let lonely = LONELY
        .into_iter()
        .flat_map(|size| (1..=MOST_LONELY).map(move |number| place(run_id, size, number).app));
    lonely.chain([app_name(run_id)]).collect()
}

/// The name of a run's app for all sizes that can share one. Run ids that fit stand in it as they
/// are; others by a digest of theirs.
pub(super) fn app_name(run_id: &RunId) -> String {
    let id = run_id.as_str();
    let fits = id.len() <= SUFFIX
        && id.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
        && !id.ends_with('-');
    if fits { format!("{APP_PREFIX}{id}") } else { format!("{APP_PREFIX}{}", digest(id)) }
}

/// The run whose id stands in an app's name. A digest looks like an id too; taken for one, it
/// still leads to that app.
pub(super) fn run_in_name(app: &str) -> Option<RunId> {
    RunId::new(app.strip_prefix(APP_PREFIX)?).ok().filter(|run_id| app_name(run_id) == app)
}

fn digest(id: &str) -> String {
    let digest = Sha256::digest(id.as_bytes());
    digest.iter().take(SUFFIX).map(|byte| char::from(CROCKFORD[usize::from(byte % 32)])).collect()
}

/// One dyno: its app, its process type and its number. Written `app/type.number`, it is the
/// machine's id and its token in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct DynoKey {
    pub(super) app: String,
    pub(super) process_type: String,
    pub(super) number: u32,
}

/// A text that is no dyno's key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotAKey;

impl DynoKey {
    /// The name of the dyno within its app.
    pub(super) fn dyno(&self) -> String {
        format!("{}.{}", self.process_type, self.number)
    }

    pub(super) fn id(&self) -> MachineId {
        MachineId::new(self.to_string()).expect("it is graphic ASCII of less than 512 bytes")
    }
}

impl fmt::Display for DynoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}.{}", self.app, self.process_type, self.number)
    }
}

impl FromStr for DynoKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let (app, dyno) = text.split_once('/').ok_or(NotAKey)?;
        let (process_type, number) = dyno.rsplit_once('.').ok_or(NotAKey)?;
        let word = |text: &str| {
            !text.is_empty()
                && text.len() <= 64
                && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
        };
        let number = number
            .parse::<u32>()
            .ok()
            .filter(|value| *value > 0 && value.to_string() == number)
            .ok_or(NotAKey)?;
        if app.starts_with(APP_PREFIX) && word(app) && word(process_type) {
            Ok(Self { app: app.to_owned(), process_type: process_type.to_owned(), number })
        } else {
            Err(NotAKey)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: &str) -> RunId {
        RunId::new(id).unwrap()
    }

    #[test]
    fn names_are_found_in_any_case() {
        for name in ["standard-1x", "Standard-1X", "STANDARD-1X"] {
            let expected =
                Shape { arch: Arch::X86_64, vcpus: Some(1), memory_bytes: Some(512 << 20) };
            assert_eq!(shape(name), Ok(expected), "{name}");
        }
        let error = shape("standard-1").unwrap_err().to_string();
        assert!(error.contains("did you mean standard-1x"), "{error}");
        let error = shape("performance-xxl").unwrap_err().to_string();
        assert!(error.contains("performance-2xl"), "{error}");
    }

    /// Where both know, the grammar and the table agree.
    #[test]
    fn every_row_of_the_catalog_has_its_shape() {
        for known in CATALOG.types() {
            assert_eq!(shape(known.name), Ok(known.shape()), "{}", known.name);
            if Runtime::of(known.name) == Runtime::Fir {
                assert_eq!(fir_shape(known.name), Some(known.shape()), "{}", known.name);
            } else {
                assert_eq!(fir_shape(known.name), None, "{}", known.name);
            }
        }
    }

    #[test]
    fn fir_sizes_that_are_not_listed_follow_the_grammar() {
        let expected = Shape { arch: Arch::Aarch64, vcpus: Some(48), memory_bytes: Some(96 << 30) };
        assert_eq!(shape("dyno-48c-96gb"), Ok(expected));
        for wrong in [
            "dyno-0c-1gb",
            "dyno-1c-0gb",
            "dyno-01c-1gb",
            "dyno-c-1gb",
            "dyno-1c-gb",
            "dyno-1c-1",
            "dyno-1c-0.25gb",
            "dyno-+1c-1gb",
            "dyno-1c-1.gb",
            "dyno-1c-99999999999999999999gb",
            "dyno-1c-18014398509481984gb",
            "dyno-99999999999c-1gb",
            "",
            "dyno",
            "free",
            "hobby",
            "web",
        ] {
            assert!(shape(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn sizes_say_where_they_run() {
        for (name, runtime) in [
            ("eco", Runtime::Common),
            ("performance-m", Runtime::Common),
            ("private-s", Runtime::Space),
            ("shield-2xl", Runtime::Space),
            ("dyno-1c-0.5gb", Runtime::Fir),
        ] {
            assert_eq!(Runtime::of(name), runtime, "{name}");
        }
    }

    #[test]
    fn app_names_are_heroku_names_and_differ_as_run_ids_do() {
        assert_eq!(app_name(&run("1732470000")), "railsbencher-runner-1732470000");
        assert_eq!(app_name(&run("a-b")), "railsbencher-runner-a-b");
        let long = app_name(&run("a-run-with-a-long-name"));
        assert_eq!(long, app_name(&run("a-run-with-a-long-name")));
        let mut names: Vec<String> =
            ["a", "A", "a.", "a_", "a-", "a-run-with-a-long-name", "a-run-with-a-long-namf"]
                .map(|id| app_name(&run(id)))
                .into();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 7, "{names:?}");
    }

    #[test]
    fn eco_and_basic_dynos_have_an_app_of_their_own() {
        let run_id = run("r1");
        let shared = place(&run_id, "standard-1x", 2);
        assert_eq!(shared.to_string(), "railsbencher-runner-r1/standard-1x.2");
        assert_eq!(place(&run_id, "performance-l", 1).app, shared.app);
        let (first, second) = (place(&run_id, "eco", 1), place(&run_id, "eco", 2));
        assert_eq!((first.dyno(), second.dyno()), ("eco.1".to_owned(), "eco.1".to_owned()));
        assert_ne!(first.app, second.app);
        assert_eq!(first, place(&run_id, "eco", 1));
        let names = app_names(&run_id);
        assert_eq!(names.len(), 201);
        for key in [shared, first, second, place(&run_id, "basic", 100)] {
            assert!(names.contains(&key.app), "{key}");
        }
        assert!(app_names(&run("r2")).is_disjoint(&names));
    }

    #[test]
    fn keys_are_read_back_and_nothing_else_is() {
        let key: DynoKey = "railsbencher-runner-r1/standard-1x.12".parse().unwrap();
        assert_eq!(key.dyno(), "standard-1x.12");
        assert_eq!(key.id().as_str(), "railsbencher-runner-r1/standard-1x.12");
        for wrong in [
            "",
            "a/b.1",
            "railsbencher-runner-r1/standard-1x",
            "railsbencher-runner-r1/x.0",
            "railsbencher-runner-r1/x.01",
            "railsbencher-runner-r1/../x.1",
            "railsbencher-runner-r1?/x.1",
            "railsbencher-runner-r1/.1",
        ] {
            assert_eq!(wrong.parse::<DynoKey>(), Err(NotAKey), "{wrong:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_name_panics(name in "\\PC{0,40}") {
            let _ = shape(&name);
            let _ = name.parse::<DynoKey>();
        }

        #[test]
        fn names_that_look_like_sizes_do_not_panic(
            name in "(dyno|standard|private)-[0-9]{0,25}c?-?[0-9.]{0,25}(gb|x)?",
        ) {
            let _ = shape(&name);
        }

        #[test]
        fn every_run_has_an_app_name(id in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}") {
            let name = app_name(&run(&id));
            proptest::prop_assert!(name.len() <= 30);
            proptest::prop_assert!(!name.ends_with('-'));
            proptest::prop_assert!(
                name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
            );
        }
    }
}
