//! What a runner is told by its environment: five variables, in one spelling on every provider,
//! and a few optional ones.
//!
//! Everything that is wrong is reported at once, so that a machine that starts for the first
//! time needs to be looked at once.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use railsbench_core::id::{InstanceType, ProviderName, RunId, RunnerId};
use railsbench_core::loopback::is_loopback;
use railsbench_core::provider::CaCertificate;
use secrecy::SecretString;
use url::Url;

/// Where the orchestrator answers, e.g. `https://bench.example.com`.
pub const ORCHESTRATOR_URL: &str = "ORCHESTRATOR_URL";
/// The token of the run.
pub const API_KEY: &str = "API_KEY";
/// The run.
pub const RUN_ID: &str = "RUN_ID";
/// The provider of this machine.
pub const PROVIDER: &str = "PROVIDER";
/// The instance type of this machine.
pub const INSTANCE_TYPE: &str = "INSTANCE_TYPE";
/// Optional: this runner's name; a new one is made for each process otherwise.
pub const RUNNER_ID: &str = "RUNNER_ID";
/// Optional: the runner ends after so many seconds.
pub const MAX_LIFETIME_SECONDS: &str = "MAX_LIFETIME_SECONDS";
/// Optional: folder for the files of tasks; a temporary one otherwise.
pub const RAILSBENCH_WORKDIR: &str = "RAILSBENCH_WORKDIR";
/// Optional: name of the image this machine was started from, reported as a fact.
pub const RAILSBENCH_IMAGE: &str = "RAILSBENCH_IMAGE";
/// Optional: file with the certificate of the orchestrator's own CA, in PEM. Then no other is
/// trusted when the orchestrator is called.
pub const RAILSBENCH_CA_FILE: &str = "RAILSBENCH_CA_FILE";
/// Optional: `true` lets the orchestrator be called by plain http over a network.
pub const RAILSBENCH_ALLOW_PLAIN_HTTP: &str = "RAILSBENCH_ALLOW_PLAIN_HTTP";

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct RunnerConfig {
    /// Where the orchestrator answers: `http` or `https`, without user, query or fragment.
    pub orchestrator_url: Url,
    /// Token of scope `run`.
    pub api_key: SecretString,
    /// The run.
    pub run_id: RunId,
    /// The provider of this machine: sent to the orchestrator, never looked at.
    pub provider: ProviderName,
    /// The instance type of this machine: likewise.
    pub instance_type: InstanceType,
    /// This runner's name.
    pub runner_id: RunnerId,
    /// The runner ends after so long.
    pub max_lifetime: Option<Duration>,
    /// Folder for the files of tasks; a temporary one if absent.
    pub workdir: Option<PathBuf>,
    /// Name of the image this machine was started from.
    pub image: Option<String>,
    /// The only CA that is trusted when the orchestrator is called; those of the system if
    /// absent.
    pub ca_certificate: Option<CaCertificate>,
}

/// One variable that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableError {
    /// Its name.
    pub variable: &'static str,
    /// What is wrong with it, without its value where that is secret.
    pub problem: String,
}

/// Everything that is wrong with the environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// At least one.
    pub variables: Vec<VariableError>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the runner cannot start; set these environment variables:")?;
        for VariableError { variable, problem } in &self.variables {
            write!(f, "\n  {variable}: {problem}")?;
        }
        Ok(())
    }
}

impl RunnerConfig {
    /// Reads the configuration from variables, as `lookup` gives them; empty is absent.
    ///
    /// # Errors
    /// [`ConfigError`] naming every variable that is missing or invalid.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader { lookup, errors: Vec::new() };
        let plain_http = reader.optional(RAILSBENCH_ALLOW_PLAIN_HTTP, boolean).unwrap_or(false);
        let orchestrator_url =
            reader.required(ORCHESTRATOR_URL, |text| orchestrator_url(text, plain_http));
        let api_key = reader.required(API_KEY, api_key);
        let run_id = reader.required(RUN_ID, parse::<RunId>);
        let provider = reader.required(PROVIDER, parse::<ProviderName>);
        let instance_type = reader.required(INSTANCE_TYPE, parse::<InstanceType>);
        let runner_id = reader.optional(RUNNER_ID, parse::<RunnerId>);
        let max_lifetime = reader.optional(MAX_LIFETIME_SECONDS, seconds);
        let workdir = reader.optional(RAILSBENCH_WORKDIR, |text| Ok(PathBuf::from(text)));
        let image = reader.optional(RAILSBENCH_IMAGE, |text| Ok(text.to_owned()));
        let ca_certificate = reader.optional(RAILSBENCH_CA_FILE, ca_certificate);
        let runner_id = match runner_id {
            Some(id) => Some(id),
            None => RunnerId::new(format!("runner-{:016x}", rand::random::<u64>())).ok(),
        };
        match (orchestrator_url, api_key, run_id, provider, instance_type, runner_id) {
            (
                Some(orchestrator_url),
                Some(api_key),
                Some(run_id),
                Some(provider),
                Some(instance_type),
                Some(runner_id),
            ) if reader.errors.is_empty() => Ok(Self {
                orchestrator_url,
                api_key,
                run_id,
                provider,
                instance_type,
                runner_id,
                max_lifetime,
                workdir,
                image,
                ca_certificate,
            }),
            _ => Err(ConfigError { variables: reader.errors }),
        }
    }
}

struct Reader<L> {
    lookup: L,
    errors: Vec<VariableError>,
}

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    fn required<T>(
        &mut self,
        variable: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if (self.lookup)(variable).is_none_or(|text| text.is_empty()) {
            self.errors.push(VariableError { variable, problem: "it is not set".to_owned() });
            return None;
        }
        self.optional(variable, parse)
    }

    fn optional<T>(
        &mut self,
        variable: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = (self.lookup)(variable).filter(|text| !text.is_empty())?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.errors.push(VariableError { variable, problem });
                None
            }
        }
    }
}

