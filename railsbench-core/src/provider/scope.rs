//! What to look at or remove, and which of what exists that is.

use std::collections::HashSet;

use jiff::Timestamp;

use super::Resource;
use crate::id::RunId;

/// Which of what exists is meant, by its age.
///
/// What a run has in one region is judged as one: its youngest part decides, and nothing goes
/// while something else of the run there is still needed. What does not say how old it is, or
/// when it expires, is never meant by an age.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Due {
    /// All of it, whatever its age.
    #[default]
    Any,
    /// What has expired before this time.
    ExpiredBy(Timestamp),
    /// What was made before this time.
    MadeBefore(Timestamp),
}

impl Due {
    /// The time that decides over a resource, and whether it is past; `None` if the resource does
    /// not tell.
    fn is_past(self, resource: &Resource) -> Option<bool> {
        match self {
            Self::Any => Some(true),
            Self::ExpiredBy(time) => resource.expires_at.map(|at| at < time),
            Self::MadeBefore(time) => resource.created_at.map(|at| at < time),
        }
    }
}

/// What to look at or remove.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only what belongs to this run; everything of ours if absent.
    pub run: Option<RunId>,
    /// Only these regions; the provider's default ones if empty.
    pub regions: Vec<String>,
    /// Only what is as old as this says.
    pub due: Due,
}

impl Scope {
    /// What belongs to one run.
    pub fn run(run_id: RunId) -> Self {
        Self { run: Some(run_id), ..Self::default() }
    }

    /// Everything of ours.
    pub fn all() -> Self {
        Self::default()
    }

    /// Everything of ours that is as old as this.
    pub fn due(due: Due) -> Self {
        Self { due, ..Self::default() }
    }

    /// The same in these regions alone; in the provider's default ones if there are none.
    #[must_use]
    pub fn in_regions(self, regions: Vec<String>) -> Self {
        Self { regions, ..self }
    }

    /// Those that are meant, of all that a provider has listed. What has no region is in all of
    /// them.
    ///
    /// Every provider ends its list with this, so that all mean the same by a scope. Give it
    /// everything that was found: what is left out cannot protect the rest of its run.
    #[must_use]
    pub fn select(&self, found: Vec<Resource>) -> Vec<Resource> {
        let needed: HashSet<(RunId, Option<String>)> = found
            .iter()
            .filter(|resource| self.due.is_past(resource) == Some(false))
            .filter_map(|resource| Some((resource.run_id.clone()?, resource.region.clone())))
            .collect();
        let is_needed = |resource: &Resource| {
            let run = resource.run_id.clone();
            run.is_some_and(|run| needed.contains(&(run, resource.region.clone())))
        };
        found
            .into_iter()
            .filter(|resource| {
                self.covers(resource)
                    && self.due.is_past(resource) == Some(true)
                    && !is_needed(resource)
            })
            .collect()
    }

