//! The protocol's calls, typed: what is sent, what comes back, and what can go wrong.
//!
//! Nothing is tried twice here; see [`crate::retry`]. The token goes to the orchestrator alone,
//! never to the artifact store, whose signed URLs are secrets themselves: neither is ever part
//! of an error or a log line.

mod error;

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use railsbench_core::id::{RunId, TaskId};
use railsbench_core::loopback::is_loopback;
use railsbench_core::protocol::{
    Acknowledged, ClaimAnswer, ClaimRequest, CompleteRequest, FailRequest, HeartbeatAnswer,
    HeartbeatRequest, Problem, ReleaseRequest, UploadUrls, UploadsRequest,
};
use railsbench_core::provider::CaCertificate;
use reqwest::header::{self, HeaderValue};
use reqwest::{RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

pub use error::ClientError;

use crate::config::RAILSBENCH_CA_FILE;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an ordinary call may take in all.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// An upload may be this slow, in bytes per second, before it counts as broken.
const SLOWEST_UPLOAD: u64 = 16 * 1024;
/// Longest answer that is read.
const ANSWER_LIMIT: usize = 1024 * 1024;
/// Longest text kept of an answer that is not understood, in characters.
const DETAIL_LIMIT: usize = 500;
/// How large a piece of a file is held in memory while it is sent.
const UPLOAD_CHUNK: usize = 16 * 1024;
/// What rustls says of a certificate that it does not accept.
const UNTRUSTED: &str = "invalid peer certificate";

/// Calls one orchestrator with one token.
pub struct Client {
    base: Url,
    token: SecretString,
    ca: Option<CaCertificate>,
    private: OnceLock<reqwest::Client>,
    loopback: OnceLock<reqwest::Client>,
    outside: OnceLock<reqwest::Client>,
}

impl Client {
    /// A client of the orchestrator at `base` that trusts only `ca` when it calls it; without
    /// one, the CAs that the system trusts. Nothing is connected yet.
    pub fn new(base: Url, token: SecretString, ca: Option<CaCertificate>) -> Self {
        // Without a default provider rustls refuses to work; a second installation changes
        // nothing and is no error.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (private, loopback, outside) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self { base, token, ca, private, loopback, outside }
    }

    /// `POST /runs/{id}/tasks/claim`. With `wait_seconds` the answer may take that long.
    pub async fn claim(
        &self,
        run: &RunId,
        request: &ClaimRequest,
    ) -> Result<ClaimAnswer, ClientError> {
        let patience = Duration::from_secs(request.wait_seconds.unwrap_or(0).into());
        let path = ["runs", run.as_str(), "tasks", "claim"];
        self.post("claim", &path, request, CALL_TIMEOUT + patience).await
    }

    /// `POST /tasks/{id}/heartbeat`.
    pub async fn heartbeat(
        &self,
        task: &TaskId,
        request: &HeartbeatRequest,
    ) -> Result<HeartbeatAnswer, ClientError> {
        self.post("heartbeat", &["tasks", task.as_str(), "heartbeat"], request, CALL_TIMEOUT).await
    }

    /// `POST /tasks/{id}/uploads`: fresh signed URLs.
    pub async fn uploads(
        &self,
        task: &TaskId,
        request: &UploadsRequest,
    ) -> Result<UploadUrls, ClientError> {
        self.post("uploads", &["tasks", task.as_str(), "uploads"], request, CALL_TIMEOUT).await
    }

    /// `POST /tasks/{id}/complete`.
    pub async fn complete(
        &self,
        task: &TaskId,
        request: &CompleteRequest,
    ) -> Result<Acknowledged, ClientError> {
        // The server reads the whole archive before it answers.
        let timeout = CALL_TIMEOUT * 4;
        self.post("complete", &["tasks", task.as_str(), "complete"], request, timeout).await
    }

    /// `POST /tasks/{id}/fail`.
    pub async fn fail(
        &self,
        task: &TaskId,
        request: &FailRequest,
    ) -> Result<Acknowledged, ClientError> {
        self.post("fail", &["tasks", task.as_str(), "fail"], request, CALL_TIMEOUT).await
    }

    /// `POST /tasks/{id}/release`.
    pub async fn release(
        &self,
        task: &TaskId,
        request: &ReleaseRequest,
    ) -> Result<Acknowledged, ClientError> {
        self.post("release", &["tasks", task.as_str(), "release"], request, CALL_TIMEOUT).await
    }

    /// PUTs a gzip file of `size` bytes to a signed URL, streaming, without the token. Any
    /// refusal is [`ClientError::Rejected`]: the artifact store knows neither token nor lease.
    pub async fn put_archive(&self, url: &str, path: &Path, size: u64) -> Result<(), ClientError> {
        let call = "upload";
        let url = Url::parse(url).map_err(|error| ClientError::Garbled {
            call,
            problem: format!("the upload URL is not a URL: {error}"),
        })?;
        let file = tokio::fs::File::open(path).await.map_err(|source| ClientError::File {
            call,
            path: path.display().to_string(),
            source,
        })?;
        let stream = tokio_util::io::ReaderStream::with_capacity(file, UPLOAD_CHUNK);
        let request = self
            .http(&url)?
            .put(url.clone())
            .header(header::CONTENT_TYPE, "application/gzip")
            .header(header::CONTENT_LENGTH, size)
            .timeout(CALL_TIMEOUT + Duration::from_secs(size / SLOWEST_UPLOAD))
            .body(reqwest::Body::wrap_stream(stream));
        let response = send(call, &url, request).await?;
        match read(call, &url, response).await {
            Ok(_) => Ok(()),
            Err(ClientError::Unauthorized { call, detail }) => {
                Err(ClientError::Rejected { call, status: 401, detail })
            }
            Err(ClientError::LeaseLost { call, detail }) => {
                Err(ClientError::Rejected { call, status: 409, detail })
            }
            Err(error) => Err(error),
        }
    }

    async fn post<A: DeserializeOwned>(
        &self,
        call: &'static str,
        path: &[&str],
        body: &impl Serialize,
        timeout: Duration,
    ) -> Result<A, ClientError> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", self.token.expose_secret()))
            .map_err(|_| ClientError::Unauthorized {
                call,
                detail: "it holds characters that cannot be sent".to_owned(),
            })?;
        bearer.set_sensitive(true);
        let request = self
            .http(&url)?
            .post(url.clone())
            .header(header::AUTHORIZATION, bearer)
            .timeout(timeout)
            .json(body);
        let response = send(call, &url, request).await?;
        let answer = read(call, &url, response).await?;
        serde_json::from_slice(&answer)
            .map_err(|error| ClientError::Garbled { call, problem: json_problem(&error) })
    }

    /// The HTTP client for a URL. The orchestrator's own CA, where there is one, is all that is
    /// trusted there, and nothing elsewhere: the artifact store may be of another host. Plain
    /// HTTP on the loopback interface needs neither a proxy, which would not find it, nor the
    /// system's CA certificates, which take time and memory to load.
    fn http(&self, url: &Url) -> Result<&reqwest::Client, ClientError> {
        let ca = self.ca.as_ref().filter(|_| url.origin() == self.base.origin());
        let plain_loopback = url.scheme() == "http" && is_loopback(url);
        let cell = match ca {
            Some(_) => &self.private,
            None if plain_loopback => &self.loopback,
            None => &self.outside,
        };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("railsbench-runner/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(1)
            // A redirected POST becomes a GET, and a redirected upload cannot be sent again:
            // the answer is an error that names the new place instead.
            .redirect(reqwest::redirect::Policy::none());
        if let Some(ca) = ca {
            let roots = reqwest::Certificate::from_pem_bundle(ca.as_pem().as_bytes())
                .map_err(|error| ClientError::Ca { reason: causes(error) })?;
            builder = builder.tls_certs_only(roots);
        } else if plain_loopback {
            builder = builder.tls_certs_only([]);
        }
        if plain_loopback || (ca.is_some() && is_loopback(url)) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| {
            let reason = causes(error.without_url());
            if ca.is_some() { ClientError::Ca { reason } } else { ClientError::Setup { reason } }
        })?;
        Ok(cell.get_or_init(|| client))
    }
}