fn parse<T: FromStr<Err: fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn boolean(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "it is neither true nor false".to_owned())
}

fn ca_certificate(path: &str) -> Result<CaCertificate, String> {
    std::fs::read_to_string(path)
        .map_err(|error| format!("{path} cannot be read: {error}"))?
        .parse()
        .map_err(|error| format!("{path} is no CA certificate: {error}"))
}

fn orchestrator_url(text: &str, plain_http: bool) -> Result<Url, String> {
    let example = "write it like https://bench.example.com";
    let url = Url::parse(text).map_err(|error| format!("it is not a URL ({error}); {example}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(format!("it is neither an http nor an https URL; {example}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("it holds a user name or password; put the token into {API_KEY}"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("it has a query or fragment; {example}"));
    }
    if url.scheme() == "http" && !is_loopback(&url) && !plain_http {
        return Err(format!(
            "it is plain http to another machine, and the token would be there for all to read; \
             use https, or set {RAILSBENCH_ALLOW_PLAIN_HTTP}=true where only you can listen"
        ));
    }
    Ok(url)
}

fn api_key(text: &str) -> Result<SecretString, String> {
    if text.chars().all(|character| character.is_ascii_graphic()) {
        Ok(SecretString::from(text.to_owned()))
    } else {
        Err("it holds characters that a token never has, such as a blank or a line end".to_owned())
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(seconds @ 1..=31_536_000) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("{text:?} is not a whole number of seconds from 1 to 31536000 (a year)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(changes: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        let mut all = vec![
            (ORCHESTRATOR_URL, "https://bench.example.com/base"),
            (API_KEY, "s3cret-token"),
            (RUN_ID, "r1"),
            (PROVIDER, "aws"),
            (INSTANCE_TYPE, "c7g.medium"),
        ];
        all.extend(changes.iter().copied().map(|(name, value)| {
            let name: &'static str = name.to_owned().leak();
            let value: &'static str = value.to_owned().leak();
            (name, value)
        }));
        move |name| {
            all.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn the_five_variables_are_enough_and_the_token_is_not_shown() {
        let config = RunnerConfig::from_variables(variables(&[])).unwrap();
        assert_eq!(config.orchestrator_url.as_str(), "https://bench.example.com/base");
        assert_eq!(config.max_lifetime, None);
        assert!(config.runner_id.as_str().starts_with("runner-"));
        assert!(!format!("{config:?}").contains("s3cret"));
        let other = RunnerConfig::from_variables(variables(&[])).unwrap();
        assert_ne!(config.runner_id, other.runner_id);
    }

    #[test]
    fn plain_http_stays_on_this_machine_unless_it_is_allowed() {
        let url = |changes: &[(&str, &str)]| {
            RunnerConfig::from_variables(variables(changes)).map(|config| config.orchestrator_url)
        };
        for own in ["http://localhost:4567/", "http://127.0.0.9", "http://[::1]:80/base"] {
            url(&[(ORCHESTRATOR_URL, own)]).unwrap();
        }
        let far = (ORCHESTRATOR_URL, "http://bench.example.com");
        url(&[far, (RAILSBENCH_ALLOW_PLAIN_HTTP, "true")]).unwrap();
        url(&[far, (RAILSBENCH_ALLOW_PLAIN_HTTP, "false")]).unwrap_err();
    }

    #[test]
    fn every_missing_variable_is_named_at_once() {
        let error = RunnerConfig::from_variables(|_| None).unwrap_err();
        let named: Vec<_> = error.variables.iter().map(|error| error.variable).collect();
        assert_eq!(named, [ORCHESTRATOR_URL, API_KEY, RUN_ID, PROVIDER, INSTANCE_TYPE]);
        assert!(error.to_string().contains("RUN_ID: it is not set"), "{error}");
    }

    #[test]
    fn invalid_values_are_named_and_secrets_kept() {
        for (variable, value, hint) in [
            (ORCHESTRATOR_URL, "bench.example.com", "not a URL"),
            (ORCHESTRATOR_URL, "ftp://bench.example.com", "neither an http"),
            (ORCHESTRATOR_URL, "https://me:pw@bench.example.com", "user name"),
            (ORCHESTRATOR_URL, "https://bench.example.com/?a=b", "query"),
            (API_KEY, "s3cret token", "blank"),
            (RUN_ID, "a/b", "run id"),
            (PROVIDER, "AWS", "provider"),
            (INSTANCE_TYPE, "", "not set"),
            (RUNNER_ID, "-x", "runner id"),
            (MAX_LIFETIME_SECONDS, "1h", "whole number"),
            (MAX_LIFETIME_SECONDS, "0", "whole number"),
            (ORCHESTRATOR_URL, "http://bench.example.com", "plain http"),
            (ORCHESTRATOR_URL, "http://10.0.0.7:8080/", "RAILSBENCH_ALLOW_PLAIN_HTTP=true"),
            (RAILSBENCH_ALLOW_PLAIN_HTTP, "yes", "neither true nor false"),
            (RAILSBENCH_CA_FILE, "/nowhere/ca.pem", "/nowhere/ca.pem cannot be read"),
            (RAILSBENCH_CA_FILE, "/dev/null", "no CA certificate: it holds no certificate"),
        ] {
            let error = RunnerConfig::from_variables(variables(&[(variable, value)])).unwrap_err();
            assert_eq!(error.variables.len(), 1, "{error}");
            assert_eq!(error.variables[0].variable, variable);
            assert!(error.variables[0].problem.contains(hint), "{error}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }
}
