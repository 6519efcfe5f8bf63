//! What a failed call means, and what to do about it.

use std::error::Error;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use railsbench_core::provider::ProviderError;

use super::super::naming::provider_name;

/// EC2 has no room for the type in the zone; another may have.
const NO_CAPACITY: [&str; 6] = [
    "InsufficientCapacity",
    "InsufficientFreeAddressesInSubnet",
    "InsufficientHostCapacity",
    "InsufficientInstanceCapacity",
    "InsufficientReservedInstanceCapacity",
    // Of RunInstances: the type is not there in this zone, or not now.
    "Unsupported",
];

/// The account may not have more, in any zone.
const OVER_QUOTA: [&str; 6] = [
    "InstanceLimitExceeded",
    "MaxSpotInstanceCountExceeded",
    "ResourceLimitExceeded",
    "SecurityGroupLimitExceeded",
    "VcpuLimitExceeded",
    "VolumeLimitExceeded",
];

const THROTTLED: [&str; 6] = [
    "EC2ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

const REFUSED: [&str; 12] = [
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
];

const FORBIDDEN: [&str; 3] = ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"];

pub(super) fn is_lack_of_capacity(code: &str) -> bool {
    NO_CAPACITY.contains(&code)
}

/// A call that failed.
#[derive(Debug)]
pub(in super::super) struct Failure {
    action: String,
    /// AWS's own word for it; empty if the call got no answer.
    code: String,
    message: String,
    /// There was nothing to sign the call with.
    unsigned: bool,
}

impl Failure {
    pub(super) fn new<E, R>(action: impl Into<String>, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
        R: fmt::Debug + 'static,
    {
        let service = error.as_service_error();
        let code = service.and_then(ProvideErrorMetadata::code).unwrap_or_default();
        let message = match service.and_then(ProvideErrorMetadata::message) {
            Some(message) => readable(message),
            // The answer of who is in between, or of a service in distress.
            None if service.is_some() => "the answer is not one of AWS's".to_owned(),
            None => causes(error),
        };
        Self {
            action: action.into(),
            code: code.to_owned(),
            message,
            unsigned: caused_by_credentials(error),
        }
    }

    /// An answer that is not as AWS documents it.
    pub(super) fn strange(action: impl Into<String>, message: impl Into<String>) -> Self {
        let (action, message) = (action.into(), message.into());
        Self { action, code: String::new(), message, unsigned: false }
    }

    pub(in super::super) fn is(&self, code: &str) -> bool {
        self.code == code
    }

    /// EC2's word for what does not exist: `InvalidGroup.NotFound` and the like.
    pub(in super::super) fn is_not_found(&self) -> bool {
        self.code.ends_with(".NotFound") || self.code.ends_with(".Malformed")
    }

    /// Another zone may succeed.
    pub(in super::super) fn is_lack_of_capacity(&self) -> bool {
        is_lack_of_capacity(&self.code)
    }

    /// It got no answer, or one that says nothing of what happened: it may have had its effect.
    pub(in super::super) fn may_have_happened(&self) -> bool {
        !self.unsigned
            && matches!(
                self.code.as_str(),
                "" | "InternalError" | "InternalFailure" | "Unavailable"
            )
    }

    fn fix(&self) -> (String, &'static str) {
        let said = format!("{}: {}", self.code, self.message);
        if FORBIDDEN.contains(&self.code.as_str()) {
            let problem = format!("the credentials do not allow {} ({said})", self.action);
            return (
                problem,
                "attach the policy docs/providers/aws-policy.json to the user or role",
            );
        }
        if self.code == "OptInRequired" || self.code == "Blocked" {
            let problem = format!("the account may not use this yet ({said})");
            return (problem, "finish the sign-up or enable the region in the AWS console");
        }
        (
            format!("AWS refuses the credentials ({said})"),
            "log in again, or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY anew; \
             if they are right, set the clock of this machine",
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.code.is_empty() {
            write!(f, "{} failed: {}", self.action, self.message)
        } else {
            write!(f, "{} failed: {} ({})", self.action, self.message, self.code)
        }
    }
}

impl From<Failure> for ProviderError {
    fn from(failure: Failure) -> Self {
        let provider = provider_name();
        let code = failure.code.as_str();
        if failure.unsigned {
            return Self::Credentials {
                provider,
                problem: "there are no AWS credentials that work".to_owned(),
                fix: "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; \
                      `aws sts get-caller-identity` tells whether they work"
                    .to_owned(),
            };
        }
        if REFUSED.contains(&code)
            || FORBIDDEN.contains(&code)
            || matches!(code, "OptInRequired" | "Blocked")
        {
            let (problem, fix) = failure.fix();
            return Self::Credentials { provider, problem, fix: fix.to_owned() };
        }
        if THROTTLED.contains(&code) {
            // AWS does not say for how long; all attempts with their pauses are over by now.
            return Self::Throttled { provider, retry_after: None };
        }
        let detail = if code.is_empty() {
            failure.message.clone()
        } else {
            format!("{} ({code})", failure.message)
        };
        if is_lack_of_capacity(code) {
            let detail =
                format!("{detail}; set regions.aws to another region, or take another type");
            return Self::Capacity { provider, what: failure.action, detail };
        }
        if OVER_QUOTA.contains(&code) {
            let detail = format!(
                "{detail}; ask for more at https://console.aws.amazon.com/servicequotas, or run \
                 fewer machines at once"
            );
            return Self::Capacity { provider, what: failure.action, detail };
        }
        let detail = match code {
            "" => format!("{detail}; is the region right, and AWS reachable from here?"),
            "InvalidParameterValue" if failure.message.contains("InstanceType") => {
                format!("{detail}; take a type that the region offers")
            }
            _ => detail,
        };
        Self::Call { provider, action: failure.action, detail }
    }
}

/// A refusal is followed by a long code that says in secret what the reader has to allow.
fn readable(message: &str) -> String {
    let end = message.find("Encoded authorization failure message").unwrap_or(message.len());
    message[..end].trim_end().to_owned()
}

/// An error and what it comes from, without the call or the answer themselves.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

fn caused_by_credentials(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<CredentialsError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: &str, message: &str) -> ProviderError {
        Failure {
            action: "starting c7g.medium in us-east-1a".to_owned(),
            code: code.to_owned(),
            message: readable(message),
            unsigned: false,
        }
        .into()
    }

    #[test]
    fn each_code_means_one_thing() {
        let tables: [&[&str]; 5] = [&NO_CAPACITY, &OVER_QUOTA, &THROTTLED, &REFUSED, &FORBIDDEN];
        let mut codes = tables.concat();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }

    #[test]
    fn every_failure_says_what_to_do_about_it() {
        let cases = [
            ("InsufficientInstanceCapacity", "set regions.aws to another region"),
            ("VcpuLimitExceeded", "console.aws.amazon.com/servicequotas"),
            ("ExpiredToken", "log in again"),
            ("UnauthorizedOperation", "docs/providers/aws-policy.json"),
            ("OptInRequired", "enable the region"),
            ("RequestLimitExceeded", "limits the rate"),
            ("", "is the region right, and AWS reachable"),
            ("InvalidAMIID.NotFound", "(InvalidAMIID.NotFound)"),
        ];
        for (code, fix) in cases {
            let error = said(code, "EC2 says so").to_string();
            assert!(error.contains(fix), "{code}: {error}");
        }
    }

    #[test]
    fn what_only_a_computer_can_read_is_left_out() {
        let message = "You are not authorized to perform this operation. \
                       Encoded authorization failure message: 4GIOHlTkIaWHQD0Q0m6XSnuUMCm-abc";
        let error = said("UnauthorizedOperation", message).to_string();
        assert!(error.contains("perform this operation.)"), "{error}");
        assert!(!error.contains("4GIO"), "{error}");
    }
}
