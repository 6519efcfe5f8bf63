//! What can go wrong on purpose.

use std::time::Duration;

/// What goes wrong.
#[derive(Debug, Clone)]
pub enum Wrong {
    /// The call is refused, with `Retry-After` if given.
    Refused {
        /// The HTTP status.
        status: u16,
        /// Google's word for it, e.g. `quotaExceeded`.
        reason: &'static str,
        /// What it says.
        message: &'static str,
        /// Seconds to wait.
        retry_after: Option<u64>,
    },
    /// The call has its effect, and its answer is late by this much.
    LateAnswer(Duration),
    /// The call's operation fails with this code, and without effect.
    OperationFails(&'static str),
}

/// A fault: what goes wrong, with which calls, how often.
#[derive(Debug, Clone)]
pub struct Fault {
    /// A part of the method's name, e.g. `instances.insert`.
    pub method: &'static str,
    /// A part of the path; empty for all.
    pub path: &'static str,
    /// How often.
    pub times: u32,
    /// What goes wrong.
    pub wrong: Wrong,
}

impl Fault {
    /// Calls of a method are refused.
    pub fn refused(method: &'static str, times: u32, status: u16, reason: &'static str) -> Self {
        let wrong = Wrong::Refused { status, reason, message: "it says no", retry_after: None };
        Self { method, path: "", times, wrong }
    }

    /// The operations of a method fail with this code, e.g. `ZONE_RESOURCE_POOL_EXHAUSTED`.
    pub fn operation(method: &'static str, times: u32, code: &'static str) -> Self {
        Self { method, path: "", times, wrong: Wrong::OperationFails(code) }
    }

    /// The answers of a method come later than any client waits.
    pub fn late(method: &'static str, times: u32) -> Self {
        Self { method, path: "", times, wrong: Wrong::LateAnswer(Duration::from_secs(3)) }
    }

    /// The same, only for calls whose path holds this.
    #[must_use]
    pub fn in_path(self, path: &'static str) -> Self {
        Self { path, ..self }
    }
}

/// A process to be killed at a call.
#[derive(Debug, Clone, Copy)]
pub struct Death {
    /// At which call, counted from 1.
    pub call: usize,
    /// Whether the call has its effect before.
    pub after_effect: bool,
    /// Which process.
    pub process: u32,
}
