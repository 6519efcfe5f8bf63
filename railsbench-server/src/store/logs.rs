//! How much of the logs of runners is kept.

use railsbench_core::protocol::LogPart;

/// How much of the end of an attempt's log is kept, in bytes: at least so much, and less than one
/// part more.
pub const KEPT: u64 = 64 << 10;

/// Of how many attempts at a task logs are kept, the latest.
pub const ATTEMPTS: u32 = 5;

/// What of a part is not in the log yet, which ends at `end`.
pub(super) fn news(part: LogPart, end: Option<u64>) -> Option<LogPart> {
    part.after(end.unwrap_or(0))
}

/// Parts that end here or before are too old, once the log goes on to `end`.
pub(super) fn outdated(end: u64) -> u64 {
    end.saturating_sub(KEPT)
}
