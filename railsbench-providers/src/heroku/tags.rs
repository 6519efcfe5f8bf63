//! Tags of apps. Heroku has none, so each is a config var: `railsbench-run` is `RAILSBENCH_RUN`.

use railsbench_core::id::RunId;
use secrecy::ExposeSecret;

use super::api::ConfigVars;
use crate::vm::tags::Tags;

/// Whose an app with a name like ours is, by its config vars.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A run's.
    Run(RunId),
    /// Ours, but it does not say of which run: the process that made it died before it could set
    /// the config vars.
    SomeRun,
    /// Not ours.
    Other,
}

/// The config var that a tag is.
fn variable(tag: &str) -> String {
    tag.to_uppercase().replace('-', "_")
}

/// The config vars that tags are.
pub(super) fn as_config_vars(tags: &Tags) -> ConfigVars {
    tags.pairs().into_iter().map(|(tag, value)| (variable(tag), value.into())).collect()
}

/// The tags of an app; `None` if it has none of ours.
pub(super) fn read(vars: &ConfigVars) -> Option<Tags> {
    Tags::read(|tag| vars.get(&variable(tag)).map(ExposeSecret::expose_secret))
}

/// Whose an app is that has a name like ours. One that has no config vars at all is ours: the
/// process that made it died before it could set them.
pub(super) fn owner(vars: &ConfigVars) -> Owner {
    match read(vars) {
        Some(tags) => tags.run_id.map_or(Owner::SomeRun, Owner::Run),
        None if vars.is_empty() => Owner::SomeRun,
        None => Owner::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;

    #[test]
    fn tags_are_read_back_from_config_vars() {
        let run_id = RunId::new("r1").unwrap();
        let tags = Tags::new(&run_id, Timestamp::UNIX_EPOCH, Duration::from_hours(1));
        let vars = as_config_vars(&tags);
        assert_eq!(vars["RAILSBENCH"].expose_secret(), "true");
        assert_eq!(vars["RAILSBENCH_RUN"].expose_secret(), "r1");
        assert_eq!(vars["RAILSBENCH_EXPIRES"].expose_secret(), "1970-01-01T01:00:00Z");
        assert_eq!(read(&vars), Some(tags));
    }

    #[test]
    fn an_app_is_ours_by_its_tags_or_by_having_nothing_at_all() {
        let vars = |pairs: &[(&str, &str)]| -> ConfigVars {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
        };
        let run = |id: &str| Owner::Run(RunId::new(id).unwrap());
        let tagged = vars(&[("RAILSBENCH", "true"), ("RAILSBENCH_RUN", "r2")]);
        assert_eq!(owner(&tagged), run("r2"));
        assert_eq!(owner(&vars(&[])), Owner::SomeRun);
        let damaged = vars(&[("RAILSBENCH", "true"), ("RAILSBENCH_RUN", "r/2")]);
        assert_eq!(owner(&damaged), Owner::SomeRun);
        let strange = vars(&[("DATABASE_URL", "x")]);
        assert_eq!(owner(&strange), Owner::Other);
    }
}
