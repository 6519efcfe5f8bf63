//! How Google says that something is wrong: in the body of a refusal, and in an operation that
//! failed.

use std::time::Duration;

use railsbench_core::provider::ProviderError;
use serde_json::Value;

use super::naming::provider_name;
use super::wire::{Operation, OperationError};
use crate::rest::{Dialect, Refusal, Verdict};

const LOG_IN: &str = "run `gcloud auth application-default login`, or set \
                      GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account";
const GRANT: &str = "give the account the role of docs/providers/gcp-role.yaml in this project";
const ENABLE: &str = "run `gcloud services enable compute.googleapis.com`, and wait some minutes";

/// What to do when a quota is used up.
pub(super) const RAISE_QUOTA: &str =
    "raise the quota at https://console.cloud.google.com/iam-admin/quotas, or use another region";

/// What to do when there is no room.
pub(super) const ELSEWHERE: &str = "use another region or machine type, or try again later";

/// The errors of the Compute Engine API.
pub(super) struct GcpDialect;

impl Dialect for GcpDialect {
    fn read(&self, body: &Value) -> (String, String) {
        // The token services say it in the form of OAuth 2.
        let error = &body["error"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let code = text(&error["errors"][0]["reason"])
            .or_else(|| text(&error["status"]))
            .or_else(|| text(error))
            .unwrap_or_default();
        let message = text(&error["message"])
            .or_else(|| text(&body["error_description"]))
            .unwrap_or_default();
        (code, message)
    }

    fn judge(&self, refusal: &Refusal) -> Verdict {
        let failed = |fix: &str| Verdict::Failed { fix: Some(fix.to_owned()) };
        match (refusal.status, refusal.code.as_str()) {
            (401, _) => Verdict::Credentials { fix: LOG_IN.to_owned() },
            (403, "quotaExceeded") => Verdict::Capacity,
            (_, "rateLimitExceeded" | "userRateLimitExceeded") | (429, _) => Verdict::Throttled,
            (403, "accessNotConfigured") => failed(ENABLE),
            (403, _) => Verdict::Credentials { fix: GRANT.to_owned() },
            _ if is_exhausted(&refusal.message) => Verdict::Capacity,
            _ => Verdict::Failed { fix: None },
        }
    }

    fn is_passing(&self, refusal: &Refusal) -> bool {
        let throttled =
            matches!(refusal.code.as_str(), "rateLimitExceeded" | "userRateLimitExceeded");
        throttled
            || (matches!(refusal.status, 408 | 429 | 500 | 502 | 503 | 504)
                && !is_exhausted(&refusal.message))
    }
}

fn is_exhausted(text: &str) -> bool {
    text.contains("RESOURCE_POOL_EXHAUSTED") || text.contains("does not have enough resources")
}

/// Why an operation failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OperationFailure {
    /// The zone has no room; another may have.
    ZoneIsFull(String),
    /// The project may have no more in this region.
    Quota(String),
    /// There is something of that name already.
    Exists,
    /// There is nothing of that name.
    Missing,
    /// It cannot be done just now.
    NotReady(String),
    /// Anything else.
    Other(String),
}

impl OperationFailure {
    /// Why this operation, which is done, failed; nothing if it did not.
    pub(super) fn of(operation: &Operation) -> Option<Self> {
        let OperationError { code, message } = operation.error.as_ref()?.errors.first()?;
        let detail = format!("{message} ({code})");
        Some(match code.as_str() {
            "ZONE_RESOURCE_POOL_EXHAUSTED"
            | "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS"
            | "RESOURCE_POOL_EXHAUSTED"
            | "STOCKOUT" => Self::ZoneIsFull(detail),
            "QUOTA_EXCEEDED" => Self::Quota(detail),
            "RESOURCE_ALREADY_EXISTS" => Self::Exists,
            "RESOURCE_NOT_FOUND" => Self::Missing,
            "RESOURCE_NOT_READY" | "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE" => Self::NotReady(detail),
            _ if is_exhausted(message) => Self::ZoneIsFull(detail),
            _ => Self::Other(detail),
        })
    }

