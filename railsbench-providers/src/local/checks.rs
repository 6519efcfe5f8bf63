//! Preflight: the start-up script itself, told to look and not to touch, so that the look and
//! the preparation cannot disagree.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use railsbench_core::provider::{Check, Outcome, Preflight, ProviderError, UserData};
use tempfile::NamedTempFile;

use super::api;
use super::naming::provider_name;

/// Longest that the look may take; each Ruby on the host is asked for its version.
const PATIENCE: Duration = Duration::from_mins(2);

/// Runs the script in the folder that the machines will be in, or its nearest parent that exists.
pub(super) async fn run(script: &UserData, state_dir: &Path) -> Result<Preflight, ProviderError> {
    // It is readable by its owner only, and removed when dropped.
    let mut file = NamedTempFile::with_prefix("railsbench-").map_err(|error| failure(&error))?;
    file.write_all(script.expose().as_bytes()).map_err(|error| failure(&error))?;
    let folder = state_dir.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    let mut command = api::shell(file.path());
    command.env("RAILSBENCH_PREFLIGHT", "1").current_dir(folder).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output())
        .await
        .map_err(|_| failure(&format!("no answer within {} s", PATIENCE.as_secs())))?;
    let output = match output {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Preflight { checks: vec![no_shell()] });
        }
        other => other.map_err(|error| failure(&error))?,
    };
    let said = String::from_utf8_lossy(&output.stdout);
    match said.lines().map(check).collect::<Option<Vec<Check>>>() {
        Some(checks) if output.status.success() && !checks.is_empty() => Ok(Preflight { checks }),
        _ => Err(failure(&format!(
            "the script ended with {} and said: {said}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ))),
    }
}

fn failure(detail: &impl ToString) -> ProviderError {
    ProviderError::Call {
        provider: provider_name(),
        action: "looking at this host".to_owned(),
        detail: detail.to_string(),
    }
}

fn no_shell() -> Check {
    Check {
        name: "tools".to_owned(),
        outcome: Outcome::Failed {
            problem: "sh is not on PATH".to_owned(),
            fix: "put the folder of a POSIX shell on PATH".to_owned(),
        },
    }
}

/// A line of the script's report.
fn check(line: &str) -> Option<Check> {
    let mut parts = line.splitn(4, '\t').map(str::to_owned);
    let (outcome, name, found, next) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let outcome = match outcome.as_str() {
        "passed" => Outcome::Passed { detail: found },
        "needs_consent" => Outcome::NeedsConsent { problem: found, command: next },
        "failed" => Outcome::Failed { problem: found, fix: next },
        _ => return None,
    };
    Some(Check { name, outcome })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_checks_and_others_are_not_overlooked() {
        let found = check("failed\truby\tnone\tinstall it").unwrap();
        assert_eq!(found.name, "ruby");
        assert_eq!(
            found.outcome,
            Outcome::Failed { problem: "none".to_owned(), fix: "install it".to_owned() }
        );
        assert!(matches!(check("passed\ta\tb\t").unwrap().outcome, Outcome::Passed { .. }));
        assert!(check("sh: 1: oops").is_none());
        assert!(check("passed\ta\tb").is_none());
    }

    #[tokio::test]
    async fn a_script_that_says_anything_else_is_an_error() {
        for script in ["echo oops", "exit 1", "true", "printf 'passed\\ta\\tb\\t\\n'; exit 1"] {
            let script = UserData::new(script.to_owned(), "secret".to_owned().into());
            let error = run(&script, Path::new("/nonexistent/state")).await.unwrap_err();
            assert!(error.to_string().contains("looking at this host"), "{error}");
        }
    }
}
