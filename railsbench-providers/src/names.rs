//! Names of machines and of what belongs to them, within the limits of a cloud.
//!
//! A name consists of lower-case letters, digits and hyphens, which every cloud takes. Where that
//! or the length leaves something out, a hash of the whole takes its place, so that two things
//! never have one name.

use railsbench_core::id::RunId;
use sha2::{Digest, Sha256};

/// What every name begins with.
pub const PREFIX: &str = "railsbench";

/// How many hexadecimal digits of the hash a name has: among 10,000 names of one account, the
/// odds of a clash are 1 in 80.
const HASH_DIGITS: usize = 8;

/// `railsbench-RUN-LABEL-NUMBER`, in at most `longest` bytes.
pub fn machine_name(run_id: &RunId, label: &str, number: u32, longest: usize) -> String {
    name(&[PREFIX, run_id.as_str(), &format!("{label}-{number}")], longest)
}

/// `railsbench-RUN`, in at most `longest` bytes: for what a whole run shares.
pub fn run_name(run_id: &RunId, longest: usize) -> String {
    name(&[PREFIX, run_id.as_str()], longest)
}

/// The parts with hyphens between them, in at most `longest` bytes, `longest` being at least 20.
/// Only the last part can hold hyphens and stay as it is, since the others would no longer be
/// told apart. The first one must begin with a letter.
pub fn name(parts: &[&str], longest: usize) -> String {
    let plain = parts.join("-");
    let inner = parts.len().saturating_sub(1);
    let clear = !parts[..inner].iter().any(|part| part.contains('-'));
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if clear && plain.len() <= longest && plain.chars().all(fits) && !plain.ends_with('-') {
        return plain;
    }
    let digest = Sha256::digest(parts.join("\0"));
    let hash =
        digest.iter().take(HASH_DIGITS / 2).fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
    let room = longest.saturating_sub(HASH_DIGITS + 1);
    let mut kept: String = plain
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if fits(c) { c } else { '-' })
        .take(room)
        .collect();
    kept.truncate(kept.trim_end_matches('-').len());
    format!("{kept}-{hash:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(run: &str, label: &str, number: u32, longest: usize) -> String {
        machine_name(&RunId::new(run).unwrap(), label, number, longest)
    }

    #[test]
    fn plain_names_stay_as_they_are() {
        assert_eq!(machine("1732470000", "e2-micro", 1, 63), "railsbench-1732470000-e2-micro-1");
        assert_eq!(run_name(&RunId::new("0a1b2c3d4e").unwrap(), 30), "railsbench-0a1b2c3d4e");
    }

    #[test]
    fn what_is_left_out_is_hashed() {
        let long = machine(&"r".repeat(64), "Standard_D2ps_v5", 1, 63);
        assert_eq!(long.len(), 63);
        let dotted = machine("r1", "c7g.medium", 1, 63);
        assert!(dotted.starts_with("railsbench-r1-c7g-medium-1-"), "{dotted}");
        assert_ne!(dotted, machine("r1", "c7g-medium", 1, 63));
        assert_ne!(machine("R1", "a", 1, 63), machine("r1", "a", 1, 63));
        assert_ne!(machine("r-1", "a", 1, 63), machine("r", "1-a", 1, 63));
    }

    proptest::proptest! {
        #[test]
        fn names_keep_to_the_rules(
            run in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}", label in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
            number in 1..u32::MAX, longest in 20..100_usize,
        ) {
            let name = machine(&run, &label, number, longest);
            proptest::prop_assert!(name.len() <= longest, "{}", name);
            proptest::prop_assert!(name.starts_with("rails"));
            proptest::prop_assert!(name.ends_with(|c: char| c.is_ascii_alphanumeric()));
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            proptest::prop_assert!(name.chars().all(fits), "{}", name);
            proptest::prop_assert_ne!(name, machine(&run, &label, number - 1, longest));
        }
    }
}