    /// The error of the trait, for `action`.
    pub(super) fn into_error(self, action: &str) -> ProviderError {
        match self {
            Self::ZoneIsFull(detail) => capacity(action, &format!("{detail}; {ELSEWHERE}")),
            Self::Quota(detail) => capacity(action, &format!("{detail}; {RAISE_QUOTA}")),
            Self::Exists => call(action, "there is something of that name already"),
            Self::Missing => call(action, "it is not there"),
            Self::NotReady(detail) | Self::Other(detail) => call(action, &detail),
        }
    }
}

pub(super) fn capacity(what: &str, detail: &str) -> ProviderError {
    ProviderError::Capacity {
        provider: provider_name(),
        what: what.to_owned(),
        detail: detail.to_owned(),
    }
}

pub(super) fn call(action: &str, detail: &str) -> ProviderError {
    ProviderError::Call {
        provider: provider_name(),
        action: action.to_owned(),
        detail: detail.to_owned(),
    }
}

pub(super) fn not_in_time(action: &str, patience: Duration) -> ProviderError {
    call(action, &format!("it has not come about within {} s", patience.as_secs()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(status: u16, reason: &str, message: &str) -> Refusal {
        let body = json!({"error": {
            "code": status, "message": message,
            "errors": [{"reason": reason, "message": message, "domain": "global"}],
        }});
        let (code, message) = GcpDialect.read(&body);
        Refusal { status, code, message, retry_after: None, body }
    }

    #[test]
    fn refusals_mean_what_google_says() {
        let says =
            |status, reason, message: &str| GcpDialect.judge(&refusal(status, reason, message));
        assert!(
            matches!(says(401, "authError", ""), Verdict::Credentials { fix } if fix.contains("gcloud auth"))
        );
        assert!(
            matches!(says(403, "forbidden", ""), Verdict::Credentials { fix } if fix.contains("role"))
        );
        assert!(
            matches!(says(403, "accessNotConfigured", ""), Verdict::Failed { fix: Some(fix) } if fix.contains("enable"))
        );
        assert_eq!(says(403, "quotaExceeded", ""), Verdict::Capacity);
        assert_eq!(says(403, "rateLimitExceeded", ""), Verdict::Throttled);
        assert_eq!(says(429, "", ""), Verdict::Throttled);
        assert_eq!(says(503, "", "ZONE_RESOURCE_POOL_EXHAUSTED"), Verdict::Capacity);
        assert_eq!(says(404, "notFound", ""), Verdict::Failed { fix: None });
        assert!(GcpDialect.is_passing(&refusal(403, "rateLimitExceeded", "")));
        assert!(GcpDialect.is_passing(&refusal(503, "backendError", "")));
        assert!(!GcpDialect.is_passing(&refusal(503, "", "ZONE_RESOURCE_POOL_EXHAUSTED")));
        assert!(!GcpDialect.is_passing(&refusal(403, "forbidden", "")));
    }

    #[test]
    fn failed_operations_are_told_apart() {
        let failure = |code: &str| {
            let operation = json!({
                "name": "operation-1", "status": "DONE",
                "error": {"errors": [{"code": code, "message": "it says"}]},
            });
            OperationFailure::of(&serde_json::from_value(operation).unwrap()).unwrap()
        };
        assert!(matches!(failure("ZONE_RESOURCE_POOL_EXHAUSTED"), OperationFailure::ZoneIsFull(_)));
        assert_eq!(failure("RESOURCE_NOT_FOUND"), OperationFailure::Missing);
        let error = failure("QUOTA_EXCEEDED").into_error("making m1");
        assert_eq!(
            error.to_string(),
            "gcp: no capacity for making m1: it says (QUOTA_EXCEEDED); raise the quota at \
             https://console.cloud.google.com/iam-admin/quotas, or use another region"
        );
        let done =
            serde_json::from_value(json!({"name": "operation-1", "status": "DONE"})).unwrap();
        assert_eq!(OperationFailure::of(&done), None);
    }
}
