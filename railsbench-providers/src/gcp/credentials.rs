//! Tokens by Google's usual chain, the Application Default Credentials: the file that
//! `GOOGLE_APPLICATION_CREDENTIALS` names, the one that `gcloud auth application-default login`
//! leaves, the metadata server. A file may hold a service account's key, an authorised user,
//! an impersonation or a workload identity. All of this is Google's own `google-cloud-auth`;
//! without its default features it builds nothing but itself and three small crates.

use async_trait::async_trait;
use google_cloud_auth::credentials::{AccessTokenCredentials, Builder};
use railsbench_core::provider::ProviderError;
use secrecy::SecretString;
use tokio::sync::Mutex;

use super::naming::provider_name;
use crate::rest::TokenSource;

/// What the tokens are for; what the account may do with them is for its roles to say.
const SCOPE: &str = "https://www.googleapis.com/auth/compute";

/// What helps where there are none.
pub(super) const FIX: &str = "run `gcloud auth application-default login`, or set \
                              GOOGLE_APPLICATION_CREDENTIALS to a credentials file";

/// The Application Default Credentials, read when the first token is needed.
#[derive(Default)]
pub(super) struct DefaultCredentials(Mutex<Option<AccessTokenCredentials>>);

#[async_trait]
impl TokenSource for DefaultCredentials {
    async fn token(&self) -> Result<SecretString, ProviderError> {
        let credentials = {
            let mut kept = self.0.lock().await;
            match kept.as_ref() {
                Some(credentials) => credentials.clone(),
                None => kept
                    .insert(
                        Builder::default()
                            .with_scopes([SCOPE])
                            .build_access_token_credentials()
                            .map_err(|error| unusable(&error))?,
                    )
                    .clone(),
            }
        };
        let token = credentials.access_token().await.map_err(|error| unusable(&error))?;
        Ok(token.token.into())
    }

    /// They are read anew: the operator may have logged in again.
    async fn refused(&self) -> bool {
        self.0.lock().await.take().is_some()
    }
}

fn unusable(error: &dyn std::error::Error) -> ProviderError {
    let mut problem = format!("the Application Default Credentials give no token: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        problem = format!("{problem}: {inner}");
        cause = inner.source();
    }
    ProviderError::Credentials { provider: provider_name(), problem, fix: FIX.to_owned() }
}
