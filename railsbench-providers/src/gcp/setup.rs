//! What is found of Google Cloud's settings without a call: the Application Default Credentials,
//! and the project.

use std::path::Path;

use railsbench_core::provider::{ProviderError, Setting, Setup};
use serde_json::Value;

use super::credentials::FIX;
use super::settings::Settings;
use crate::firmware;

const CREDENTIALS: &str = "credentials";
const PROJECT: &str = "project";

/// What decides whether the metadata service would be asked.
#[derive(Clone, Copy)]
pub(super) struct Surroundings {
    /// `GOOGLE_APPLICATION_CREDENTIALS` names a file, and so nothing else is looked at.
    pub(super) names_file: bool,
    /// This host is an instance of Compute Engine, or `GCE_METADATA_HOST` names the service.
    pub(super) has_metadata: bool,
}

impl Surroundings {
    /// Those of this process and host.
    pub(super) fn real() -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        Self {
            names_file: is_set("GOOGLE_APPLICATION_CREDENTIALS"),
            has_metadata: is_set("GCE_METADATA_HOST")
                || firmware::any_contains(&["product_name"], "google compute engine"),
        }
    }
}

/// What is found; `given` says that the program has its own source of tokens.
pub(super) fn setup(settings: &Settings, given: bool, surroundings: Surroundings) -> Setup {
    let credentials = if given {
        Setting::found(CREDENTIALS, "those that the program gave")
    } else {
        credentials(settings.credentials_file.as_deref(), surroundings)
    };
    let project = match settings.project() {
        Ok(project) => Setting::found(PROJECT, project),
        Err(ProviderError::Credentials { problem, fix, .. }) => {
            Setting::missing(PROJECT, problem, fix)
        }
        Err(error) => Setting::missing(PROJECT, error.to_string(), FIX),
    };
    Setup { settings: vec![credentials, project] }
}

fn credentials(file: Option<&Path>, surroundings: Surroundings) -> Setting {
    let missing = |problem: String| {
        let fix = format!("{FIX}; docs/providers/gcp.md says which role they need");
        Setting::missing(CREDENTIALS, problem, fix)
    };
    let Some(file) = file else {
        return if surroundings.has_metadata {
            metadata()
        } else {
            missing("there is no home folder that could hold credentials".to_owned())
        };
    };
    let shown = file.display();
    match std::fs::read_to_string(file) {
        Ok(text) => {
            let kind = serde_json::from_str::<Value>(&text)
                .ok()
                .and_then(|file| file["type"].as_str().map(|kind| kind.replace('_', " ")));
            match kind {
                Some(kind) => Setting::found(CREDENTIALS, format!("{shown} ({kind})")),
                None => missing(format!("{shown} is not a credentials file")),
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !surroundings.names_file => {
            if surroundings.has_metadata {
                metadata()
            } else {
                missing(format!(
                    "GOOGLE_APPLICATION_CREDENTIALS is not set, and there is no {shown}"
                ))
            }
        }
        Err(error) => missing(format!("{shown} cannot be read: {error}")),
    }
}

fn metadata() -> Setting {
    Setting::unasked(CREDENTIALS, "the service account of this Compute Engine instance")
}

#[cfg(test)]
mod tests {
    use railsbench_core::provider::SettingState;

    use super::*;

    const NOWHERE: Surroundings = Surroundings { names_file: false, has_metadata: false };

    fn of(file: &Path, surroundings: Surroundings) -> Vec<Setting> {
        let settings = Settings {
            credentials_file: Some(file.to_owned()),
            ..Settings::from_variables(|_| None)
        };
        let setup = setup(&settings, false, surroundings);
        assert!(!format!("{setup:?}").contains("hush"), "{setup:?}");
        setup.settings
    }

    fn problem(setting: &Setting) -> String {
        match &setting.state {
            SettingState::Missing { problem, fix } => format!("{problem}; {fix}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_is_named_with_its_kind_and_its_project() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.json");
        let text = r#"{"type": "service_account", "project_id": "bench", "private_key": "hush"}"#;
        std::fs::write(&file, text).unwrap();
        let settings = of(&file, NOWHERE);
        let detail = format!("{} (service account)", file.display());
        assert_eq!(settings[0], Setting::found(CREDENTIALS, detail));
        assert_eq!(settings[1], Setting::found(PROJECT, "bench"));
        std::fs::write(&file, "hush").unwrap();
        let settings = of(&file, NOWHERE);
        assert!(problem(&settings[0]).contains("is not a credentials file; run `gcloud auth"));
        assert!(problem(&settings[1]).contains("set GOOGLE_CLOUD_PROJECT"));
    }

    #[test]
    fn without_a_file_only_an_instance_of_google_has_credentials() {
        let folder = tempfile::tempdir().unwrap();
        let none = folder.path().join("none.json");
        let said = problem(&of(&none, NOWHERE)[0]);
        assert!(said.starts_with("GOOGLE_APPLICATION_CREDENTIALS is not set"), "{said}");
        let at_google = Surroundings { has_metadata: true, ..NOWHERE };
        assert_eq!(of(&none, at_google)[0], metadata());
        let named = Surroundings { names_file: true, has_metadata: true };
        assert!(problem(&of(&none, named)[0]).contains("none.json cannot be read"));
        let homeless = Settings::from_variables(|_| None);
        assert_eq!(setup(&homeless, false, at_google).settings[0], metadata());
        assert!(problem(&setup(&homeless, false, NOWHERE).settings[0]).contains("home folder"));
        let given = setup(&homeless, true, NOWHERE).settings.remove(0);
        assert_eq!(given, Setting::found(CREDENTIALS, "those that the program gave"));
    }
}
