//! Starting, running and draining a server.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::serve::{Listener, ListenerExt};
use railsbench_core::provider::CaCertificate;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use crate::artifacts::{ArtifactError, ArtifactStore};
use crate::backends::{self, Opened};
use crate::clock::{Clock, SystemClock};
use crate::config::ServerConfig;
use crate::data_dir::DataDir;
use crate::http::App;
use crate::store::{Store, StoreError};
use crate::tls::{Place, Tls, TlsError, TlsListener};
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
    /// Others could read along.
    #[error(
        "refusing to serve {0} by plain http: tokens and results would be there for all to read \
         on the way; give the server a certificate (--tls-cert and --tls-key, --acme-domain or \
         --tls-private-ca), or --allow-plain-http where nobody else can listen, e.g. behind a \
         proxy that speaks https"
    )]
    PlainHttp(String),
    /// The public URL says http, and the server speaks https.
    #[error("the public URL {0} is plain http, and this server speaks https: write https://")]
    NotHttps(Url),
    /// There is no certificate to serve with.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Servers that share a database must agree on more than it.
    #[error("a server on PostgreSQL is one of several, which must share {what}: {fix}")]
    NotShared {
        /// What they share.
        what: &'static str,
        /// How.
        fix: &'static str,
    },
    /// The database's URL is no good. It is not shown, because it holds a password.
    #[error("the database URL is not usable: {0}")]
    BadDatabase(&'static str),
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
                | Self::NotShared { .. }
                | Self::BadDatabase(_)
                | Self::PlainHttp(_)
                | Self::NotHttps(_)
                | Self::BadSetting { .. }
        ) || matches!(self, Self::Tls(error) if error.is_configuration())
    }
}

/// Parts that replace what the configuration would make.
pub struct Parts {
    /// Instead of what [`ServerConfig::database`] says.
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
    tls: Option<Arc<Tls>>,
    _renewing: Option<AbortOnDropHandle<()>>,
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
        config.check()?;
        let data = DataDir::open(&config.data_dir)?;
        let api_key = match &config.api_key {
            Some(key) => key.clone(),
            None => data.operator_token()?,
        };
        let tls = match &config.tls {
            Some(tls) => {
                let place = Place { data: &data, hosts: config.hosts() };
                Some(Arc::new(Tls::new(tls, &place)?))
            }
            None => None,
        };
        let listening = |source| ServerError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let url = config.url_at(address)?;
        let store = match parts.store {
            Some(store) => Opened::alone(store),
            None => backends::open_store(&config, &data).await?,
        };
        let artifacts = match parts.artifacts {
            Some(artifacts) => artifacts,
            None => backends::open_artifacts(&config, &data, &store, &url).await?,
        };
        let drain_timeout = config.drain_timeout;
        let reap_every = config.reap_every;
        let tls_look_every = config.tls_look_every;
        let app = App::new(config, &url, &api_key, store.store, artifacts, parts.clock);

        let stop_listening = CancellationToken::new();
        let ended = CancellationToken::new();
        let until = (stop_listening.clone(), ended.clone());
        let serving = if let Some(tls) = &tls {
            serve(TlsListener::new(listener, tls.server_config()?), app.clone(), until)
        } else {
            let listener = listener.tap_io(|stream| {
                // Small answers must not wait for more to come; without it they only come later.
                let _ = stream.set_nodelay(true);
            });
            serve(listener, app.clone(), until)
        };
        let renewing = tls.clone().map(|tls| {
            AbortOnDropHandle::new(tokio::spawn(async move {
                tls.keep_fresh(tls_look_every).await;
            }))
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
            tls,
            _renewing: renewing,
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

    /// The CA that clients must trust, if the server has one of its own.
    pub fn ca_certificate(&self) -> Option<&CaCertificate> {
        self.tls.as_ref()?.ca_certificate()
    }

    /// Takes the certificate that is there now, for connections that are made from now on. A
    /// server of plain http has nothing to do.
    ///
    /// # Errors
    /// [`TlsError`] if it is no good; then the one in use stays.
    pub fn reload_certificate(&self) -> Result<(), TlsError> {
        self.tls.as_ref().map_or(Ok(()), |tls| tls.reload())
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

/// Serves until the first of the two says so; cancels the second when that has ended.
fn serve<L: Listener<Addr: std::fmt::Debug>>(
    listener: L,
    app: App,
    (stop_listening, ended): (CancellationToken, CancellationToken),
) -> JoinHandle<io::Result<()>> {
    let serve = axum::serve(listener, http::router(app))
        .with_graceful_shutdown(stop_listening.cancelled_owned());
    let on_end = ended.drop_guard();
    tokio::spawn(async move {
        let _on_end = on_end;
        serve.await
    })
}
