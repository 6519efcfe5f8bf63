//! What the operator's environment says of Google Cloud: where, in which project, on which
//! network.

use std::path::PathBuf;

use railsbench_core::provider::ProviderError;
use serde_json::Value;

use super::naming::provider_name;

/// Where the Compute Engine API is.
const ENDPOINT: &str = "https://compute.googleapis.com/compute/v1/";

/// The network that every new project has.
const NETWORK: &str = "default";

/// What the operator's environment says of Google Cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Base URL of the Compute Engine API.
    pub endpoint: String,
    /// The project; that of the credentials if absent.
    pub project: Option<String>,
    /// The VPC network that machines are in. It must make its subnetworks by itself.
    pub network: String,
    /// The file of the Application Default Credentials, to read the project from.
    pub credentials_file: Option<PathBuf>,
}

impl Settings {
    /// Reads `GOOGLE_CLOUD_PROJECT` (or, as gcloud does, `CLOUDSDK_CORE_PROJECT`),
    /// `RAILSBENCH_GCP_NETWORK`, `CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE`, and
    /// `GOOGLE_APPLICATION_CREDENTIALS` or `HOME`; an empty variable is absent.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let lookup = |name: &str| {
            lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let well_known = || {
            let home = PathBuf::from(lookup("HOME")?);
            Some(home.join(".config/gcloud/application_default_credentials.json"))
        };
        Self {
            endpoint: lookup("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE")
                .unwrap_or_else(|| ENDPOINT.to_owned()),
            project: lookup("GOOGLE_CLOUD_PROJECT").or_else(|| lookup("CLOUDSDK_CORE_PROJECT")),
            network: lookup("RAILSBENCH_GCP_NETWORK").unwrap_or_else(|| NETWORK.to_owned()),
            credentials_file: lookup("GOOGLE_APPLICATION_CREDENTIALS")
                .map(PathBuf::from)
                .or_else(well_known),
        }
    }

    /// The project: the one that is set, else that of the credentials.
    pub(super) fn project(&self) -> Result<String, ProviderError> {
        let project = self.project.clone().or_else(|| {
            let text = std::fs::read_to_string(self.credentials_file.as_ref()?).ok()?;
            project_of(&serde_json::from_str(&text).ok()?)
        });
        let missing = |problem: String| ProviderError::Credentials {
            provider: provider_name(),
            problem,
            fix: "set GOOGLE_CLOUD_PROJECT to the id of the project to make machines in".to_owned(),
        };
        let project = project
            .ok_or_else(|| missing("neither settings nor credentials name a project".to_owned()))?;
        if is_project(&project) {
            Ok(project)
        } else {
            Err(missing(format!("{project:?} cannot be the id of a project")))
        }
    }
}

/// The project that a credentials file names: that of a service account, or the one that an
/// authorised user's calls are counted for.
fn project_of(file: &Value) -> Option<String> {
    ["project_id", "quota_project_id"]
        .iter()
        .find_map(|name| file[name].as_str())
        .map(str::to_owned)
}

/// Whether a text can be a project's id, also one of a domain (`example.com:bench`). It becomes
/// a part of every path.
fn is_project(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.:".contains(c);
    (1..=128).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        Settings::from_variables(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn variables_are_read_and_empty_ones_are_absent() {
        let none = settings(&[("GOOGLE_CLOUD_PROJECT", " ")]);
        assert_eq!(none.endpoint, "https://compute.googleapis.com/compute/v1/");
        assert_eq!((none.project.as_deref(), none.network.as_str()), (None, "default"));
        let all = settings(&[
            ("CLOUDSDK_CORE_PROJECT", "bench"),
            ("RAILSBENCH_GCP_NETWORK", "quiet"),
            ("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", "http://127.0.0.1:1/compute/v1/"),
            ("HOME", "/home/me"),
        ]);
        assert_eq!(all.project.as_deref(), Some("bench"));
        assert_eq!((all.network.as_str(), all.endpoint.len()), ("quiet", 30));
        let file = "/home/me/.config/gcloud/application_default_credentials.json";
        assert_eq!(all.credentials_file, Some(PathBuf::from(file)));
    }

    #[test]
    fn the_project_is_the_one_set_or_that_of_the_credentials() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");
        let mut settings = settings(&[("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().unwrap())]);
        let error = settings.project().unwrap_err().to_string();
        assert!(error.contains("set GOOGLE_CLOUD_PROJECT"), "{error}");
        std::fs::write(&path, r#"{"type":"authorized_user","quota_project_id":"q-1"}"#).unwrap();
        assert_eq!(settings.project().unwrap(), "q-1");
        std::fs::write(&path, r#"{"type":"service_account","project_id":"p-1"}"#).unwrap();
        assert_eq!(settings.project().unwrap(), "p-1");
        settings.project = Some("example.com:p-2".to_owned());
        assert_eq!(settings.project().unwrap(), "example.com:p-2");
        settings.project = Some("../p".to_owned());
        assert!(settings.project().is_err());
    }
}
