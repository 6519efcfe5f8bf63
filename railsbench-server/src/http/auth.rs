//! Who calls, and what they may do.
//!
//! A token is `rb_` and 32 random bytes in base64url; only its SHA-256 is stored. The operator
//! token of the configuration is compared as a hash as well, in constant time. Every route names
//! its requirement as its first argument, so a caller learns nothing from a body that it may not
//! send.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use railsbench_core::id::RunId;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::App;
use super::problem::ApiError;
use crate::store::{Scope, StoredToken, TokenHash, TokenOwner};

/// Name of the cookie that holds a browser's reader token.
pub(crate) const SESSION_COOKIE: &str = "railsbench_session";

/// The hash under which a token is stored.
pub(crate) fn hash(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

/// Makes and stores a token that nobody lists.
pub(crate) async fn mint(
    app: &App,
    scope: Scope,
    valid_for: Duration,
) -> Result<(SecretString, Timestamp), ApiError> {
    let expires_at = end(app.clock.now(), valid_for);
    Ok((store(app, scope, expires_at, None).await?, expires_at))
}

/// When something ends that begins now.
pub(crate) fn end(now: Timestamp, valid_for: Duration) -> Timestamp {
    SignedDuration::try_from(valid_for)
        .ok()
        .and_then(|valid_for| now.checked_add(valid_for).ok())
        .unwrap_or(Timestamp::MAX)
}

/// Makes and stores a token.
pub(crate) async fn store(
    app: &App,
    scope: Scope,
    expires_at: Timestamp,
    owner: Option<TokenOwner>,
) -> Result<SecretString, ApiError> {
    let mut random = [0; 32];
    rand::fill(&mut random);
    // The prefix shows searchers of leaked secrets what it is, and no token looks like an option.
    let text = format!("rb_{}", URL_SAFE_NO_PAD.encode(random));
    app.store.add_token(StoredToken { hash: hash(&text), scope, expires_at, owner }).await?;
    Ok(SecretString::from(text))
}

/// Someone with a good token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Principal {
    /// May do everything.
    Operator,
    /// May look.
    Reader,
    /// May do the runner calls of one run.
    Run(RunId),
}

impl Principal {
    /// Who bears this token.
    pub(crate) async fn of_token(app: &App, token: &str) -> Result<Option<Self>, ApiError> {
        let hash = hash(token);
        if bool::from(hash.ct_eq(&app.operator_key)) {
            return Ok(Some(Self::Operator));
        }
        let stored = app.store.token(&hash, app.clock.now()).await?;
        Ok(stored.and_then(|token| match token.scope {
            Scope::Operator => Some(Self::Operator),
            Scope::Reader => Some(Self::Reader),
            Scope::Run(run) => Some(Self::Run(run)),
            Scope::Login => None,
        }))
    }

    async fn of_request(parts: &Parts, app: &App) -> Result<Self, ApiError> {
        let unknown = || {
            ApiError::unauthorized(
                "the token is unknown or has expired: send `Authorization: Bearer TOKEN` with a \
                 good one",
            )
        };
        if let Some(header) = parts.headers.get(AUTHORIZATION) {
            let token = header.to_str().ok().and_then(bearer).ok_or_else(|| {
                ApiError::unauthorized("the Authorization header is not `Bearer TOKEN`")
            })?;
            return Self::of_token(app, token).await?.ok_or_else(unknown);
        }
        // A cookie comes along without being asked for, so it is good for looking only.
        let looks = parts.method == Method::GET || parts.method == Method::HEAD;
        if let Some(token) = session_cookie(&parts.headers).filter(|_| looks) {
            return match Self::of_token(app, token).await? {
                Some(Self::Reader) => Ok(Self::Reader),
                _ => Err(unknown()),
            };
        }
        Err(ApiError::unauthorized("no token: send `Authorization: Bearer TOKEN`"))
    }
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The session cookie of a request.
pub(crate) fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(SESSION_COOKIE)?.strip_prefix('='))
}

impl FromRequestParts<App> for Principal {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Self::of_request(parts, app).await
    }
}

/// Proof that the caller is an operator.
#[derive(Debug)]
pub(crate) struct Operator;

impl FromRequestParts<App> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        match Principal::of_request(parts, app).await? {
            Principal::Operator => Ok(Self),
            _ => Err(ApiError::forbidden("this call needs an operator token")),
        }
    }
}

/// Proof that the caller may look at everything.
#[derive(Debug)]
pub(crate) struct Reader;

impl FromRequestParts<App> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        match Principal::of_request(parts, app).await? {
            Principal::Operator | Principal::Reader => Ok(Self),
            Principal::Run(_) => {
                Err(ApiError::forbidden("this call needs an operator or reader token"))
            }
        }
    }
}

/// Someone who may make runner calls: of every run, or of one.
#[derive(Debug)]
pub(crate) struct Runner(Option<RunId>);

impl Runner {
    /// Refuses the runner of another run.
    pub(crate) fn may_act_for(&self, run: &RunId) -> Result<(), ApiError> {
        match &self.0 {
            Some(own) if own != run => {
                Err(ApiError::forbidden("the token is for the runners of another run"))
            }
            _ => Ok(()),
        }
    }
}

impl FromRequestParts<App> for Runner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        match Principal::of_request(parts, app).await? {
            Principal::Operator => Ok(Self(None)),
            Principal::Run(run) => Ok(Self(Some(run))),
            Principal::Reader => {
                Err(ApiError::forbidden("this call needs an operator token or that of its run"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_is_not_case_sensitive_and_must_carry_a_token() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc "), Some("abc"));
        for bad in ["Bearer", "Bearer ", "Basic abc", "abc", ""] {
            assert_eq!(bearer(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_session_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=b; railsbench_sessions=no".parse().unwrap());
        assert_eq!(session_cookie(&headers), None);
        headers.append(COOKIE, "c=d; railsbench_session=yes".parse().unwrap());
        assert_eq!(session_cookie(&headers), Some("yes"));
    }
}
