//! One call: put together, made, tried again, answered.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use railsbench_core::provider::ProviderError;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderValue, RETRY_AFTER};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::client::header;
use super::retry::retry_after;
use super::{Failure, Refusal, RestClient, RestError};

/// Longest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 32 << 20;

/// A call that is being put together.
#[must_use = "a call is made by `send`"]
pub struct Call<'a> {
    client: &'a RestClient,
    method: Method,
    action: String,
    url: Result<Url, String>,
    headers: HeaderMap,
    body: Body,
}

#[derive(Clone)]
enum Body {
    None,
    Json(Value),
    Form(Vec<(String, String)>),
}

/// An answer with a status that says yes.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status, 200 to 299.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// The body; null if there is none.
    pub body: Value,
    /// How many attempts were made.
    pub attempts: u32,
}

impl Answer {
    /// A header as text; absent if it is not there or no text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// For how long the cloud wants to be left alone, if it says.
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(self.header("retry-after")?, Timestamp::now())
    }
}

impl<'a> Call<'a> {
    pub(super) fn new(
        client: &'a RestClient,
        method: Method,
        action: String,
        url: Result<Url, String>,
    ) -> Self {
        Self { client, method, action, url, headers: HeaderMap::new(), body: Body::None }
    }

    /// Adds a parameter to the URL. No secret belongs there.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        if let Ok(url) = &mut self.url {
            url.query_pairs_mut().append_pair(name, value);
        }
        self
    }

    /// Adds a header, in place of the client's own of that name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match header(name, value) {
            Ok((name, value)) => {
                self.headers.insert(name, value);
            }
            Err(detail) => self.url = Err(format!("header {name:?}: {detail}")),
        }
        self
    }

    /// Sends this as the JSON body.
    pub fn json(mut self, body: &impl Serialize) -> Self {
        match serde_json::to_value(body) {
            Ok(body) => self.body = Body::Json(body),
            Err(error) => self.url = Err(format!("its body cannot be JSON: {error}")),
        }
        self
    }

    /// Sends this as a form, as token services want it.
    pub fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        self.body = Body::Form(fields.iter().map(owned).collect());
        self
    }

    /// Makes the call, and again while that may help.
    ///
    /// # Errors
    /// [`RestError`] if the last attempt failed.
    pub async fn send(self) -> Result<Answer, RestError> {
        let mut attempts = 0;
        let mut refreshed = false;
        loop {
            attempts += 1;
            let failure = match self.attempt().await {
                Ok(answer) => return Ok(Answer { attempts, ..answer }),
                Err(failure) => failure,
            };
            // A token may end early; a fresh one is tried once and at once.
            let unauthorised =
                matches!(&failure, Failure::Refused { refusal, .. } if refusal.status == 401);
            if let Some(tokens) = self.client.tokens.as_ref().filter(|_| unauthorised)
                && !refreshed
                && tokens.refused().await
            {
                refreshed = true;
                continue;
            }
            let asked = match &failure {
                Failure::Refused { refusal, .. } if self.client.dialect.is_passing(refusal) => {
                    Some(refusal.retry_after)
                }
                Failure::Unanswered(_) => Some(None),
                _ => None,
            };
            let wait = asked
                .and_then(|asked| self.client.retry.wait(attempts, asked, rand::random::<f64>()));
            let Some(wait) = wait else {
                return Err(RestError {
                    provider: self.client.provider.clone(),
                    action: self.action,
                    failure,
                    attempts,
                });
            };
            tracing::debug!(
                provider = %self.client.provider, action = %self.action, attempts, %failure,
                wait_ms = wait.as_millis(), "trying again"
            );
            tokio::time::sleep(wait).await;
        }
    }

    /// Makes the call and reads the answer's body as `T`.
    ///
    /// # Errors
    /// [`RestError`] if the last attempt failed, or if the answer is no `T`.
    pub async fn send_for<T: DeserializeOwned>(self) -> Result<T, RestError> {
        let provider = self.client.provider.clone();
        let action = self.action.clone();
        let answer = self.send().await?;
        let attempts = answer.attempts;
        serde_json::from_value(answer.body).map_err(|error| RestError {
            provider,
            action,
            failure: Failure::Unreadable(error.to_string()),
            attempts,
        })
    }

    fn unmade(&self, detail: &str) -> Failure {
        Failure::Unmade(ProviderError::Call {
            provider: self.client.provider.clone(),
            action: self.action.clone(),
            detail: format!("the call was not made: {detail}"),
        })
    }

    async fn attempt(&self) -> Result<Answer, Failure> {
        let client = self.client;
        let url = self.url.as_ref().map_err(|detail| self.unmade(detail))?;
        let mut headers = client.headers.clone();
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
        if let Some(tokens) = &client.tokens {
            let token = tokens.token().await.map_err(Failure::Unmade)?;
            let bearer = format!("Bearer {}", token.expose_secret());
            let mut bearer = HeaderValue::from_str(&bearer)
                .map_err(|_| self.unmade("the token holds characters that no header can"))?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        let slot = client.slots.acquire().await;
        let _slot = slot.map_err(|_| self.unmade("the client is closed"))?;
        let request = client.http.request(self.method.clone(), url.clone()).headers(headers);
        let request = match &self.body {
            // Some front ends refuse such a call without a length.
            Body::None if matches!(self.method, Method::POST | Method::PUT | Method::PATCH) => {
                request.header(CONTENT_LENGTH, 0)
            }
            Body::None => request,
            Body::Json(body) => request.json(body),
            Body::Form(fields) => request.form(fields),
        };
        let started = Instant::now();
        let exchange = async {
            let mut response = request.send().await.map_err(unanswered)?;
            let mut body = Vec::new();
            while let Some(part) = response.chunk().await.map_err(unanswered)? {
                if body.len() + part.len() > LONGEST_ANSWER {
                    let detail = format!("it is longer than {LONGEST_ANSWER} bytes");
                    return Err(Failure::Unreadable(detail));
                }
                body.extend_from_slice(&part);
            }
            Ok((response, body))
        };
        let patience = client.retry.attempt_timeout;
        let (response, body) = tokio::time::timeout(patience, exchange)
            .await
            .map_err(|_| Failure::Unanswered(format!("within {} s", patience.as_secs_f64())))??;
        let status = response.status().as_u16();
        tracing::debug!(
            provider = %client.provider, method = %self.method, path = url.path(), status,
            milliseconds = started.elapsed().as_millis(), "call"
        );
        let headers = response.headers().clone();
        if (200..300).contains(&status) {
            let body = if body.is_empty() {
                Value::Null
            } else {
                serde_json::from_slice(&body)
                    .map_err(|error| Failure::Unreadable(error.to_string()))?
            };
            return Ok(Answer { status, headers, body, attempts: 0 });
        }
        Err(self.refused(status, &headers, &body))
    }

    fn refused(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Failure {
        let dialect = &self.client.dialect;
        let body = serde_json::from_slice(body).unwrap_or_default();
        let (code, message) = dialect.read(&body);
        let retry_after = headers
            .get(RETRY_AFTER)
            .and_then(|value| retry_after(value.to_str().ok()?, Timestamp::now()));
        let refusal = Refusal { status, code, message, retry_after, body };
        let verdict = dialect.judge(&refusal);
        Failure::Refused { refusal: Box::new(refusal), verdict }
    }
}

/// The URL is left out: what was tried is said in words, and a query may be long.
#[allow(clippy::needless_pass_by_value)] // it is used by `map_err`
fn unanswered(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let mut detail = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        detail = format!("{detail}: {inner}");
        cause = inner.source();
    }
    Failure::Unanswered(detail)
}
