//! The operator's side of the wire: runs, events and results of an orchestrator.

mod error;
mod events;

use std::time::Duration;

use futures::TryStreamExt;
use futures::stream::{BoxStream, Stream};
use railsbench_core::config::RunConfig;
use railsbench_core::id::{Attempt, RunId, TaskId, TokenName};
use railsbench_core::loopback::is_loopback;
use railsbench_core::protocol::{
    CreatedRun, CreatedToken, EventRecord, LoginLink, NewToken, RunPage, RunResults, RunToken,
    RunView, TaskLog, TaskPage, TokenList,
};
use railsbench_core::provider::{CaCertificate, RunnerFile, RunnerTarget};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use url::Url;

pub use self::error::ClientError;
use self::error::{accept, innermost, unreachable};
use self::events::Follower;

/// How long an ordinary call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Calls an orchestrator as its operator.
#[derive(Debug, Clone)]
pub struct OperatorClient {
    http: reqwest::Client,
    /// For artifact stores, where the orchestrator's own CA means nothing.
    elsewhere: reqwest::Client,
    url: Url,
    api_key: SecretString,
}

impl OperatorClient {
    /// A client of the orchestrator at a base URL, whose certificate is of a CA that this system
    /// trusts.
    ///
    /// # Errors
    /// [`ClientError::Url`] if no calls can be made to such a URL.
    pub fn new(url: Url, api_key: SecretString) -> Result<Self, ClientError> {
        Self::trusting(url, api_key, None)
    }

    /// A client that trusts only this CA when it calls the orchestrator; without one, those that
    /// this system trusts. Results that lie in an artifact store of another host are fetched
    /// as the system trusts that.
    ///
    /// # Errors
    /// [`ClientError::Url`] if no calls can be made to such a URL, [`ClientError::Ca`] if the
    /// certificate is none.
    pub fn trusting(
        url: Url,
        api_key: SecretString,
        ca: Option<&CaCertificate>,
    ) -> Result<Self, ClientError> {
        // Fails only if the process has chosen a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
            return Err(ClientError::Url {
                detail: format!("its scheme is {}", url.scheme()),
                url,
            });
        }
        let builder = || {
            let builder = reqwest::Client::builder()
                .user_agent(concat!("railsbench/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(Duration::from_secs(10));
            if is_loopback(&url) { builder.no_proxy() } else { builder }
        };
        let elsewhere = builder()
            .build()
            .map_err(|error| ClientError::Url { url: url.clone(), detail: innermost(&error) })?;
        let http = match ca {
            None => elsewhere.clone(),
            Some(ca) => reqwest::Certificate::from_pem_bundle(ca.as_pem().as_bytes())
                .and_then(|roots| builder().tls_certs_only(roots).build())
                .map_err(|error| ClientError::Ca { url: url.clone(), detail: innermost(&error) })?,
        };
        Ok(Self { http, elsewhere, url, api_key })
    }

    /// The base URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether the orchestrator serves and knows the token.
    ///
    /// # Errors
    /// [`ClientError`] saying which of the two fails.
    pub async fn health(&self) -> Result<(), ClientError> {
        self.runs(None, 1).await.map(drop)
    }

    /// Makes a run, or finds the one of the same id and configuration.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with status 409 if the id has another configuration, 422 if
    /// the configuration is not valid.
    pub async fn create_run(
        &self,
        config: &RunConfig,
        run_id: &RunId,
    ) -> Result<CreatedRun, ClientError> {
        let mut body = serde_json::to_value(config).map_err(|error| ClientError::Answer {
            call: "POST /runs".to_owned(),
            detail: error.to_string(),
        })?;
        body["run_id"] = run_id.as_str().into();
        self.call(Method::POST, &["runs"], &[], Some(&body)).await
    }

    /// A run with its first tasks.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with status 404 if there is none.
    pub async fn run(&self, id: &RunId) -> Result<RunView, ClientError> {
        self.call(Method::GET, &["runs", id.as_str()], &[], None).await
    }

    /// Runs, newest first, from a cursor on.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn runs(&self, cursor: Option<&str>, limit: u32) -> Result<RunPage, ClientError> {
        let limit = limit.to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        self.call(Method::GET, &["runs"], &query, None).await
    }

    /// Tasks of a run in creation order, from a cursor on.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with status 404 if there is no such run.
    pub async fn tasks(&self, id: &RunId, cursor: Option<&str>) -> Result<TaskPage, ClientError> {
        let query: Vec<_> = cursor.map(|cursor| ("cursor", cursor)).into_iter().collect();
        self.call(Method::GET, &["runs", id.as_str(), "tasks"], &query, None).await
    }

    /// Asks a run to stop: what is not claimed is cancelled at once.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with status 404 if there is no such run.
    pub async fn stop(&self, id: &RunId) -> Result<(), ClientError> {
        self.call::<serde_json::Value>(Method::POST, &["runs", id.as_str(), "stop"], &[], None)
            .await
            .map(drop)
    }

    /// Another token for the runners of a run.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with status 404 if there is no such run.
    pub async fn mint_run_token(&self, id: &RunId) -> Result<RunToken, ClientError> {
        self.call(Method::POST, &["runs", id.as_str(), "token"], &[], None).await
    }