async fn send(
    call: &'static str,
    url: &Url,
    request: RequestBuilder,
) -> Result<Response, ClientError> {
    request.send().await.map_err(|error| unreachable(call, url, error))
}

fn unreachable(call: &'static str, url: &Url, error: reqwest::Error) -> ClientError {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    let mut reason = causes(error.without_url());
    if reason.contains(UNTRUSTED) {
        reason = format!(
            "{reason}; it must be for this name, in its time by this machine's clock, and of the \
             CA in {RAILSBENCH_CA_FILE} where that is set"
        );
    }
    ClientError::Unreachable { call, server: format!("{host}:{port}"), reason }
}

/// An error with its causes, none said twice.
fn causes(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    text
}

/// Reads the body of a success; any other status becomes an error.
async fn read(
    call: &'static str,
    url: &Url,
    mut response: Response,
) -> Result<Vec<u8>, ClientError> {
    let status = response.status();
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs);
    let location = response
        .headers()
        .get(header::LOCATION)
        .filter(|_| status.is_redirection())
        .and_then(|value| Some(Url::parse(value.to_str().ok()?).ok()?.origin()));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(call, url, error))? {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(ClientError::Garbled {
                call,
                problem: format!("it is longer than {ANSWER_LIMIT} bytes"),
            });
        }
        body.extend_from_slice(&chunk);
    }
    if status.is_success() {
        return Ok(body);
    }
    let detail = match (location, serde_json::from_slice::<Problem>(&body)) {
        (Some(place), _) => {
            format!("it redirects to {}; use that address instead", place.ascii_serialization())
        }
        (None, Ok(problem)) if !problem.detail.is_empty() => problem.detail,
        (None, Ok(problem)) if !problem.title.is_empty() => problem.title,
        (None, Ok(problem)) if !problem.error.is_empty() => problem.error,
        _ if body.is_empty() => status.canonical_reason().unwrap_or("no reason given").to_owned(),
        _ => shorten(&body),
    };
    Err(ClientError::from_status(call, status.as_u16(), detail, retry_after))
}

/// What is wrong with an answer, without quoting any of it: it may hold signed URLs.
fn json_problem(error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        serde_json::error::Category::Data => "it is JSON of another shape",
        serde_json::error::Category::Eof => "it ends too early",
        _ => "it is not JSON",
    };
    format!("{kind} (line {}, column {})", error.line(), error.column())
}

fn shorten(body: &[u8]) -> String {
    String::from_utf8_lossy(body).trim().chars().take(DETAIL_LIMIT).collect()
}
