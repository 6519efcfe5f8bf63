//! Starting, running and draining a server.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use crate::artifacts::{ArtifactError, ArtifactStore, FilesystemArtifacts};
use crate::clock::{Clock, SystemClock};
use crate::config::{ArtifactsConfig, ServerConfig};
use crate::data_dir::DataDir;
use crate::http::App;
use crate::store::{SqliteStore, Store, StoreError};
use crate::{http, reaper};

/// Why a server could not start, or not end well.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// It would be open to the network with nothing to keep strangers out.
    #[error(
        "refusing to listen on {0} without an operator token: set API_KEY, or listen on 127.0.0.1"
    )]
    NoApiKey(SocketAddr),
    /// The operator token is no token.
    #[error(
        "the operator token is {0}: set API_KEY to a long random text, e.g. of `openssl rand -hex 32`"
    )]
    BadApiKey(&'static str),
    /// Its URLs would lead nowhere.
    #[error(
        "listening on {0} says nothing about how runners reach this server: set the public URL, \
         e.g. --public-url https://bench.example.org"
    )]
    NoPublicUrl(SocketAddr),
    /// The public URL cannot be built upon.
    #[error(
        "the public URL {0} is not usable: it must start with http:// or https:// and have neither query nor fragment"
    )]
    BadPublicUrl(Url),
    /// A number makes no sense.
    #[error("{setting} is {value}: it must be {wanted}")]
    BadSetting {
        /// Which.
        setting: &'static str,
        /// As given.
        value: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// The data folder cannot be used.
    #[error("cannot use the data folder {}: cannot {action}: {source}", path.display())]
    DataDir {
        /// The folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What went wrong.
        source: io::Error,
    },
    /// Another server has it.
    #[error("the data folder {} is in use by another server: stop that one, or choose another folder", .0.display())]
    DataDirInUse(PathBuf),
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}; stop what uses it, or choose another address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What went wrong.
        source: io::Error,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The artifact store cannot be opened.
    #[error(transparent)]
    Artifacts(#[from] ArtifactError),
    /// Something of its own failed.
    #[error("the server failed: {0}")]
    Failed(String),
    /// Requests were still under way at the end of the drain.
    #[error("requests were still under way after {} s and were cut off", .0.as_secs())]
    DrainTimeout(Duration),
}

impl ServerError {
    pub(crate) fn data_dir(path: &Path, action: &'static str, source: io::Error) -> Self {
        Self::DataDir { path: path.to_owned(), action, source }
    }

    /// Whether what it was told is wrong, as opposed to where it runs.
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::NoApiKey(_)
                | Self::BadApiKey(_)
                | Self::NoPublicUrl(_)
                | Self::BadPublicUrl(_)
                | Self::BadSetting { .. }
        )
    }
}

/// Parts that replace what the configuration would make.
pub struct Parts {
    /// Instead of SQLite in the data folder.
    pub store: Option<Arc<dyn Store>>,
    /// Instead of what [`ServerConfig::artifacts`] says.
    pub artifacts: Option<Arc<dyn ArtifactStore>>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl Default for Parts {
    fn default() -> Self {
        Self { store: None, artifacts: None, clock: Arc::new(SystemClock) }
    }
}

/// A server that runs. Dropping it ends it without waiting; [`Server::shutdown`] drains it.
pub struct Server {
    url: Url,
    address: SocketAddr,
    api_key: SecretString,
    drain_timeout: Duration,
    app: App,
    stop_listening: CancellationToken,
    ended: CancellationToken,
    serving: JoinHandle<io::Result<()>>,
    reaping: JoinHandle<()>,
    _on_drop: [DropGuard; 2],
    /// Last, so that the lock outlives everything that uses the folder.
    _data: DataDir,
}

impl Server {
    /// Starts a server; it takes requests when this returns.
    ///
    /// # Errors
    /// [`ServerError`] if the configuration is unsafe, or the data folder, the address, the
    /// store or the artifact store cannot be used.
    pub async fn start(config: ServerConfig) -> Result<Self, ServerError> {
        Self::start_with(config, Parts::default()).await
    }

    /// Starts a server on other parts than the configuration would make.
    ///
    /// # Errors
    /// As for [`Server::start`].
    pub async fn start_with(config: ServerConfig, parts: Parts) -> Result<Self, ServerError> {
        check(&config)?;
        let data = DataDir::open(&config.data_dir)?;
        let api_key = match &config.api_key {
            Some(key) => key.clone(),
            None => data.operator_token()?,
        };
        let listening = |source| ServerError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let url = match &config.public_url {
            Some(url) => url.clone(),
            None => Url::parse(&format!("http://{address}"))
                .map_err(|error| ServerError::Failed(error.to_string()))?,
        };
        let store = match parts.store {
            Some(store) => store,
            None => open_store(data.join("railsbench.sqlite3")).await?,
        };
        let artifacts = match parts.artifacts {
            Some(artifacts) => artifacts,
            None => open_artifacts(&config, &data, &url).await?,
        };
        let drain_timeout = config.drain_timeout;
        let reap_every = config.reap_every;
        let app = App::new(config, &url, &api_key, store, artifacts, parts.clock);

        let stop_listening = CancellationToken::new();
        let ended = CancellationToken::new();
        let router = http::router(app.clone());
        let listener = listener.tap_io(|stream| {
            // Small answers must not wait for more to come; without it they only come later.
            let _ = stream.set_nodelay(true);
        });
        let serve = axum::serve(listener, router)
            .with_graceful_shutdown(stop_listening.clone().cancelled_owned());
        let on_end = ended.clone().drop_guard();
        let serving = tokio::spawn(async move {
            let _on_end = on_end;
            serve.await
        });
        let reaping = tokio::spawn(reaper::run(app.clone(), reap_every));
        tracing::info!(url = %url, %address, "listening");
        Ok(Self {
            url,
            address,
            api_key,
            drain_timeout,
            _on_drop: [app.draining.clone().drop_guard(), stop_listening.clone().drop_guard()],
            app,
            stop_listening,
            ended,
            serving,
            reaping,
            _data: data,
        })
    }

