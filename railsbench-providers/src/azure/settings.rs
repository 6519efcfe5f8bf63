//! What the operator's environment says of Azure: where, in which subscription, as whom.

use railsbench_core::provider::ProviderError;
use secrecy::SecretString;

use super::naming::provider_name;

/// Where the Resource Manager of the public cloud is.
const MANAGEMENT_URL: &str = "https://management.azure.com/";

/// Where Microsoft Entra gives tokens for the public cloud.
const AUTHORITY_URL: &str = "https://login.microsoftonline.com/";

/// Where a virtual machine of Azure gets tokens for its managed identity.
const IDENTITY_URL: &str = "http://169.254.169.254/";

/// What the operator's environment says of Azure.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Base URL of the Resource Manager. Sovereign clouds have their own.
    pub management_url: String,
    /// The subscription that machines are made in and paid by, as its id.
    pub subscription: Option<String>,
    /// As whom.
    pub credentials: Credentials,
}

/// As whom railsbench asks Azure.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// An application with a client secret.
    Application {
        /// Base URL of the token service.
        authority_url: String,
        /// The tenant, by id or domain.
        tenant: String,
        /// The application's id.
        client_id: String,
        /// Its secret.
        client_secret: SecretString,
    },
    /// The managed identity of the virtual machine that railsbench runs on.
    ManagedIdentity {
        /// Base URL of the metadata service.
        metadata_url: String,
        /// Which identity, if the machine has several.
        client_id: Option<String>,
    },
    /// Whoever is logged in to the Azure CLI.
    AzureCli,
    /// A token that is given.
    Token(SecretString),
}

impl Settings {
    /// Reads `AZURE_SUBSCRIPTION_ID`, `AZURE_RESOURCE_MANAGER_URL`, and for the credentials
    /// `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_CLIENT_SECRET` and `AZURE_AUTHORITY_HOST`.
    /// With a secret it is that application; else, if `AZURE_USE_MANAGED_IDENTITY` is `true`, the
    /// machine's identity; else the Azure CLI. `AZURE_ACCESS_TOKEN` overrides all of them. An
    /// empty variable is absent.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let lookup = |name: &str| {
            lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let client_id = lookup("AZURE_CLIENT_ID");
        let application = || {
            Some(Credentials::Application {
                authority_url: lookup("AZURE_AUTHORITY_HOST")
                    .unwrap_or_else(|| AUTHORITY_URL.to_owned()),
                tenant: lookup("AZURE_TENANT_ID")?,
                client_id: client_id.clone()?,
                client_secret: lookup("AZURE_CLIENT_SECRET")?.into(),
            })
        };
        let identity = || {
            (lookup("AZURE_USE_MANAGED_IDENTITY")? == "true").then(|| {
                Credentials::ManagedIdentity {
                    metadata_url: IDENTITY_URL.to_owned(),
                    client_id: client_id.clone(),
                }
            })
        };
        Self {
            management_url: lookup("AZURE_RESOURCE_MANAGER_URL")
                .unwrap_or_else(|| MANAGEMENT_URL.to_owned()),
            subscription: lookup("AZURE_SUBSCRIPTION_ID"),
            credentials: lookup("AZURE_ACCESS_TOKEN")
                .map(|token| Credentials::Token(token.into()))
                .or_else(application)
                .or_else(identity)
                .unwrap_or(Credentials::AzureCli),
        }
    }

    /// The subscription's id, which becomes a part of paths.
    pub(super) fn subscription(&self) -> Result<String, ProviderError> {
        let wrong = |problem: String| ProviderError::Credentials {
            provider: provider_name(),
            problem,
            fix: "set AZURE_SUBSCRIPTION_ID to what `az account show --query id` prints".to_owned(),
        };
        let id = self
            .subscription
            .as_deref()
            .ok_or_else(|| wrong("no subscription is named".to_owned()))?;
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        let fits = id.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        if lengths == [8, 4, 4, 4, 12] && fits {
            Ok(id.to_ascii_lowercase())
        } else {
            Err(wrong(format!("{id:?} is not the id of a subscription")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0B1F6471-1BF0-4DDA-AEC3-CB9272F09590";

    fn settings(variables: &[(&str, &str)]) -> Settings {
        Settings::from_variables(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_first_complete_credentials_are_taken() {
        let application =
            [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c"), ("AZURE_CLIENT_SECRET", "s")];
        let taken = settings(&application).credentials;
        assert!(matches!(taken, Credentials::Application { ref tenant, .. } if tenant == "t"));
        assert!(!format!("{taken:?}").contains("\"s\""), "{taken:?}");
        assert!(matches!(settings(&application[..2]).credentials, Credentials::AzureCli));
        let identity = [("AZURE_USE_MANAGED_IDENTITY", "true"), ("AZURE_CLIENT_ID", "c")];
        assert!(matches!(
            settings(&identity).credentials,
            Credentials::ManagedIdentity { client_id: Some(_), .. }
        ));
        assert!(matches!(
            settings(&[("AZURE_ACCESS_TOKEN", "t")]).credentials,
            Credentials::Token(_)
        ));
        assert_eq!(settings(&[]).management_url, MANAGEMENT_URL);
    }

    #[test]
    fn a_subscription_is_named_by_its_id() {
        let of = |id: &str| settings(&[("AZURE_SUBSCRIPTION_ID", id)]).subscription();
        assert_eq!(of(ID).unwrap(), ID.to_lowercase());
        for wrong in ["", "my subscription", "../x", &ID[1..]] {
            let error = of(wrong).unwrap_err().to_string();
            assert!(error.contains("az account show"), "{error}");
        }
    }
}
