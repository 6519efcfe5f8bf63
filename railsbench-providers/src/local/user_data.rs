//! The start-up script: prepares this host, then runs the runner.

use std::sync::LazyLock;
use std::time::Duration;

use railsbench_core::provider::{RenderError, ScriptTemplates, UserData, UserDataVars};
use serde_json::json;

use super::folder::{EXIT_STATUS, STARTED};
use crate::templates::{CA, ENVIRONMENT};

/// What the script exits with if the host could not be prepared.
pub(super) const UNPREPARED: i32 = 69;

/// What the script exits with if the runner outlived its time; `timeout` of coreutils says so.
pub(super) const TIMED_OUT: i32 = 124;

/// The runner ends itself; only one that hangs is ended from outside, this much later.
pub(super) const GRACE: Duration = Duration::from_mins(1);

/// What a runner that is told to end may take to do it.
pub(super) const KILL_AFTER: Duration = Duration::from_secs(15);

static TEMPLATES: LazyLock<ScriptTemplates> = LazyLock::new(|| {
    ScriptTemplates::new(&[
        ENVIRONMENT,
        CA,
        ("ruby", include_str!("ruby.sh.hbs")),
        ("script", include_str!("user_data.sh.hbs")),
    ])
    .expect("these texts are compiled in, and a test renders them")
});

pub(super) fn render(vars: &UserDataVars) -> Result<UserData, RenderError> {
    let timeout = vars.max_lifetime.saturating_add(GRACE);
    let more = json!({
        "unprepared": UNPREPARED,
        "timeout_seconds": timeout.as_secs(),
        "kill_after_seconds": KILL_AFTER.as_secs(),
        "started": STARTED,
        "exit_status": EXIT_STATUS,
    });
    TEMPLATES.render("script", vars, more)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use railsbench_core::config::RubyVersion;

    use super::*;
    use crate::testing;

    fn vars(ruby_version: Option<RubyVersion>) -> UserDataVars {
        UserDataVars {
            orchestrator_url: "http://127.0.0.1:4567/".to_owned(),
            ruby_version,
            runner: Some("/opt/rails bench/railsbench-runner".to_owned()),
            ..testing::vars("local", "host")
        }
    }

    fn check(program: &str, arguments: &[&str], script: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("user-data.sh");
        std::fs::write(&path, script).unwrap();
        let output = Command::new(program)
            .args(arguments)
            .arg(&path)
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| {
                panic!("this test needs {program} ({error}); apt-get install {program}")
            });
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    }

    #[test]
    fn the_script_is_as_reviewed() {
        insta::assert_snapshot!(render(&vars(Some(RubyVersion::System))).unwrap().redacted());
    }

    #[test]
    fn the_shell_and_shellcheck_find_no_fault() {
        let versions =
            [None, Some(RubyVersion::System), Some(RubyVersion::Version("3.3".to_owned()))];
        for version in versions {
            let script = render(&vars(version)).unwrap();
            check("sh", &["-n"], script.expose());
            check("shellcheck", &["--shell=sh", "--severity=style"], script.expose());
        }
    }

    #[test]
    fn line_breaks_in_values_are_refused() {
        let hostile = UserDataVars { runner: Some("a\nb".to_owned()), ..vars(None) };
        assert!(matches!(render(&hostile), Err(RenderError::Value { field: "runner", .. })));
    }

    proptest::proptest! {
        /// Whatever the values hold, a real shell reads them back as they are.
        #[test]
        fn no_value_breaks_out_of_the_script(
            url in "[^\\p{Cc}]{0,40}", key in "[\"$`'\\\\();&|<>*? !#~%a-z{}]{0,40}",
            runner in "[^\\p{Cc}]{0,40}",
        ) {
            let vars = UserDataVars {
                orchestrator_url: url.clone(),
                api_key: key.clone().into(),
                runner: Some(runner.clone()),
                ..vars(None)
            };
            let script = render(&vars).unwrap();
            let (head, _) = script.expose().split_once("\npreflight=").unwrap();
            let echo = "\nprintf '%s\\0' \"$ORCHESTRATOR_URL\" \"$API_KEY\" \"$runner\"";
            let output = Command::new("sh").arg("-c").arg(format!("{head}{echo}")).output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            proptest::prop_assert_eq!(said, format!("{url}\0{key}\0{runner}\0"));
        }
    }
}
