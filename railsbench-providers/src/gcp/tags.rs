//! How the tags of a run are kept at Google: in the description, as they are, as JSON; and as
//! labels, to be filtered by, where Google has labels. A label's value is at most 63 lower-case
//! letters, digits, `-` and `_`, so a run id that is none is encoded.

use std::collections::BTreeMap;

use jiff::Timestamp;
use railsbench_core::id::RunId;
use serde_json::{Map, Value};

use crate::names;
use crate::vm::{Tags, tags};

/// The tag of what belongs to a region but is itself global: firewall rules.
const REGION: &str = "railsbench-region";

/// Longest value of a label.
const LONGEST_LABEL: usize = 63;

/// Tags and the region, as a description.
pub(super) fn description(tags: &Tags, region: &str) -> String {
    let mut pairs: Map<String, Value> =
        tags.pairs().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    pairs.insert(REGION.to_owned(), region.into());
    Value::Object(pairs).to_string()
}

/// Reads a description: tags and region; nothing if it is not one of ours.
pub(super) fn read(description: &str) -> Option<(Tags, Option<String>)> {
    let Ok(Value::Object(pairs)) = serde_json::from_str(description) else { return None };
    let value = |name: &str| pairs.get(name).and_then(Value::as_str);
    Some((Tags::read(value)?, value(REGION).map(str::to_owned)))
}

/// Tags as labels.
pub(super) fn labels(tags: &Tags) -> BTreeMap<&'static str, String> {
    let mut labels = BTreeMap::from([(tags::OURS, "true".to_owned())]);
    if let Some(run_id) = &tags.run_id {
        labels.insert(tags::RUN, run_label(run_id));
    }
    if let Some(at) = tags.expires_at {
        labels.insert(tags::EXPIRES, seconds(at));
    }
    if let Some(owner) = tags.owner.as_deref().map(as_label) {
        labels.insert(tags::OWNER, owner);
    }
    labels
}

/// The label of a run.
pub(super) fn run_label(run_id: &RunId) -> String {
    as_label(run_id.as_str())
}

/// A filter for what is ours, of one run or of all.
pub(super) fn filter(run: Option<&RunId>) -> String {
    let ours = format!("labels.{} = true", tags::OURS);
    match run {
        None => ours,
        Some(run_id) => format!("({ours}) AND (labels.{} = {})", tags::RUN, run_label(run_id)),
    }
}

fn as_label(text: &str) -> String {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if text.len() <= LONGEST_LABEL && text.chars().all(fits) {
        text.to_owned()
    } else {
        names::name(&["run", text], LONGEST_LABEL)
    }
}

fn seconds(at: Timestamp) -> String {
    at.as_second().to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn descriptions_are_read_back_and_others_are_left_alone() {
        let now: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        let run_id = RunId::new("Run.1_x").unwrap();
        let tags = Tags::new(&run_id, now, Duration::from_hours(1));
        let text = description(&tags, "us-central1");
        assert_eq!(read(&text), Some((tags, Some("us-central1".to_owned()))));
        for other in ["", "a web server", "{}", "[1]", r#"{"railsbench":"false"}"#] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn run_ids_that_are_no_labels_are_encoded() {
        let label = |text: &str| run_label(&RunId::new(text).unwrap());
        assert_eq!(label("1732470000"), "1732470000");
        assert_eq!(label("a_b-c"), "a_b-c");
        assert!(label("Run.1").starts_with("run-run-1-"), "{}", label("Run.1"));
        assert_ne!(label("Run.1"), label("run.1"));
    }

    proptest::proptest! {
        #[test]
        fn labels_keep_to_googles_rules(
            run in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}", owner in "[a-z0-9_-]{0,60}",
        ) {
            let run_id = RunId::new(run).unwrap();
            let tags =
                Tags { run_id: Some(run_id), created_at: None, expires_at: None, owner: Some(owner) };
            for value in labels(&tags).values() {
                let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
                proptest::prop_assert!(value.len() <= 63 && value.chars().all(fits), "{}", value);
            }
        }
    }
}
