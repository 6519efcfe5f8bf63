//! How calls fail, and what a cloud means by its refusals.

use std::time::Duration;

use railsbench_core::id::ProviderName;
use railsbench_core::provider::ProviderError;
use serde_json::Value;

/// An answer with a status that says no.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The cloud's own word for it, e.g. `QuotaExceeded`; empty if it gives none.
    pub code: String,
    /// What the cloud says.
    pub message: String,
    /// For how long the cloud wants to be left alone, if it says.
    pub retry_after: Option<Duration>,
    /// The whole body; null if it was no JSON.
    pub body: Value,
}

/// What a refusal means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The credentials are missing, expired or may not do this.
    Credentials {
        /// How to put them right.
        fix: String,
    },
    /// There is no room, or the account may have no more.
    Capacity,
    /// There were too many calls.
    Throttled,
    /// Something else.
    Failed {
        /// How to put it right, where that is known.
        fix: Option<String>,
    },
}

/// How a cloud says that something is wrong. What is not told otherwise follows HTTP.
pub trait Dialect: Send + Sync {
    /// The cloud's own word and what it says, from the body of a refusal.
    fn read(&self, body: &Value) -> (String, String);

    /// What a refusal means.
    fn judge(&self, refusal: &Refusal) -> Verdict {
        judge_by_status(refusal)
    }

    /// Whether the same call may succeed in a moment.
    fn is_passing(&self, refusal: &Refusal) -> bool {
        matches!(refusal.status, 408 | 429 | 500 | 502 | 503 | 504)
    }
}

/// What a refusal means by its status alone.
pub(super) fn judge_by_status(refusal: &Refusal) -> Verdict {
    match refusal.status {
        401 => Verdict::Credentials { fix: "log in again, or give other credentials".to_owned() },
        403 => Verdict::Credentials { fix: "give these credentials the permission".to_owned() },
        429 => Verdict::Throttled,
        _ => Verdict::Failed { fix: None },
    }
}

/// Errors as `{"error": {"code", "message"}}`, `{"id", "message"}` or
/// `{"error", "error_description"}`, which most clouds and token services use.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainDialect;

impl Dialect for PlainDialect {
    fn read(&self, body: &Value) -> (String, String) {
        let error = &body["error"];
        let first = |values: [&Value; 4]| {
            values
                .into_iter()
                .find_map(|value| match value {
                    Value::String(text) => Some(text.clone()),
                    Value::Number(number) => Some(number.to_string()),
                    _ => None,
                })
                .unwrap_or_default()
        };
        let code = first([&error["status"], &error["code"], &body["id"], error]);
        let message =
            first([&error["message"], &body["message"], &body["error_description"], error]);
        (code, message)
    }
}

/// How a call failed.
#[derive(Debug)]
pub enum Failure {
    /// The cloud said no.
    Refused {
        /// What it said.
        refusal: Box<Refusal>,
        /// What that means.
        verdict: Verdict,
    },
    /// There was no answer, or it broke off. The call may have had its effect.
    Unanswered(String),
    /// The answer is not what the interface promises.
    Unreadable(String),
    /// The call was not made: there is no token for it, or it cannot be put together.
    Unmade(ProviderError),
}

/// A call that failed. It turns into a [`ProviderError`] by `?`.
#[derive(Debug, thiserror::Error)]
#[error("{provider}: {action} failed: {}", .failure)]
pub struct RestError {
    /// The cloud.
    pub provider: ProviderName,
    /// What was tried.
    pub action: String,
    /// How it failed.
    pub failure: Failure,
    /// How many attempts were made. After more than one, an earlier attempt may have had the
    /// effect that this one was refused for.
    pub attempts: u32,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused { refusal, .. } => refusal.fmt(f),
            Self::Unanswered(detail) => write!(f, "no answer: {detail}"),
            Self::Unreadable(detail) => write!(f, "the answer is not understood: {detail}"),
            Self::Unmade(error) => error.fmt(f),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said = if self.message.is_empty() { "no reason given" } else { &self.message };
        if self.code.is_empty() {
            write!(f, "{said} (status {})", self.status)
        } else {
            write!(f, "{said} ({}, status {})", self.code, self.status)
        }
    }
}