    /// Whether run and region are those that are meant.
    fn covers(&self, resource: &Resource) -> bool {
        let in_region = |region: &String| self.regions.contains(region);
        self.run.as_ref().is_none_or(|run| resource.run_id.as_ref() == Some(run))
            && (self.regions.is_empty() || resource.region.as_ref().is_none_or(in_region))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::ProviderName;

    const NOW: i64 = 1_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn resource(run: Option<&str>, region: Option<&str>, times: [Option<i64>; 2]) -> Resource {
        Resource {
            provider: ProviderName::new("cloud").unwrap(),
            kind: "instance".to_owned(),
            id: "i-1".to_owned(),
            name: String::new(),
            run_id: run.map(|run| RunId::new(run).unwrap()),
            region: region.map(str::to_owned),
            created_at: times[0].map(at),
            expires_at: times[1].map(at),
            per_hour: None,
        }
    }

    #[test]
    fn the_youngest_part_of_a_run_decides_in_its_region_alone() {
        let old = resource(Some("r1"), Some("a"), [Some(1), Some(2)]);
        let young = resource(Some("r1"), Some("a"), [Some(NOW + 1), Some(NOW + 2)]);
        let elsewhere = resource(Some("r1"), Some("b"), [Some(NOW + 1), Some(NOW + 2)]);
        let other = resource(Some("r2"), Some("a"), [Some(NOW + 1), Some(NOW + 2)]);
        for due in [Due::ExpiredBy(at(NOW)), Due::MadeBefore(at(NOW))] {
            let scope = Scope::due(due);
            let selected = |more: &Resource| scope.select(vec![old.clone(), more.clone()]);
            assert_eq!(selected(&young), [], "{due:?}");
            assert_eq!(selected(&elsewhere), std::slice::from_ref(&old), "{due:?}");
            assert_eq!(selected(&other), std::slice::from_ref(&old), "{due:?}");
        }
    }

    #[test]
    fn what_does_not_tell_its_age_is_meant_only_where_age_does_not_matter() {
        let silent = resource(Some("r1"), None, [None, None]);
        let old = resource(Some("r1"), None, [Some(1), Some(2)]);
        let found = vec![silent.clone(), old.clone()];
        assert_eq!(Scope::all().select(found.clone()), found);
        for due in [Due::ExpiredBy(at(NOW)), Due::MadeBefore(at(NOW))] {
            assert_eq!(
                Scope::due(due).select(found.clone()),
                std::slice::from_ref(&old),
                "{due:?}"
            );
        }
    }

    #[test]
    fn what_has_no_region_is_in_all_of_them() {
        let found = vec![
            resource(None, None, [None, None]),
            resource(None, Some("a"), [None, None]),
            resource(None, Some("b"), [None, None]),
        ];
        let scope = Scope::all().in_regions(vec!["a".to_owned()]);
        assert_eq!(scope.select(found.clone()), found[..2]);
    }

    fn resources() -> impl Strategy<Value = Vec<Resource>> {
        let text =
            |words: &'static [&'static str]| proptest::option::of(proptest::sample::select(words));
        let time = || proptest::option::of(NOW - 3..NOW + 3);
        let one = (text(&["r1", "r2", "r3"]), text(&["a", "b"]), time(), time())
            .prop_map(|(run, region, made, expires)| resource(run, region, [made, expires]));
        proptest::collection::vec(one, 0..12)
    }

    proptest! {
        /// Whatever exists: nothing is meant that has not expired, that does not say when it
        /// does, that is of another run or region, or whose run still needs something there.
        #[test]
        fn what_is_needed_is_never_meant(
            found in resources(), by_expiry in any::<bool>(), one_run in any::<bool>(),
            one_region in any::<bool>(),
        ) {
            let due = if by_expiry { Due::ExpiredBy(at(NOW)) } else { Due::MadeBefore(at(NOW)) };
            let scope = Scope {
                run: one_run.then(|| RunId::new("r1").unwrap()),
                regions: if one_region { vec!["a".to_owned()] } else { Vec::new() },
                due,
            };
            let time = |resource: &Resource| {
                if by_expiry { resource.expires_at } else { resource.created_at }
            };
            let selected = scope.select(found.clone());
            for meant in &selected {
                prop_assert!(time(meant).is_some_and(|time| time < at(NOW)), "{meant:?}");
                prop_assert!(!one_run || meant.run_id.as_ref().is_some_and(|id| id.as_str() == "r1"));
                prop_assert!(!one_region || meant.region.as_deref() != Some("b"));
                for other in found.iter().filter(|other| {
                    other.run_id.is_some() && other.run_id == meant.run_id && other.region == meant.region
                }) {
                    prop_assert!(time(other).is_none_or(|time| time < at(NOW)), "{other:?}");
                }
            }
            // What nobody needs is meant: of a run that is over in all its parts nothing stays.
            for resource in found.iter().filter(|resource| resource.run_id.is_none()) {
                let over = time(resource).is_some_and(|time| time < at(NOW));
                let there = !one_region || resource.region.as_deref() != Some("b");
                prop_assert_eq!(selected.contains(resource), over && there && !one_run);
            }
        }
    }
}
