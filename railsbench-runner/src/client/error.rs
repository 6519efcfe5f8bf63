//! What can come of a call, and whether it is worth another try.

use std::time::Duration;

use crate::config::RAILSBENCH_CA_FILE;

/// Why a call to the orchestrator or the artifact store did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No answer came: no route, no name, no connection, or it broke.
    #[error("{call}: {server} cannot be reached: {reason}")]
    Unreachable {
        /// What was asked.
        call: &'static str,
        /// Host and port.
        server: String,
        /// What went wrong, without URL.
        reason: String,
    },
    /// The server says that it cannot answer now: 408, 425, 429 or 5xx.
    #[error("{call}: the server answers {status}: {detail}")]
    Unavailable {
        /// What was asked.
        call: &'static str,
        /// The HTTP status.
        status: u16,
        /// What the server says.
        detail: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// An answer of success that is not what the protocol says.
    #[error("{call}: the answer is not understood: {problem}; is ORCHESTRATOR_URL right?")]
    Garbled {
        /// What was asked.
        call: &'static str,
        /// Why it is not understood.
        problem: String,
    },
    /// 401: the token is unknown or has ended.
    #[error("{call}: the token is not accepted: {detail}; check API_KEY")]
    Unauthorized {
        /// What was asked.
        call: &'static str,
        /// What the server says.
        detail: String,
    },
    /// 409: the task belongs to another attempt or has ended.
    #[error("{call}: {detail}")]
    LeaseLost {
        /// What was asked.
        call: &'static str,
        /// What the server says.
        detail: String,
    },
    /// Any other refusal; asking again would not help.
    #[error("{call}: refused with {status}: {detail}")]
    Rejected {
        /// What was asked.
        call: &'static str,
        /// The HTTP status.
        status: u16,
        /// What the server says.
        detail: String,
    },
    /// A file could not be read to be sent.
    #[error("{call}: {path} cannot be read: {source}")]
    File {
        /// What was asked.
        call: &'static str,
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// What is given as the orchestrator's CA is no certificate.
    #[error("the certificate in {RAILSBENCH_CA_FILE} cannot be used: {reason}")]
    Ca {
        /// Why.
        reason: String,
    },
    /// The HTTP client could not be made.
    #[error("the HTTP client cannot be set up: {reason}; are CA certificates installed?")]
    Setup {
        /// Why.
        reason: String,
    },
}

impl ClientError {
    /// Whether the same call may succeed later.
    pub fn may_get_better(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Unavailable { .. } | Self::Garbled { .. })
    }

    /// When the server wants to be asked again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The HTTP status of a refusal.
    pub fn rejected_status(&self) -> Option<u16> {
        match self {
            Self::Rejected { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Sorts an answer that is not a success by its status.
    pub(crate) fn from_status(
        call: &'static str,
        status: u16,
        detail: String,
        retry_after: Option<Duration>,
    ) -> Self {
        match status {
            401 => Self::Unauthorized { call, detail },
            409 => Self::LeaseLost { call, detail },
            408 | 425 | 429 | 500..=599 => Self::Unavailable { call, status, detail, retry_after },
            _ => Self::Rejected { call, status, detail },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_get_better_is_tried_again() {
        for (status, better) in [
            (301, false),
            (400, false),
            (401, false),
            (403, false),
            (404, false),
            (408, true),
            (409, false),
            (413, false),
            (422, false),
            (425, true),
            (429, true),
            (500, true),
            (502, true),
            (503, true),
            (599, true),
        ] {
            let error = ClientError::from_status("claim", status, String::new(), None);
            assert_eq!(error.may_get_better(), better, "{status}");
        }
    }
}
