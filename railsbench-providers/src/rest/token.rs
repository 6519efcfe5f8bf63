//! Where bearer tokens come from.

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use railsbench_core::provider::ProviderError;
use secrecy::SecretString;
use tokio::sync::Mutex;

/// A token is renewed when it has less than this left: a call and its retries fit into it.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_mins(5);

/// Who is asked for a bearer token before each call.
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// A token that is good for now.
    ///
    /// # Errors
    /// [`ProviderError::Credentials`] saying how to get one.
    async fn token(&self) -> Result<SecretString, ProviderError>;

    /// The cloud has refused the last token. Gives whether the next one may be another.
    async fn refused(&self) -> bool;
}

/// A token that the operator was given and that stays the same.
pub struct FixedToken(SecretString);

impl FixedToken {
    /// Uses this token.
    pub fn new(token: SecretString) -> Self {
        Self(token)
    }
}

#[async_trait]
impl TokenSource for FixedToken {
    async fn token(&self) -> Result<SecretString, ProviderError> {
        Ok(self.0.clone())
    }

    async fn refused(&self) -> bool {
        false
    }
}

/// A token that was just issued.
pub struct IssuedToken {
    /// The token.
    pub token: SecretString,
    /// How long it is good for.
    pub valid_for: Duration,
}

/// Who issues tokens for credentials, at the price of a call.
#[async_trait]
pub trait TokenIssuer: Send + Sync {
    /// Issues a token.
    ///
    /// # Errors
    /// [`ProviderError::Credentials`] saying how to put the credentials right.
    async fn issue(&self) -> Result<IssuedToken, ProviderError>;
}

/// Keeps an issued token until shortly before its end. Calls that come while one is issued wait
/// for it.
pub struct CachedTokens<I> {
    issuer: I,
    kept: Mutex<Option<(SecretString, Timestamp)>>,
}

impl<I: TokenIssuer> CachedTokens<I> {
    /// Asks this issuer when a token is needed.
    pub fn new(issuer: I) -> Self {
        Self { issuer, kept: Mutex::new(None) }
    }
}

#[async_trait]
impl<I: TokenIssuer> TokenSource for CachedTokens<I> {
    async fn token(&self) -> Result<SecretString, ProviderError> {
        let mut kept = self.kept.lock().await;
        let now = Timestamp::now();
        if let Some((token, renew_at)) = kept.as_ref().filter(|(_, renew_at)| now < *renew_at) {
            tracing::trace!(%renew_at, "token is still good");
            return Ok(token.clone());
        }
        let issued = self.issuer.issue().await?;
        let life = SignedDuration::try_from(issued.valid_for).unwrap_or(SignedDuration::MAX);
        // Of a token that lives no longer than that, half the life is used.
        let usable = life.saturating_sub(RENEW_BEFORE).max(life / 2);
        if let Ok(renew_at) = now.checked_add(usable) {
            *kept = Some((issued.token.clone(), renew_at));
        }
        Ok(issued.token)
    }

    async fn refused(&self) -> bool {
        self.kept.lock().await.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use secrecy::ExposeSecret;

    use super::*;

    struct Counting(AtomicU32, Duration);

    #[async_trait]
    impl TokenIssuer for Counting {
        async fn issue(&self) -> Result<IssuedToken, ProviderError> {
            let number = self.0.fetch_add(1, Ordering::SeqCst);
            Ok(IssuedToken { token: format!("token {number}").into(), valid_for: self.1 })
        }
    }

    async fn ask(tokens: &impl TokenSource) -> String {
        tokens.token().await.unwrap().expose_secret().to_owned()
    }

    #[tokio::test]
    async fn a_token_is_kept_until_it_is_refused() {
        let tokens = CachedTokens::new(Counting(AtomicU32::new(0), Duration::from_hours(1)));
        assert_eq!(ask(&tokens).await, "token 0");
        assert_eq!(ask(&tokens).await, "token 0");
        assert!(tokens.refused().await);
        assert_eq!(ask(&tokens).await, "token 1");
    }

    #[tokio::test]
    async fn a_token_without_life_is_asked_for_again() {
        let tokens = CachedTokens::new(Counting(AtomicU32::new(0), Duration::ZERO));
        assert_eq!(ask(&tokens).await, "token 0");
        assert_eq!(ask(&tokens).await, "token 1");
    }

    #[tokio::test]
    async fn a_fixed_token_cannot_be_another() {
        let tokens = FixedToken::new("one".to_owned().into());
        assert_eq!(ask(&tokens).await, "one");
        assert!(!tokens.refused().await);
    }
}
