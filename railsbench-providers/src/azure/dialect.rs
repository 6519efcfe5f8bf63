//! How Azure says that something is wrong: in the body of a refusal, or in an operation that
//! failed after it had begun.

use railsbench_core::provider::ProviderError;
use serde_json::Value;

use super::naming::provider_name;
use crate::rest::{Dialect, Refusal, RestError, Verdict};

const LOG_IN: &str = "run `az login` again, or renew the client secret";
const GRANT: &str = "give the identity the role of docs/providers/azure-role.json in this \
                     subscription, and wait a few minutes";
const SUBSCRIPTION: &str = "set AZURE_SUBSCRIPTION_ID to one that `az account list` shows";
const RAISE_QUOTA: &str = "raise the quota at https://portal.azure.com/#view/Microsoft_Azure_Capacity/QuotaMenuBlade, \
                           or use another region or size";

/// Words for a lack of room, in a zone or everywhere.
const NO_ROOM: [&str; 7] = [
    "AllocationFailed",
    "InsufficientCapacity",
    "OverconstrainedAllocationRequest",
    "OverconstrainedZonalAllocationRequest",
    "SkuNotAvailable",
    "ZonalAllocationFailed",
    "AllocationTimeout",
];

/// Words for what the subscription may have no more of.
const NO_QUOTA: [&str; 4] = [
    "QuotaExceeded",
    "PublicIPCountLimitReached",
    "ResourceGroupQuotaExceeded",
    "IPv4StandardSkuPublicIpCountLimitReached",
];

/// Words for another operation that is under way; it is over in a moment.
const BUSY: [&str; 5] = [
    "AnotherOperationInProgress",
    "ResourceGroupBeingDeleted",
    "RetryableError",
    "ReferencedResourceNotProvisioned",
    "InUseSubnetCannotBeUpdated",
];

/// The errors of the Resource Manager.
pub(super) struct ArmDialect;

impl Dialect for ArmDialect {
    fn read(&self, body: &Value) -> (String, String) {
        Trouble::read(&body["error"]).map_or_else(Default::default, |t| (t.code, t.message))
    }

    fn judge(&self, refusal: &Refusal) -> Verdict {
        let trouble = Trouble { code: refusal.code.clone(), message: refusal.message.clone() };
        match (refusal.status, refusal.code.as_str()) {
            (401, _) => Verdict::Credentials { fix: LOG_IN.to_owned() },
            (
                _,
                "SubscriptionNotFound" | "InvalidSubscriptionId" | "ReadOnlyDisabledSubscription",
            ) => Verdict::Credentials { fix: SUBSCRIPTION.to_owned() },
            _ if trouble.is_lack_of_quota() || trouble.is_lack_of_room() => Verdict::Capacity,
            (403, "RequestDisallowedByPolicy" | "ScopeLocked") => Verdict::Failed {
                fix: Some("ask whoever set the policy or lock of the subscription".to_owned()),
            },
            (403, _) => Verdict::Credentials { fix: GRANT.to_owned() },
            (429, _) => Verdict::Throttled,
            (_, "MissingSubscriptionRegistration") => Verdict::Failed {
                fix: Some(
                    "run `az provider register --namespace Microsoft.Compute` and the same for \
                     Microsoft.Network"
                        .to_owned(),
                ),
            },
            _ => Verdict::Failed { fix: None },
        }
    }

    fn is_passing(&self, refusal: &Refusal) -> bool {
        let busy = BUSY.contains(&refusal.code.as_str());
        let trouble = Trouble { code: refusal.code.clone(), message: refusal.message.clone() };
        busy || (matches!(refusal.status, 408 | 429 | 500 | 502 | 503 | 504)
            && !trouble.is_lack_of_room())
    }
}

/// What Azure gives as the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) code: String,
    pub(super) message: String,
}

impl Trouble {
    /// Reads an error; of one that only wraps others, the first of those.
    pub(super) fn read(error: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let outer = Self { code: text(&error["code"]), message: text(&error["message"]) };
        let inner = Self::read_inner(&error["details"][0]);
        if outer.code.is_empty() {
            return inner;
        }
        match inner {
            Some(inner) if inner.is_lack_of_room() || inner.is_lack_of_quota() => Some(inner),
            _ => Some(outer),
        }
    }

