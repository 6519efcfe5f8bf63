//! How a command ends: the documented exit codes, and the errors that lead to them.

use std::fmt;
use std::process::ExitCode;

use railsbench::client::ClientError;
use railsbench::collect::CollectError;
use railsbench::config::{ConfigError, FieldError};
use railsbench::orchestrator::ConnectError;
use railsbench::provider::ProviderError;
use railsbench::report::ReportError;
use railsbench::{CampaignError, ErrorClass, StateError};
use serde::Serialize;

/// The exit codes, as `--help` documents them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All went well.
    Ok = 0,
    /// The run ended, but some task failed or was cancelled; or some of what was to be removed is
    /// left.
    TaskFailed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// Something outside is missing or does not answer.
    Environment = 3,
    /// railsbench itself failed.
    Internal = 4,
    /// Ctrl-C or SIGTERM.
    Interrupted = 130,
}

impl Exit {
    /// The number that the process ends with.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    /// What happened, to what, and the fix; more lines for more problems.
    detail: String,
    /// The wrong fields of a configuration.
    errors: Vec<FieldError>,
}

/// A failure as `--json` prints it.
#[derive(Serialize)]
struct FailureBody<'a> {
    error: &'static str,
    exit_code: u8,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
}

impl Failure {
    /// The command line asks for something that cannot be.
    pub fn usage(detail: impl Into<String>) -> Self {
        Self::new(Exit::Usage, detail)
    }

    /// Something outside is missing or does not answer.
    pub fn environment(detail: impl Into<String>) -> Self {
        Self::new(Exit::Environment, detail)
    }

    /// railsbench itself failed.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(Exit::Internal, detail)
    }

    /// The operator said no, or pressed Ctrl-C before anything was made.
    pub fn interrupted(detail: impl Into<String>) -> Self {
        Self::new(Exit::Interrupted, detail)
    }

    /// The reader of our output went away: nobody is left to be told anything.
    pub fn broken_pipe() -> Self {
        Self::new(Exit::Ok, "")
    }

    fn new(exit: Exit, detail: impl Into<String>) -> Self {
        Self { exit, detail: detail.into(), errors: Vec::new() }
    }

    /// A run that was interrupted because of this has not gone well, even if nobody is left to
    /// be told.
    pub fn of_interrupted_run(mut self) -> Self {
        if self.exit == Exit::Ok {
            self.exit = Exit::Interrupted;
        }
        self
    }

    /// What the process ends with.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// The short name of the kind of failure, for programs.
    fn name(&self) -> &'static str {
        match self.exit {
            Exit::Ok | Exit::TaskFailed => "ended",
            Exit::Usage if self.errors.is_empty() => "usage",
            Exit::Usage => "invalid_config",
            Exit::Environment => "environment",
            Exit::Internal => "internal",
            Exit::Interrupted => "interrupted",
        }
    }

    /// One line of JSON.
    pub fn to_json(&self) -> serde_json::Value {
        let body = FailureBody {
            error: self.name(),
            exit_code: self.exit.code(),
            detail: &self.detail,
            errors: &self.errors,
        };
        serde_json::to_value(body).unwrap_or_default()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let detail = error.to_string();
        Self { exit: Exit::Usage, detail, errors: error.errors }
    }
}

impl From<CampaignError> for Failure {
    fn from(error: CampaignError) -> Self {
        let exit = match error.class() {
            ErrorClass::Config => Exit::Usage,
            ErrorClass::Environment => Exit::Environment,
            ErrorClass::Internal => Exit::Internal,
        };
        let detail = error.to_string();
        let errors = match error {
            CampaignError::Config(error) => error.errors,
            CampaignError::Client(ClientError::Refused(problem)) => problem.errors,
            _ => Vec::new(),
        };
        Self { exit, detail, errors }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = match (&error, error.status()) {
            (ClientError::Url { .. } | ClientError::Ca { .. }, _) | (_, Some(404 | 409 | 422)) => {
                Exit::Usage
            }
            (ClientError::Answer { .. }, _) => Exit::Internal,
            _ => Exit::Environment,
        };
        let errors = match &error {
            ClientError::Refused(problem) => problem.errors.clone(),
            _ => Vec::new(),
        };
        Self { exit, detail: error.to_string(), errors }
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        Self::environment(error.to_string())
    }
}

impl From<CollectError> for Failure {
    fn from(error: CollectError) -> Self {
        match error {
            CollectError::Client(error) => error.into(),
            error => Self::environment(error.to_string()),
        }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Client(error) => error.into(),
            error => Self::environment(error.to_string()),
        }
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        Self::environment(error.to_string())
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Self::environment(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_configuration_names_its_fields_in_json() {
        let error = railsbench::config::RunConfig::parse(r#"{"ruby_version": 3}"#).unwrap_err();
        let failure = Failure::from(error);
        assert_eq!(failure.exit(), Exit::Usage);
        let json = failure.to_json();
        assert_eq!(json["error"], "invalid_config");
        assert_eq!(json["exit_code"], 2);
        assert_eq!(json["errors"][0]["field"], "ruby_version");
    }
}
