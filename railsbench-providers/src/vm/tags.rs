//! What everything that is made for a run is tagged with, so that it can be found again without
//! any memory of it.

use std::time::Duration;

use jiff::Timestamp;
use railsbench_core::id::RunId;

/// The tag that says that something is ours; its value is `true`.
pub const OURS: &str = "railsbench";

/// The tag that holds the run id.
pub const RUN: &str = "railsbench-run";

/// The tag that holds the time when it was made, RFC 3339 in UTC.
pub const CREATED: &str = "railsbench-created";

/// The tag that holds the time from which on anyone may remove it, RFC 3339 in UTC.
pub const EXPIRES: &str = "railsbench-expires";

/// The tag that says who made it.
pub const OWNER: &str = "railsbench-owner";

/// The tags of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tags {
    /// The run that it belongs to.
    pub run_id: Option<RunId>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// From when on anyone may remove it.
    pub expires_at: Option<Timestamp>,
    /// Who made it.
    pub owner: Option<String>,
}

impl Tags {
    /// The tags of what is made now for machines that live for at most `max_lifetime`.
    pub fn new(run_id: &RunId, now: Timestamp, max_lifetime: Duration) -> Self {
        let expires_at = now.checked_add(max_lifetime).ok().map(whole_seconds);
        Self {
            run_id: Some(run_id.clone()),
            created_at: Some(whole_seconds(now)),
            expires_at,
            owner: this_user(),
        }
    }

    /// Names and values, as they are written.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![(OURS, "true".to_owned())];
        pairs.extend(self.run_id.as_ref().map(|run_id| (RUN, run_id.to_string())));
        pairs.extend(self.created_at.map(|at| (CREATED, at.to_string())));
        pairs.extend(self.expires_at.map(|at| (EXPIRES, at.to_string())));
        pairs.extend(self.owner.as_ref().map(|owner| (OWNER, owner.clone())));
        pairs
    }

    /// Reads the tags of something by their names; `None` if it is not ours. What cannot be read
    /// is left out: it is ours all the same.
    pub fn read<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        if value(OURS)? != "true" {
            return None;
        }
        Some(Self {
            run_id: value(RUN).and_then(|text| text.parse().ok()),
            created_at: value(CREATED).and_then(|text| text.parse().ok()),
            expires_at: value(EXPIRES).and_then(|text| text.parse().ok()),
            owner: value(OWNER).map(str::to_owned),
        })
    }
}

fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// Who is at work here, as far as the environment tells, in characters that every cloud takes.
fn this_user() -> Option<String> {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).ok()?;
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c.to_ascii_lowercase() } else { '_' })
        .take(60)
        .collect();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn tags_are_read_back() {
        let now: Timestamp = "2026-11-24T10:00:00.5Z".parse().unwrap();
        let tags = Tags {
            owner: Some("ada".to_owned()),
            ..Tags::new(&RunId::new("r1").unwrap(), now, Duration::from_hours(1))
        };
        let pairs: BTreeMap<_, _> = tags.pairs().into_iter().collect();
        assert_eq!(pairs[CREATED], "2026-11-24T10:00:00Z");
        assert_eq!(pairs[EXPIRES], "2026-11-24T11:00:00Z");
        assert_eq!(pairs[OURS], "true");
        assert_eq!(Tags::read(|name| pairs.get(name).map(String::as_str)), Some(tags));
    }

    #[test]
    fn what_is_not_ours_is_left_alone_and_what_is_damaged_is_ours() {
        assert_eq!(Tags::read(|_| None), None);
        assert_eq!(Tags::read(|name| (name == RUN).then_some("r1")), None);
        let damaged = Tags::read(|name| (name == OURS).then_some("true")).unwrap();
        assert_eq!(damaged, Tags { run_id: None, created_at: None, expires_at: None, owner: None });
    }
}