    /// The end of what was said during the latest attempts at a task; with `after`, only what comes
    /// after this place in this attempt's log.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with status 404 if there is no such task.
    pub async fn task_log(
        &self,
        id: &TaskId,
        after: Option<(Attempt, u64)>,
    ) -> Result<TaskLog, ClientError> {
        let place = after.map(|(attempt, offset)| (attempt.to_string(), offset.to_string()));
        let query: Vec<_> = place
            .iter()
            .flat_map(|(attempt, offset)| [("attempt", attempt.as_str()), ("offset", offset)])
            .collect();
        self.call(Method::GET, &["tasks", id.as_str(), "log"], &query, None).await
    }

    /// Finished tasks with their stored files and where to get them.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with status 404 if there is no such run.
    pub async fn results(&self, id: &RunId) -> Result<RunResults, ClientError> {
        self.call(Method::GET, &["runs", id.as_str(), "results"], &[], None).await
    }

    /// The runners that machines can fetch from it.
    ///
    /// # Errors
    /// [`ClientError`] if it does not answer, or does not say which file it has.
    pub async fn runners(&self) -> Result<Vec<RunnerFile>, ClientError> {
        let mut runners = Vec::new();
        for target in RunnerTarget::ALL {
            let request = self
                .http
                .head(self.address(&["runner", target.as_str()])?)
                .bearer_auth(self.api_key.expose_secret())
                .timeout(CALL_TIMEOUT);
            let response = request.send().await.map_err(|error| self.unreachable(error))?;
            if response.status() == StatusCode::NOT_FOUND {
                continue;
            }
            let call = format!("HEAD {}", target.path());
            let response = accept(response, &call).await?;
            let tag = response.headers().get(reqwest::header::ETAG);
            let sha256 = tag
                .and_then(|tag| tag.to_str().ok()?.strip_prefix('"')?.strip_suffix('"'))
                .ok_or_else(|| ClientError::Answer {
                    call,
                    detail: "its entity tag is no SHA-256".to_owned(),
                })?;
            runners.push(RunnerFile { target, sha256: sha256.to_owned() });
        }
        Ok(runners)
    }

    /// Makes a token for a person or program.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with status 409 if there is one of this name.
    pub async fn create_token(&self, token: &NewToken) -> Result<CreatedToken, ClientError> {
        let call = || "POST /tokens".to_owned();
        let body = serde_json::to_value(token)
            .map_err(|error| ClientError::Answer { call: call(), detail: error.to_string() })?;
        self.call(Method::POST, &["tokens"], &[], Some(&body)).await
    }

    /// The named tokens that have not ended.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn tokens(&self) -> Result<TokenList, ClientError> {
        self.call(Method::GET, &["tokens"], &[], None).await
    }

    /// Ends a named token.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with status 404 if there is none of this name.
    pub async fn revoke_token(&self, name: &TokenName) -> Result<(), ClientError> {
        self.send(Method::DELETE, &["tokens", name.as_str()], &[], None).await.map(drop)
    }

    /// A link that opens the dashboard in a browser once.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn login_link(&self) -> Result<LoginLink, ClientError> {
        self.call(Method::POST, &["login-links"], &[], None).await
    }

    /// The bytes behind a signed URL, as they arrive.
    ///
    /// # Errors
    /// [`ClientError`] if the download does not begin; later errors come in the stream.
    pub async fn download(
        &self,
        signed_url: &str,
    ) -> Result<impl Stream<Item = Result<bytes::Bytes, ClientError>> + use<>, ClientError> {
        let ours = signed_url.parse::<Url>().is_ok_and(|url| url.origin() == self.url.origin());
        let http = if ours { &self.http } else { &self.elsewhere };
        let response =
            http.get(signed_url).send().await.map_err(|error| self.unreachable(error))?;
        let url = self.url.clone();
        let response = accept(response, "GET of an artifact").await?;
        Ok(response.bytes_stream().map_err(move |error| unreachable(&url, error)))
    }

    /// Follows a run's events from the one after `after` until the run has ended, taking the
    /// stream up again when it breaks.
    pub fn events(
        &self,
        id: &RunId,
        after: u64,
    ) -> BoxStream<'static, Result<EventRecord, ClientError>> {
        Follower::new(self.clone(), id.clone(), after).into_stream()
    }

    fn unreachable(&self, error: reqwest::Error) -> ClientError {
        unreachable(&self.url, error)
    }

    fn address(&self, path: &[&str]) -> Result<Url, ClientError> {
        let mut url = self.url.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => {
                segments.pop_if_empty().extend(path);
            }
            Err(()) => {
                return Err(ClientError::Url {
                    url: self.url.clone(),
                    detail: "it has no path".to_owned(),
                });
            }
        }
        Ok(url)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&serde_json::Value>,
    ) -> Result<T, ClientError> {
        let call = format!("{method} /{}", path.join("/"));
        let response = self.send(method, path, query, body).await?;
        let bytes = response.bytes().await.map_err(|error| self.unreachable(error))?;
        serde_json::from_slice(&bytes)
            .map_err(|error| ClientError::Answer { call, detail: error.to_string() })
    }

    /// Makes a call, and gives its answer if that is a success.
    async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&serde_json::Value>,
    ) -> Result<reqwest::Response, ClientError> {
        let call = format!("{method} /{}", path.join("/"));
        let mut request = self
            .http
            .request(method, self.address(path)?)
            .bearer_auth(self.api_key.expose_secret())
            .timeout(CALL_TIMEOUT)
            .query(query);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        accept(response, &call).await
    }
}
