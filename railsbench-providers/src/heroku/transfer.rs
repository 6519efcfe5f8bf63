//! Bytes that go to, and come from, places that Heroku names by URL: the store that sources are
//! uploaded to, and the stream that logs are read from. The URL itself is the permission, so no
//! token is sent, and it is shown nowhere.

use std::time::Duration;

use railsbench_core::provider::ProviderError;
use reqwest::redirect;
use url::Url;

use super::naming::provider_name;
use crate::rest::RetryPolicy;

/// How much of the end of a log is shown.
const LONGEST_TEXT: usize = 64 * 1024;

/// How long one transfer may take.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The client for those places.
#[derive(Clone)]
pub(super) struct Transfer {
    http: reqwest::Client,
    retry: RetryPolicy,
    /// Whether plain `http` is taken: only where the Platform API is an emulator on this host.
    loopback: bool,
}

impl Transfer {
    pub(super) fn new(loopback: bool, retry: RetryPolicy) -> Result<Self, ProviderError> {
        // Fails only if the process has chosen a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("railsbench/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none());
        if loopback {
            builder = builder.no_proxy();
        }
        let http = builder
            .build()
            .map_err(|error| failed("making a client for uploads", &error.to_string()))?;
        Ok(Self { http, retry, loopback })
    }

    /// Stores bytes. Doing it twice is as good as once.
    pub(super) async fn put(
        &self,
        action: &str,
        url: &str,
        bytes: &[u8],
    ) -> Result<(), ProviderError> {
        let url = self.checked(action, url)?;
        // The upload is signed for no content type.
        self.persist(action, || self.http.put(url.clone()).body(bytes.to_vec())).await.map(|_| ())
    }

    /// The end of a text.
    pub(super) async fn text(&self, action: &str, url: &str) -> Result<String, ProviderError> {
        let url = self.checked(action, url)?;
        let mut response = self.persist(action, || self.http.get(url.clone())).await?;
        let mut bytes: Vec<u8> = Vec::new();
        loop {
            let part = response.chunk().await;
            let Some(part) = part.map_err(|error| failed(action, &unnamed(error)))? else { break };
            bytes.extend_from_slice(&part);
            if bytes.len() > 2 * LONGEST_TEXT {
                bytes.drain(..bytes.len() - LONGEST_TEXT);
            }
        }
        let start = bytes.len().saturating_sub(LONGEST_TEXT);
        Ok(String::from_utf8_lossy(&bytes[start..]).into_owned())
    }

    fn checked(&self, action: &str, url: &str) -> Result<Url, ProviderError> {
        match url.parse::<Url>() {
            Ok(url) if url.scheme() == "https" || (self.loopback && url.scheme() == "http") => {
                Ok(url)
            }
            Ok(url) => Err(failed(action, &format!("Heroku names an address by {}", url.scheme()))),
            Err(error) => Err(failed(action, &format!("Heroku names no URL: {error}"))),
        }
    }

    async fn persist(
        &self,
        action: &str,
        request: impl Fn() -> reqwest::RequestBuilder,
    ) -> Result<reqwest::Response, ProviderError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let (problem, passing) = match request().send().await {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) => {
                    let status = response.status();
                    let passing = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
                    (format!("status {}", status.as_u16()), passing)
                }
                Err(error) => (unnamed(error), true),
            };
            match self.retry.wait(attempt, None, rand::random::<f64>()).filter(|_| passing) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(failed(action, &problem)),
            }
        }
    }
}

/// What went wrong, without the URL.
#[allow(clippy::needless_pass_by_value)] // the URL is taken out of it
fn unnamed(error: reqwest::Error) -> String {
    error.without_url().to_string()
}

fn failed(action: &str, detail: &str) -> ProviderError {
    ProviderError::Call {
        provider: provider_name(),
        action: action.to_owned(),
        detail: detail.to_owned(),
    }
}
