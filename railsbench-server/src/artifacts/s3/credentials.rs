//! The AWS credential chain, for the reading half that does not know it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_s3::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use tokio::sync::Mutex;

/// Credentials are asked for again so long before they end.
const MARGIN: Duration = Duration::from_mins(5);

/// Credentials without an end are asked for again after this time: they may have been rotated.
const RECHECK: Duration = Duration::from_mins(15);

/// Hands the chain's credentials to `object_store`, and remembers them while they are good.
#[derive(Debug)]
pub(super) struct Chain {
    provider: SharedCredentialsProvider,
    known: Mutex<Option<(SystemTime, Arc<AwsCredential>)>>,
}

impl Chain {
    pub(super) fn new(provider: SharedCredentialsProvider) -> Self {
        Self { provider, known: Mutex::default() }
    }
}

#[async_trait]
impl CredentialProvider for Chain {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let now = SystemTime::now();
        let mut known = self.known.lock().await;
        if let Some((until, credential)) = &*known
            && *until > now
        {
            return Ok(Arc::clone(credential));
        }
        let fresh: Credentials = self.provider.provide_credentials().await.map_err(|error| {
            object_store::Error::Generic { store: "S3", source: Box::new(error) }
        })?;
        let until =
            fresh.expiry().map_or(now + RECHECK, |end| end.checked_sub(MARGIN).unwrap_or(end));
        let credential = Arc::new(AwsCredential {
            key_id: fresh.access_key_id().to_owned(),
            secret_key: fresh.secret_access_key().to_owned(),
            token: fresh.session_token().map(str::to_owned),
        });
        *known = Some((until, Arc::clone(&credential)));
        Ok(credential)
    }
}
