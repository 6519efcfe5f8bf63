//! Tokens by name: of operators and of those who look.

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::runs::shown_once;
use crate::id::TokenName;

/// What the bearer of a named token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum TokenScope {
    /// Everything.
    Operator,
    /// GETs and the dashboard.
    Reader,
}

impl TokenScope {
    /// As it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Reader => "reader",
        }
    }
}

/// `POST /tokens`: a token that is wanted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Whose it is; no other token may have the name.
    pub name: TokenName,
    /// What it allows.
    pub scope: TokenScope,
    /// For how many seconds; without, for a year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_seconds: Option<u64>,
}

/// A token as `GET /tokens` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenView {
    /// Whose it is.
    pub name: TokenName,
    /// What it allows.
    pub scope: TokenScope,
    /// When it was made.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// When it ends.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires_at: Timestamp,
}

/// `POST /tokens`: the token that was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedToken {
    /// What is known of it.
    #[serde(flatten)]
    pub token: TokenView,
    /// The token itself; shown here and never again.
    #[serde(serialize_with = "shown_once")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub secret: SecretString,
}

/// `GET /tokens`: the named tokens that have not ended, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenList {
    /// The tokens.
    pub tokens: Vec<TokenView>,
}