    /// Where runners and operators reach it.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The operator token: as configured, or the one that the server made.
    pub fn api_key(&self) -> &SecretString {
        &self.api_key
    }

    /// Waits until the server has ended, which it does only by failing or by
    /// [`Server::shutdown`].
    pub async fn wait(&self) {
        self.ended.cancelled().await;
    }

    /// Ends the server: new requests get 503, event streams and long polls end, and what is
    /// under way is finished, for as long as [`ServerConfig::drain_timeout`] allows.
    ///
    /// # Errors
    /// [`ServerError::DrainTimeout`] if requests had to be cut off, [`ServerError::Failed`] if
    /// the server had failed before.
    pub async fn shutdown(self) -> Result<(), ServerError> {
        tracing::info!("draining");
        let deadline = Instant::now() + self.drain_timeout;
        self.app.draining.cancel();
        self.app.in_flight.close();
        // If time runs out here, it has run out below as well.
        let _ = timeout_at(deadline, self.app.in_flight.wait()).await;
        self.stop_listening.cancel();
        let abort = self.serving.abort_handle();
        let served = timeout_at(deadline, self.serving).await;
        let reaped = self.reaping.await;
        match served {
            Err(_) => {
                abort.abort();
                return Err(ServerError::DrainTimeout(self.drain_timeout));
            }
            Ok(Err(error)) => return Err(ServerError::Failed(error.to_string())),
            Ok(Ok(Err(error))) => return Err(ServerError::Failed(error.to_string())),
            Ok(Ok(Ok(()))) => {}
        }
        reaped.map_err(|error| ServerError::Failed(error.to_string()))
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

/// Refuses configurations that would be unsafe or useless.
fn check(config: &ServerConfig) -> Result<(), ServerError> {
    match &config.api_key {
        None if !config.listen.ip().is_loopback() => {
            return Err(ServerError::NoApiKey(config.listen));
        }
        Some(key) if key.expose_secret().is_empty() => {
            return Err(ServerError::BadApiKey("empty"));
        }
        Some(key) if !key.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) => {
            return Err(ServerError::BadApiKey("not one word of printable ASCII characters"));
        }
        _ => {}
    }
    match &config.public_url {
        None if config.listen.ip().is_unspecified() => {
            return Err(ServerError::NoPublicUrl(config.listen));
        }
        Some(url)
            if !matches!(url.scheme(), "http" | "https")
                || url.query().is_some()
                || url.fragment().is_some()
                || !url.username().is_empty()
                || url.password().is_some() =>
        {
            let mut shown = url.clone();
            // A URL that cannot hold a password has none to hide.
            let _ = shown.set_password(None);
            return Err(ServerError::BadPublicUrl(shown));
        }
        _ => {}
    }
    let policy = &config.policy;
    if policy.heartbeat < Duration::from_secs(1) {
        return Err(ServerError::BadSetting {
            setting: "the heartbeat interval",
            value: format!("{:?}", policy.heartbeat),
            wanted: "at least 1 second",
        });
    }
    if policy.lease < policy.heartbeat.saturating_mul(2) {
        return Err(ServerError::BadSetting {
            setting: "the lease",
            value: format!("{:?}", policy.lease),
            wanted: "at least two heartbeat intervals, so that one may be lost",
        });
    }
    if config.max_upload_bytes == 0 {
        return Err(ServerError::BadSetting {
            setting: "the largest upload",
            value: "0 bytes".to_owned(),
            wanted: "at least 1 byte",
        });
    }
    if config.reap_every.is_zero() {
        return Err(ServerError::BadSetting {
            setting: "the pause between looks for expired leases",
            value: "0".to_owned(),
            wanted: "more than nothing",
        });
    }
    Ok(())
}

async fn open_store(path: PathBuf) -> Result<Arc<dyn Store>, ServerError> {
    let store = tokio::task::spawn_blocking(move || SqliteStore::open(&path))
        .await
        .map_err(|error| ServerError::Failed(error.to_string()))??;
    Ok(Arc::new(store))
}

#[cfg_attr(not(feature = "s3"), expect(clippy::unused_async, reason = "only S3 has to be asked"))]
async fn open_artifacts(
    config: &ServerConfig,
    data: &DataDir,
    url: &Url,
) -> Result<Arc<dyn ArtifactStore>, ServerError> {
    match &config.artifacts {
        ArtifactsConfig::Filesystem => {
            let key = data.signing_key()?;
            Ok(Arc::new(FilesystemArtifacts::open(data.join("artifacts"), &key, url)?))
        }
        #[cfg(feature = "s3")]
        ArtifactsConfig::S3(config) => {
            Ok(Arc::new(crate::artifacts::S3Artifacts::open(config.clone()).await?))
        }
    }
}
