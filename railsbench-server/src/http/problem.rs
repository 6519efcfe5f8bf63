//! Errors as `application/problem+json` (RFC 9457).

use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use railsbench_core::config::FieldError;
use railsbench_core::id::InvalidId;
use railsbench_core::lifecycle::Rejection;
use railsbench_core::protocol::Problem;

use crate::artifacts::ArtifactError;
use crate::store::StoreError;

/// How long a client is asked to stay away when the server cannot serve it, in seconds.
const RETRY_SECONDS: u32 = 5;

/// An answer that is not the wanted one.
#[derive(Debug)]
pub(crate) struct ApiError(Box<Problem>);

impl ApiError {
    /// A problem of a status; `error` is what simple clients match on.
    pub(crate) fn new(status: StatusCode, error: &str, detail: impl Into<String>) -> Self {
        let name: String =
            error.chars().map(|c| if c == ' ' { '_' } else { c.to_ascii_lowercase() }).collect();
        Self(Box::new(Problem {
            kind: format!("urn:railsbench:{name}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            error: error.to_owned(),
            errors: Vec::new(),
        }))
    }

    /// Not even well formed.
    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    /// Well formed, but these fields are wrong.
    pub(crate) fn invalid(errors: Vec<FieldError>) -> Self {
        let detail: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail.join("; "));
        problem.0.errors = errors;
        problem
    }

    /// Well formed, but this field is wrong.
    pub(crate) fn field(field: &str, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError {
            field: field.to_owned(),
            problem: problem.into(),
            fix: fix.into(),
        }])
    }

    /// No token, or none that is known.
    pub(crate) fn unauthorized(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    /// A good token, but not for this.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// Nothing of this name.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// The server cannot serve now; the same call may work soon.
    pub(crate) fn unavailable(error: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error, detail)
    }

    /// A defect of the server. The cause goes to the log, not to the client.
    pub(crate) fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the server failed at this request; its log says why",
        )
    }

    /// The status code.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = serde_json::to_string(&self.0).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"railsbench\""));
        }
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
        }
        response
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        let (status, error) = match &rejection {
            Rejection::LeaseLost { .. } => (StatusCode::CONFLICT, "lease_lost"),
            Rejection::WrongRunner { .. } => (StatusCode::FORBIDDEN, "Invalid runner_id"),
            Rejection::WrongState { .. } => (StatusCode::CONFLICT, "wrong_state"),
        };
        Self::new(status, error, rejection.to_string())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::UnknownRun(_) | StoreError::UnknownTask(_) => {
                Self::not_found(error.to_string())
            }
            StoreError::DifferentConfig(_) => {
                Self::new(StatusCode::CONFLICT, "different_config", error.to_string())
            }
            StoreError::TokenNameTaken(_) => {
                Self::new(StatusCode::CONFLICT, "token_name_taken", error.to_string())
            }
            StoreError::Rejected(rejection) => rejection.into(),
            StoreError::Engine { .. } => {
                tracing::error!(%error, "the store failed");
                Self::unavailable("store_unavailable", "the store does not answer; try again")
            }
        }
    }
}

impl From<ArtifactError> for ApiError {
    fn from(error: ArtifactError) -> Self {
        let text = error.to_string();
        match error {
            ArtifactError::InvalidKey(_) | ArtifactError::NotFound(_) => Self::not_found(text),
            ArtifactError::TooLarge { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", text)
            }
            ArtifactError::Signature(_) => Self::new(StatusCode::FORBIDDEN, "bad_signature", text),
            ArtifactError::Backend { .. } => {
                tracing::error!(error = %text, "the artifact store failed");
                Self::unavailable(
                    "artifacts_unavailable",
                    "the artifact store does not answer; try again",
                )
            }
        }
    }
}

impl From<InvalidId> for ApiError {
    /// What has no valid name does not exist.
    fn from(error: InvalidId) -> Self {
        Self::not_found(error.to_string())
    }
}

/// The answer where no route is.
pub(crate) async fn no_route(uri: Uri) -> ApiError {
    let path: String = uri.path().chars().take(200).collect();
    ApiError::not_found(format!("there is nothing at {path}; GET /openapi.json lists every call"))
}

/// The answer where the route takes other methods.
pub(crate) async fn no_method(method: Method, uri: Uri) -> ApiError {
    let path: String = uri.path().chars().take(200).collect();
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("{path} does not take {method}; the Allow header says what it takes"),
    )
}