    fn read_inner(error: &Value) -> Option<Self> {
        let code = error["code"].as_str()?.to_owned();
        Some(Self { code, message: error["message"].as_str().unwrap_or_default().to_owned() })
    }

    /// Another zone may have room.
    pub(super) fn is_lack_of_room(&self) -> bool {
        NO_ROOM.contains(&self.code.as_str())
    }

    /// The subscription may have no more; another zone does not help.
    pub(super) fn is_lack_of_quota(&self) -> bool {
        // Compute says it in words, with a code that it has for much else.
        NO_QUOTA.contains(&self.code.as_str())
            || (self.code == "OperationNotAllowed" && self.message.contains("quota"))
    }

    /// The error of the trait, for what was tried.
    pub(super) fn error(self, action: &str) -> ProviderError {
        let said = format!("{} ({})", self.message, self.code);
        let detail = if self.is_lack_of_quota() { format!("{said}; {RAISE_QUOTA}") } else { said };
        if self.is_lack_of_quota() || self.is_lack_of_room() {
            ProviderError::Capacity { provider: provider_name(), what: action.to_owned(), detail }
        } else {
            ProviderError::Call { provider: provider_name(), action: action.to_owned(), detail }
        }
    }
}

/// The error of the trait for a call that failed, with the fix where it lacks quota.
pub(super) fn refused(error: RestError) -> ProviderError {
    let trouble = error
        .refusal()
        .map(|refusal| Trouble { code: refusal.code.clone(), message: refusal.message.clone() });
    match trouble {
        Some(trouble) if trouble.is_lack_of_quota() => trouble.error(&error.action),
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(status: u16, code: &str, message: &str) -> Refusal {
        Refusal {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
            retry_after: None,
            body: Value::Null,
        }
    }

    #[test]
    fn the_reason_is_found_below_its_wrapping() {
        let body = json!({"error": {"code": "DeploymentFailed", "message": "see below", "details":
            [{"code": "ZonalAllocationFailed", "message": "no room in zone 1"}]}});
        let expected = ("ZonalAllocationFailed".to_owned(), "no room in zone 1".to_owned());
        assert_eq!(ArmDialect.read(&body), expected);
        let plain = json!({"error": {"code": "NotFound", "message": "gone"}});
        assert_eq!(ArmDialect.read(&plain), ("NotFound".to_owned(), "gone".to_owned()));
        assert_eq!(ArmDialect.read(&Value::Null), (String::new(), String::new()));
    }

    #[test]
    fn refusals_mean_what_azure_means_by_them() {
        let judge = |status, code, message| ArmDialect.judge(&refusal(status, code, message));
        assert_eq!(judge(409, "SkuNotAvailable", ""), Verdict::Capacity);
        let quota = "Operation could not be completed as it results in exceeding approved quota";
        assert_eq!(judge(409, "OperationNotAllowed", quota), Verdict::Capacity);
        assert_eq!(judge(409, "OperationNotAllowed", "busy"), Verdict::Failed { fix: None });
        assert!(matches!(judge(403, "AuthorizationFailed", ""), Verdict::Credentials { .. }));
        assert!(matches!(judge(404, "SubscriptionNotFound", ""), Verdict::Credentials { .. }));
        assert!(matches!(judge(403, "RequestDisallowedByPolicy", ""), Verdict::Failed { .. }));
        assert!(!ArmDialect.is_passing(&refusal(409, "OperationNotAllowed", quota)));
        assert!(ArmDialect.is_passing(&refusal(409, "AnotherOperationInProgress", "")));
        assert!(ArmDialect.is_passing(&refusal(503, "ServerBusy", "")));
        assert!(!ArmDialect.is_passing(&refusal(503, "AllocationFailed", "")));
    }

    #[test]
    fn a_lack_of_quota_comes_with_its_fix() {
        let trouble = Trouble { code: "QuotaExceeded".to_owned(), message: "no more".to_owned() };
        let error = trouble.error("making m1").to_string();
        assert!(
            error.starts_with("azure: no capacity for making m1: no more (QuotaExceeded); raise"),
            "{error}"
        );
    }
}
