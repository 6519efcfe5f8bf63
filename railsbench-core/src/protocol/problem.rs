//! Errors on the wire: RFC 9457 problem details.

use serde::{Deserialize, Serialize};

use crate::config::FieldError;

/// An `application/problem+json` body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{title}: {detail}")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// A stable name for the kind of problem, e.g. `about:blank` or `urn:railsbench:lease_lost`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The kind of problem in words.
    #[serde(default)]
    pub title: String,
    /// The HTTP status code.
    #[serde(default)]
    pub status: u16,
    /// What happened this time, and what to do about it.
    #[serde(default)]
    pub detail: String,
    /// The short form that simple clients match on, e.g. `lease_lost`.
    #[serde(default)]
    pub error: String,
    /// For validation: each wrong field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}
