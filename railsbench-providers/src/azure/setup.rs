//! What is found of Azure's settings without a call: credentials, and the subscription.

use std::ffi::OsString;
use std::path::PathBuf;

use railsbench_core::provider::{ProviderError, Setting, Setup};
use serde_json::Value;

use super::credentials::FIX;
use super::settings::{Credentials, Settings};

const CREDENTIALS: &str = "credentials";
const SUBSCRIPTION: &str = "subscription";

/// Where the Azure CLI is looked for.
pub(super) struct Surroundings {
    /// The folders of programs, as `PATH` has them.
    pub(super) path: OsString,
    /// The folder in which the Azure CLI keeps who is logged in.
    pub(super) cli_folder: Option<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    pub(super) fn real() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let home = || Some(PathBuf::from(set("HOME")?).join(".azure"));
        Self {
            path: set("PATH").unwrap_or_default(),
            cli_folder: set("AZURE_CONFIG_DIR").map(PathBuf::from).or_else(home),
        }
    }

    fn has_cli(&self) -> bool {
        std::env::split_paths(&self.path).any(|folder| folder.join("az").is_file())
    }

    /// Whether the Azure CLI knows subscriptions, as it does from a login to a logout.
    fn is_logged_in(&self) -> bool {
        let text = self
            .cli_folder
            .as_ref()
            .and_then(|folder| std::fs::read_to_string(folder.join("azureProfile.json")).ok());
        // The CLI writes it with a byte order mark.
        text.and_then(|text| {
            serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')).ok()
        })
        .and_then(|profile| Some(!profile["subscriptions"].as_array()?.is_empty()))
        .unwrap_or(false)
    }
}

pub(super) fn setup(settings: &Settings, surroundings: &Surroundings) -> Setup {
    let subscription = match settings.subscription() {
        Ok(id) => Setting::found(SUBSCRIPTION, id),
        Err(ProviderError::Credentials { problem, fix, .. }) => {
            Setting::missing(SUBSCRIPTION, problem, fix)
        }
        Err(error) => Setting::missing(SUBSCRIPTION, error.to_string(), FIX),
    };
    Setup { settings: vec![credentials(&settings.credentials, surroundings), subscription] }
}

fn credentials(credentials: &Credentials, surroundings: &Surroundings) -> Setting {
    match credentials {
        Credentials::Token(_) => Setting::found(CREDENTIALS, "AZURE_ACCESS_TOKEN"),
        Credentials::Application { client_id, tenant, .. } => Setting::found(
            CREDENTIALS,
            format!("the application {client_id} of the tenant {tenant} (AZURE_CLIENT_SECRET)"),
        ),
        Credentials::ManagedIdentity { .. } => Setting::unasked(
            CREDENTIALS,
            "the managed identity of this machine (AZURE_USE_MANAGED_IDENTITY)",
        ),
        Credentials::AzureCli if !surroundings.has_cli() => Setting::missing(
            CREDENTIALS,
            "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET are not all set, and the \
             Azure CLI (`az`) is not on PATH",
            format!("{FIX}; docs/providers/azure.md says which role they need"),
        ),
        Credentials::AzureCli if surroundings.is_logged_in() => {
            Setting::found(CREDENTIALS, "the login of the Azure CLI")
        }
        Credentials::AzureCli => Setting::missing(
            CREDENTIALS,
            "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET are not all set, and nobody \
             is logged in to the Azure CLI",
            format!("{FIX}; docs/providers/azure.md says which role they need"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use railsbench_core::provider::SettingState;

    use super::*;

    const ID: (&str, &str) = ("AZURE_SUBSCRIPTION_ID", "0b1f6471-1bf0-4dda-aec3-cb9272f09590");

    fn states(variables: &[(&str, &str)], surroundings: &Surroundings) -> Vec<SettingState> {
        let settings = Settings::from_variables(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        let setup = setup(&settings, surroundings);
        assert!(!format!("{setup:?}").contains("hush"), "{setup:?}");
        setup.settings.into_iter().map(|setting| setting.state).collect()
    }

    fn found(detail: &str) -> SettingState {
        SettingState::Found { detail: detail.to_owned() }
    }

    #[test]
    fn the_credentials_that_would_be_used_are_named() {
        let nothing = Surroundings { path: OsString::new(), cli_folder: None };
        let application = [
            ("AZURE_TENANT_ID", "t"),
            ("AZURE_CLIENT_ID", "c"),
            ("AZURE_CLIENT_SECRET", "hush"),
            ID,
        ];
        let both = [found("the application c of the tenant t (AZURE_CLIENT_SECRET)"), found(ID.1)];
        assert_eq!(states(&application, &nothing), both);
        assert_eq!(
            states(&[("AZURE_ACCESS_TOKEN", "hush")], &nothing)[0],
            found("AZURE_ACCESS_TOKEN")
        );
        let identity = states(&[("AZURE_USE_MANAGED_IDENTITY", "true")], &nothing);
        assert!(matches!(&identity[0], SettingState::Unasked { .. }), "{identity:?}");
    }

    #[test]
    fn a_login_of_the_cli_counts_and_no_login_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let surroundings = Surroundings {
            path: folder.path().as_os_str().to_owned(),
            cli_folder: Some(folder.path().to_owned()),
        };
        let problem = |state: &SettingState| match state {
            SettingState::Missing { problem, fix } => format!("{problem}; {fix}"),
            other => panic!("{other:?}"),
        };
        let told = states(&[], &surroundings);
        assert!(problem(&told[0]).contains("is not on PATH; run `az login`"), "{told:?}");
        assert!(problem(&told[1]).contains("AZURE_SUBSCRIPTION_ID"), "{told:?}");
        std::fs::write(folder.path().join("az"), "").unwrap();
        let profile = folder.path().join("azureProfile.json");
        for logged_out in [None, Some("hush"), Some("\u{feff}{\"subscriptions\": []}")] {
            if let Some(text) = logged_out {
                std::fs::write(&profile, text).unwrap();
            }
            let told = states(&[ID], &surroundings);
            assert!(problem(&told[0]).contains("nobody is logged in"), "{told:?}");
        }
        std::fs::write(&profile, "\u{feff}{\"subscriptions\": [{\"id\": \"hush\"}]}").unwrap();
        assert_eq!(states(&[ID], &surroundings)[0], found("the login of the Azure CLI"));
    }
}
