//! One cloud's interface: where it is and how it is spoken to.

use std::sync::Arc;
use std::time::Duration;

use railsbench_core::id::ProviderName;
use railsbench_core::loopback::is_loopback;
use railsbench_core::provider::ProviderError;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, redirect};
use tokio::sync::Semaphore;
use url::Url;

use super::{Call, Dialect, RetryPolicy, TokenSource};

/// How many calls a cloud is asked to serve at once, unless told otherwise.
const CALLS_AT_ONCE: usize = 16;

/// The client for one cloud. Cheap to clone; clones share the limit of calls at once.
#[derive(Clone)]
pub struct RestClient {
    pub(super) http: reqwest::Client,
    pub(super) provider: ProviderName,
    pub(super) base: Url,
    pub(super) dialect: Arc<dyn Dialect>,
    pub(super) tokens: Option<Arc<dyn TokenSource>>,
    pub(super) headers: HeaderMap,
    pub(super) slots: Arc<Semaphore>,
    pub(super) retry: RetryPolicy,
}

impl RestClient {
    /// A client for the interface below this URL. Only `https` is taken, and `http` where the
    /// traffic does not leave this host.
    ///
    /// # Errors
    /// [`ProviderError::Call`] if the URL cannot be used.
    pub fn new(
        provider: ProviderName,
        base: &Url,
        dialect: Arc<dyn Dialect>,
    ) -> Result<Self, ProviderError> {
        let unusable = |detail: String| ProviderError::Call {
            provider: provider.clone(),
            action: format!("using {base} as its interface"),
            detail,
        };
        let loopback = is_loopback(base);
        let secure = base.scheme() == "https" || (base.scheme() == "http" && loopback);
        if !secure || base.cannot_be_a_base() || !base.username().is_empty() {
            return Err(unusable(
                "credentials are sent there; give an https URL without a user name".to_owned(),
            ));
        }
        // Fails only if the process has chosen a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("railsbench/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            // A redirect could take the token elsewhere, and no interface of these needs one.
            .redirect(redirect::Policy::none());
        if loopback {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| unusable(error.to_string()))?;
        let mut base = base.clone();
        base.set_query(None);
        base.set_fragment(None);
        Ok(Self {
            http,
            provider,
            base,
            dialect,
            tokens: None,
            headers: HeaderMap::new(),
            slots: Arc::new(Semaphore::new(CALLS_AT_ONCE)),
            retry: RetryPolicy::default(),
        })
    }

    /// Sends a bearer token with each call; without this none is.
    #[must_use]
    pub fn with_tokens(mut self, tokens: Arc<dyn TokenSource>) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Sends this header with each call.
    ///
    /// # Errors
    /// [`ProviderError::Call`] if no header can be made of it.
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, ProviderError> {
        let header = header(name, value).map_err(|detail| ProviderError::Call {
            provider: self.provider.clone(),
            action: format!("setting the header {name:?}"),
            detail,
        })?;
        self.headers.insert(header.0, header.1);
        Ok(self)
    }

    /// Makes at most this many calls at once, at least 1; 16 if never called.
    #[must_use]
    pub fn with_calls_at_once(mut self, calls: usize) -> Self {
        self.slots = Arc::new(Semaphore::new(calls.max(1)));
        self
    }

    /// Sets how often and how long calls are tried.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// The cloud.
    pub fn provider(&self) -> &ProviderName {
        &self.provider
    }

    /// Where its interface is.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Whether the interface is on this host, as that of an emulator is.
    pub fn is_on_this_host(&self) -> bool {
        is_loopback(&self.base)
    }

    /// A GET; `action` says in words what it is for, as in "looking up the app".
    pub fn get(&self, action: impl Into<String>, path: &[&str]) -> Call<'_> {
        self.call(Method::GET, action, path)
    }

    /// A POST.
    pub fn post(&self, action: impl Into<String>, path: &[&str]) -> Call<'_> {
        self.call(Method::POST, action, path)
    }

    /// A PUT.
    pub fn put(&self, action: impl Into<String>, path: &[&str]) -> Call<'_> {
        self.call(Method::PUT, action, path)
    }

    /// A PATCH.
    pub fn patch(&self, action: impl Into<String>, path: &[&str]) -> Call<'_> {
        self.call(Method::PATCH, action, path)
    }

    /// A DELETE.
    pub fn delete(&self, action: impl Into<String>, path: &[&str]) -> Call<'_> {
        self.call(Method::DELETE, action, path)
    }

    /// Any method on a path below the base. Each item of `path` is one segment of it, whatever
    /// characters it holds.
    pub fn call(&self, method: Method, action: impl Into<String>, path: &[&str]) -> Call<'_> {
        let mut url = self.base.clone();
        let joined = match url.path_segments_mut() {
            // The URL parser leaves these two out, and the path would be another one.
            Ok(_) if path.iter().any(|segment| matches!(*segment, "" | "." | "..")) => {
                Err("a part of its path is empty or a dot".to_owned())
            }
            Ok(mut segments) => {
                segments.pop_if_empty().extend(path);
                Ok(())
            }
            Err(()) => Err("the base URL has no path".to_owned()),
        };
        Call::new(self, method, action.into(), joined.map(|()| url))
    }

    /// A GET of a URL that the cloud itself has given: the next page, or the state of an
    /// operation. It must be of the same host, so that no token goes elsewhere.
    pub fn follow(&self, action: impl Into<String>, url: &str) -> Call<'_> {
        let url = match url.parse::<Url>() {
            Ok(url) if url.origin() == self.base.origin() => Ok(url),
            Ok(url) => Err(format!("{} is not {}", origin(&url), origin(&self.base))),
            Err(error) => Err(format!("it names no URL: {error}")),
        };
        Call::new(self, Method::GET, action.into(), url)
    }
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

pub(super) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let name = name.parse::<HeaderName>().map_err(|error| error.to_string())?;
    let value = value.parse::<HeaderValue>().map_err(|error| error.to_string())?;
    Ok((name, value))
}

impl std::fmt::Debug for RestClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RestClient")
            .field("provider", &self.provider)
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}
