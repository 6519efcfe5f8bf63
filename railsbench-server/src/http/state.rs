//! What every handler can reach.

use std::ops::Deref;
use std::sync::Arc;

use railsbench_core::id::{Attempt, RunId, TaskId};
use railsbench_core::lifecycle::Policy;
use railsbench_core::protocol::UploadUrls;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::auth;
use super::problem::ApiError;
use super::results::Measured;
use crate::artifacts::{ArtifactKey, ArtifactStore};
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::dashboard::Templates;
use crate::metrics::Metrics;
use crate::store::{Store, TokenHash};

/// How many uploaded archives are looked into at once: it costs processor time.
const INSPECTIONS: usize = 4;

/// A handle to the server's parts, cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

impl Deref for App {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// The server's parts.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) artifacts: Arc<dyn ArtifactStore>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Without the operator token.
    pub(crate) config: ServerConfig,
    /// What the server's URLs begin with, without a slash at its end.
    pub(crate) base_url: String,
    /// Hash of the operator token.
    pub(crate) operator_key: TokenHash,
    /// Cancelled when the server begins to end.
    pub(crate) draining: CancellationToken,
    /// Requests that have no answer yet.
    pub(crate) in_flight: TaskTracker,
    pub(crate) metrics: Metrics,
    pub(crate) inspections: Semaphore,
    pub(crate) measured: Measured,
    pub(crate) templates: Templates,
    /// The OpenAPI document.
    pub(crate) openapi: String,
}

impl App {
    pub(crate) fn new(
        mut config: ServerConfig,
        public_url: &Url,
        api_key: &SecretString,
        store: Arc<dyn Store>,
        artifacts: Arc<dyn ArtifactStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        config.api_key = None;
        Self(Arc::new(Shared {
            store,
            artifacts,
            clock,
            config,
            base_url: public_url.as_str().trim_end_matches('/').to_owned(),
            operator_key: auth::hash(api_key.expose_secret()),
            draining: CancellationToken::new(),
            in_flight: TaskTracker::new(),
            metrics: Metrics::default(),
            inspections: Semaphore::new(INSPECTIONS),
            measured: Measured::default(),
            templates: Templates::new(),
            openapi: super::openapi::document(),
        }))
    }
}

impl Shared {
    /// An absolute URL of this server; `path` starts with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    /// The rules of a new run.
    pub(crate) fn policy(&self, max_attempts: u32) -> Policy {
        Policy { max_attempts, ..self.config.policy }
    }

    /// Fresh upload URLs for an attempt.
    pub(crate) async fn upload_urls(
        &self,
        run: &RunId,
        task: &TaskId,
        attempt: Attempt,
    ) -> Result<UploadUrls, ApiError> {
        let now = self.clock.now();
        let max_bytes = self.config.max_upload_bytes;
        let valid = self.config.upload_url_valid;
        let result_key = ArtifactKey::result(run, task, attempt);
        let error_key = ArtifactKey::error(run, task, attempt);
        let result = self.artifacts.sign_put(&result_key, max_bytes, valid, now).await?;
        let error = self.artifacts.sign_put(&error_key, max_bytes, valid, now).await?;
        Ok(UploadUrls {
            expires_at: result.expires_at.min(error.expires_at),
            result_upload_url: result.url,
            error_upload_url: error.url,
            result_key: result_key.to_string(),
            error_key: error_key.to_string(),
            max_bytes,
        })
    }
}
