//! How a call fails, and how that is told by an answer.

use railsbench_core::protocol::Problem;
use reqwest::StatusCode;
use url::Url;

/// Why a call to the orchestrator failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// It cannot be reached, or the answer broke off.
    #[error("the orchestrator at {url} does not answer: {detail}")]
    Unreachable {
        /// Its base URL.
        url: Url,
        /// What went wrong.
        detail: String,
    },
    /// It refuses.
    #[error("the orchestrator refuses: {}", .0.detail)]
    Refused(Box<Problem>),
    /// It answers with something else than the contract says.
    #[error("the orchestrator's answer to {call} is not understood: {detail}")]
    Answer {
        /// Which call.
        call: String,
        /// What is wrong with the answer.
        detail: String,
    },
    /// The certificate of its CA cannot be used.
    #[error(
        "the CA certificate for {url} cannot be used: {detail}; give the file that the \
         orchestrator wrote, in PEM"
    )]
    Ca {
        /// Its base URL.
        url: Url,
        /// What is wrong with the certificate.
        detail: String,
    },
    /// A URL cannot be made of the base URL.
    #[error(
        "{url} cannot be the URL of an orchestrator: {detail}; write e.g. https://bench.example.com"
    )]
    Url {
        /// The base URL.
        url: Url,
        /// What is wrong with it.
        detail: String,
    },
}

impl ClientError {
    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(problem) => Some(problem.status),
            _ => None,
        }
    }

    /// Whether the same call may succeed later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused(problem) => matches!(problem.status, 408 | 429 | 500..),
            Self::Answer { .. } | Self::Ca { .. } | Self::Url { .. } => false,
        }
    }
}

/// The innermost cause ("connection refused") says more than the outermost; the URL of the call
/// may be a signed one, so it is left out.
pub(super) fn unreachable(url: &Url, error: reqwest::Error) -> ClientError {
    let mut detail = innermost(&error.without_url());
    if detail.contains("invalid peer certificate") {
        detail
            .push_str("; if it has a CA of its own, give the certificate of that (--ca-cert FILE)");
    }
    ClientError::Unreachable { url: url.clone(), detail }
}

pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Turns an answer that is not a success into the error it describes.
pub(super) async fn accept(
    response: reqwest::Response,
    call: &str,
) -> Result<reqwest::Response, ClientError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let bytes = response.bytes().await.unwrap_or_default();
    let problem = serde_json::from_slice::<Problem>(&bytes).ok().filter(|p| !p.detail.is_empty());
    Err(ClientError::Refused(Box::new(problem.unwrap_or_else(|| Problem {
        status: status.as_u16(),
        title: reason(status),
        detail: format!("{call} is answered with {status}"),
        ..Problem::default()
    }))))
}

fn reason(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or("refused").to_owned()
}
