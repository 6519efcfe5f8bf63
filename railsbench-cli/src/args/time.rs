//! Lengths of time as arguments.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

/// A length of time; days are of 24 hours.
pub(super) fn length(text: &str) -> Result<Duration, String> {
    const FIX: &str = "write a number and a unit, e.g. 6h, 90m or 2d";
    let span: Span = text.parse().map_err(|_| FIX.to_owned())?;
    let time = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| FIX.to_owned())?;
    Duration::try_from(time).map_err(|_| format!("it is negative; {FIX}"))
}
