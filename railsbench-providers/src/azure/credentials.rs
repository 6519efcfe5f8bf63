//! Tokens for the Resource Manager: for an application with a client secret, for the managed
//! identity of the machine that railsbench runs on, or from the Azure CLI.
//!
//! These three are one call each, made with the client that is there anyway. Microsoft's own
//! `azure_identity` exists only as a beta, and brings `azure_core` with a second stack for calls,
//! time and TLS along, of which nothing else here would be used.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use railsbench_core::provider::ProviderError;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::process::Command;
use url::Url;

use super::naming::provider_name;
use super::settings::Credentials;
use crate::rest::{
    CachedTokens, FixedToken, IssuedToken, PlainDialect, RestClient, RestError, RetryPolicy,
    TokenIssuer, TokenSource,
};

/// How long the Azure CLI may take.
const CLI_PATIENCE: Duration = Duration::from_mins(1);

/// What helps where no token is to be had.
pub(super) const FIX: &str = "run `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and \
                   AZURE_CLIENT_SECRET, or AZURE_USE_MANAGED_IDENTITY=true on a machine at Azure";

/// Who gives tokens for calls to `management_url`.
pub(super) fn tokens(
    credentials: &Credentials,
    management_url: &Url,
    retry: RetryPolicy,
) -> Arc<dyn TokenSource> {
    let resource = management_url.as_str().trim_end_matches('/').to_owned();
    match credentials {
        Credentials::Token(token) => Arc::new(FixedToken::new(token.clone())),
        credentials => Arc::new(CachedTokens::new(Issuer {
            credentials: credentials.clone(),
            resource,
            retry,
        })),
    }
}

struct Issuer {
    credentials: Credentials,
    resource: String,
    retry: RetryPolicy,
}

/// What the token services answer: numbers, which the metadata service writes as texts.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: serde_json::Value,
}

/// What the Azure CLI prints.
#[derive(Deserialize)]
struct CliAnswer {
    #[serde(rename = "accessToken")]
    access_token: String,
    /// Since 1970, in seconds; only newer versions say it.
    expires_on: Option<i64>,
}

#[async_trait]
impl TokenIssuer for Issuer {
    async fn issue(&self) -> Result<IssuedToken, ProviderError> {
        match &self.credentials {
            Credentials::Application { authority_url, tenant, client_id, client_secret } => {
                let action = "getting a token for the application";
                let client = self.client(authority_url)?;
                let scope = format!("{}/.default", self.resource);
                let call = client.post(action, &[tenant, "oauth2", "v2.0", "token"]).form(&[
                    ("grant_type", "client_credentials"),
                    ("client_id", client_id),
                    ("client_secret", client_secret.expose_secret()),
                    ("scope", &scope),
                ]);
                issued(call.send_for().await.map_err(refused)?)
            }
            Credentials::ManagedIdentity { metadata_url, client_id } => {
                let action = "getting a token for the managed identity";
                let mut url = metadata_base(metadata_url)?
                    .join("metadata/identity/oauth2/token")
                    .map_err(|error| unusable(format!("{metadata_url}: {error}")))?;
                url.query_pairs_mut()
                    .append_pair("api-version", "2018-02-01")
                    .append_pair("resource", &self.resource);
                if let Some(id) = client_id {
                    url.query_pairs_mut().append_pair("client_id", id);
                }
                issued(from_metadata(action, url, self.retry.attempt_timeout).await?)
            }
            Credentials::AzureCli => from_cli(&self.resource).await,
            Credentials::Token(token) => {
                Ok(IssuedToken { token: token.clone(), valid_for: Duration::MAX })
            }
        }
    }
}

impl Issuer {
    fn client(&self, base: &str) -> Result<RestClient, ProviderError> {
        let base: Url = base.parse().map_err(|error| unusable(format!("{base:?}: {error}")))?;
        let client = RestClient::new(provider_name(), &base, Arc::new(PlainDialect))?;
        Ok(client.with_retry(self.retry))
    }
}