impl RestError {
    /// What the cloud said, if it said no.
    pub fn refusal(&self) -> Option<&Refusal> {
        match &self.failure {
            Failure::Refused { refusal, .. } => Some(refusal),
            _ => None,
        }
    }

    /// The HTTP status, if the cloud said no.
    pub fn status(&self) -> Option<u16> {
        self.refusal().map(|refusal| refusal.status)
    }

    /// The cloud's own word for it, if the cloud said no.
    pub fn code(&self) -> Option<&str> {
        self.refusal().map(|refusal| refusal.code.as_str())
    }

    /// Whether the call may have had its effect all the same.
    pub fn may_have_happened(&self) -> bool {
        match &self.failure {
            Failure::Refused { refusal, .. } => self.attempts > 1 || refusal.status >= 500,
            Failure::Unanswered(_) | Failure::Unreadable(_) => true,
            Failure::Unmade(_) => self.attempts > 1,
        }
    }
}

impl From<RestError> for ProviderError {
    fn from(error: RestError) -> Self {
        let RestError { provider, action, failure, .. } = error;
        let (refusal, verdict) = match failure {
            Failure::Refused { refusal, verdict } => (refusal, verdict),
            Failure::Unmade(error) => return error,
            failure => return Self::Call { provider, action, detail: failure.to_string() },
        };
        match verdict {
            Verdict::Credentials { fix } => {
                Self::Credentials { provider, problem: format!("{action}: {refusal}"), fix }
            }
            Verdict::Capacity => {
                Self::Capacity { provider, what: action, detail: refusal.to_string() }
            }
            Verdict::Throttled => Self::Throttled { provider, retry_after: refusal.retry_after },
            Verdict::Failed { fix: None } => {
                Self::Call { provider, action, detail: refusal.to_string() }
            }
            Verdict::Failed { fix: Some(fix) } => {
                Self::Call { provider, action, detail: format!("{refusal}; {fix}") }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn common_forms_of_errors_are_read() {
        let cases = [
            (json!({"error": {"code": "NotFound", "message": "gone"}}), "NotFound", "gone"),
            (
                json!({"error": {"code": 404, "status": "NOT_FOUND", "message": "no"}}),
                "NOT_FOUND",
                "no",
            ),
            (json!({"id": "not_found", "message": "no app"}), "not_found", "no app"),
            (json!({"error": "invalid_grant", "error_description": "old"}), "invalid_grant", "old"),
            (json!({"error": "oops"}), "oops", "oops"),
            (Value::Null, "", ""),
        ];
        for (body, code, message) in cases {
            assert_eq!(PlainDialect.read(&body), (code.to_owned(), message.to_owned()), "{body}");
        }
    }

    fn refused(status: u16, verdict: Verdict) -> ProviderError {
        let refusal = Refusal {
            status,
            code: "Code".to_owned(),
            message: "it says".to_owned(),
            retry_after: Some(Duration::from_secs(9)),
            body: Value::Null,
        };
        let failure = Failure::Refused { refusal: Box::new(refusal), verdict };
        let provider = ProviderName::new("gcp").unwrap();
        RestError { provider, action: "making m1".to_owned(), failure, attempts: 1 }.into()
    }

    #[test]
    fn verdicts_become_the_errors_of_the_trait() {
        let cases = [
            (
                refused(403, Verdict::Credentials { fix: "grant it".to_owned() }),
                "gcp: making m1: it says (Code, status 403); grant it",
            ),
            (
                refused(409, Verdict::Capacity),
                "gcp: no capacity for making m1: it says (Code, status 409)",
            ),
            (refused(429, Verdict::Throttled), "gcp limits the rate of requests; try again in 9 s"),
            (
                refused(400, Verdict::Failed { fix: Some("do that".to_owned()) }),
                "gcp: making m1 failed: it says (Code, status 400); do that",
            ),
        ];
        for (error, text) in cases {
            assert_eq!(error.to_string(), text);
        }
    }
}
