//! What the firmware of this host says of itself: a machine at a cloud is known by it, without a
//! call. Sources: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/identify_ec2_instances.html>
//! and <https://cloud.google.com/compute/docs/instances/detect-compute-engine>.

use std::path::Path;

/// Where Linux shows it.
const FOLDER: &str = "/sys/class/dmi/id";

/// Whether one of these facts contains a word, in any case. Where there is no such folder nothing
/// is known, and none does.
pub(crate) fn any_contains(facts: &[&str], word: &str) -> bool {
    contains(Path::new(FOLDER), facts, word)
}

fn contains(folder: &Path, facts: &[&str], word: &str) -> bool {
    let texts = facts.iter().filter_map(|fact| std::fs::read_to_string(folder.join(fact)).ok());
    texts.map(|text| text.to_ascii_lowercase()).any(|text| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_and_absent_ones_say_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let facts = ["sys_vendor", "bios_version"];
        assert!(!contains(folder.path(), &facts, "amazon"));
        std::fs::write(folder.path().join("bios_version"), "4.11.Amazon\n").unwrap();
        assert!(contains(folder.path(), &facts, "amazon"));
        assert!(!contains(folder.path(), &facts, "google"));
        assert!(!contains(folder.path(), &facts[..1], "amazon"));
    }
}