/// The metadata service speaks http on a link-local address, which no one else can be at.
fn metadata_base(base: &str) -> Result<Url, ProviderError> {
    let base: Url = base.parse().map_err(|error| unusable(format!("{base:?}: {error}")))?;
    let local = match base.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback() || address.is_link_local(),
        _ => false,
    };
    if local { Ok(base) } else { Err(unusable(format!("{base} is not a link-local address"))) }
}

fn issued(answer: Answer) -> Result<IssuedToken, ProviderError> {
    let seconds = match &answer.expires_in {
        serde_json::Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    };
    let seconds =
        seconds.ok_or_else(|| unusable("the token service says no time of expiry".to_owned()))?;
    Ok(IssuedToken { token: answer.access_token.into(), valid_for: Duration::from_secs(seconds) })
}

async fn from_metadata(
    action: &str,
    url: Url,
    patience: Duration,
) -> Result<Answer, ProviderError> {
    let failed =
        |error: reqwest::Error| unusable(format!("{action} failed: {}", error.without_url()));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(patience)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(failed)?;
    let response = client.get(url).header("metadata", "true").send().await.map_err(failed)?;
    response.error_for_status().map_err(failed)?.json().await.map_err(failed)
}

async fn from_cli(resource: &str) -> Result<IssuedToken, ProviderError> {
    let mut command = Command::new("az");
    command
        .args(["account", "get-access-token", "--output", "json", "--resource", resource])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(CLI_PATIENCE, command.output())
        .await
        .map_err(|_| unusable(format!("`az` gives no token within {} s", CLI_PATIENCE.as_secs())))?
        .map_err(|error| unusable(format!("`az` cannot be run: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
        return Err(unusable(format!("`az` gives no token: {}", first.trim())));
    }
    from_cli_answer(&output.stdout, Timestamp::now())
}

fn from_cli_answer(bytes: &[u8], now: Timestamp) -> Result<IssuedToken, ProviderError> {
    // What is not understood may hold a token, so it is not shown.
    let answer: CliAnswer = serde_json::from_slice(bytes)
        .map_err(|_| unusable("what `az` prints is no token".to_owned()))?;
    let left = answer.expires_on.map_or(0, |at| at.saturating_sub(now.as_second()));
    Ok(IssuedToken {
        token: SecretString::from(answer.access_token),
        valid_for: Duration::from_secs(u64::try_from(left).unwrap_or(0)),
    })
}

fn refused(error: RestError) -> ProviderError {
    match error.refusal() {
        Some(refusal) if refusal.status < 500 && refusal.status != 429 => {
            // The first line is enough; those after it are for Microsoft's support.
            let said = refusal.message.lines().next().unwrap_or_default().trim().to_owned();
            unusable(format!("no token for the application: {said} ({})", refusal.code))
        }
        _ => error.into(),
    }
}

fn unusable(problem: String) -> ProviderError {
    ProviderError::Credentials { provider: provider_name(), problem, fix: FIX.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_cli_prints_is_read_and_never_shown() {
        let now = Timestamp::from_second(1_000).unwrap();
        let text = br#"{"accessToken": "secret", "expires_on": 4600, "tokenType": "Bearer"}"#;
        let token = from_cli_answer(text, now).unwrap();
        assert_eq!(token.token.expose_secret(), "secret");
        assert_eq!(token.valid_for, Duration::from_hours(1));
        let old = from_cli_answer(br#"{"accessToken": "secret"}"#, now).unwrap();
        assert_eq!(old.valid_for, Duration::ZERO);
        let error = from_cli_answer(b"secret", now).err().unwrap().to_string();
        assert!(error.contains("az login") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn times_of_expiry_are_numbers_or_texts() {
        for expires_in in [serde_json::json!(3599), serde_json::json!("3599")] {
            let answer = Answer { access_token: "t".to_owned(), expires_in };
            assert_eq!(issued(answer).unwrap().valid_for, Duration::from_secs(3599));
        }
        let answer = Answer { access_token: "t".to_owned(), expires_in: serde_json::Value::Null };
        assert!(issued(answer).is_err());
    }
}
