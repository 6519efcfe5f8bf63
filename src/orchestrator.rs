//! Where runs are owned: an orchestrator of this process, one of another process on this
//! machine, or one that is reached by its URL.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use railsbench_core::provider::CaCertificate;
#[cfg(feature = "private-ca")]
use railsbench_server::TlsConfig;
use railsbench_server::{RunnerFiles, Server, ServerConfig, ServerError};
use rand::distr::{Alphanumeric, SampleString};
use secrecy::SecretString;
use url::Url;

use crate::client::{ClientError, OperatorClient};
use crate::state_dir::{Endpoint, StateDir, StateError};

/// How long to wait for another process to let go of the state folder: a listing is done in less,
/// a campaign is not.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);

/// Where the embedded orchestrator listens, unless machines need to reach it elsewhere.
pub(crate) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Stands in plans for an embedded orchestrator at this address, which has no port yet.
pub(crate) fn placeholder(address: IpAddr) -> String {
    let scheme = if address.is_loopback() { "http" } else { "https" };
    match address {
        IpAddr::V4(address) => format!("{scheme}://{address}"),
        IpAddr::V6(address) => format!("{scheme}://[{address}]"),
    }
}

/// Which orchestrator to use.
#[derive(Debug, Clone, Default)]
pub enum OrchestratorChoice {
    /// One inside this process, on loopback, with its data in the state folder.
    #[default]
    Embedded,
    /// One that runs elsewhere.
    Remote {
        /// Its base URL.
        url: Url,
        /// An operator token.
        api_key: SecretString,
        /// The only CA that is trusted when it is called, by this process and by machines;
        /// absent for those that the system trusts.
        ca_certificate: Option<CaCertificate>,
    },
}

impl OrchestratorChoice {
    /// The only CA that is trusted when the orchestrator is called.
    pub fn ca_certificate(&self) -> Option<&CaCertificate> {
        match self {
            Self::Embedded => None,
            Self::Remote { ca_certificate, .. } => ca_certificate.as_ref(),
        }
    }
}

/// Why no orchestrator can be had.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The state folder cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The embedded orchestrator does not start.
    #[error("the embedded orchestrator cannot start: {0}")]
    Start(#[from] ServerError),
    /// Another process hosts its campaign from the same state folder.
    #[error(
        "another railsbench run is at work in {path}; wait for it, or give this one its own --state-dir"
    )]
    Busy {
        /// The state folder.
        path: String,
    },
    /// It does not answer as it should.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// An orchestrator that answers.
pub struct Connection {
    /// Calls it.
    pub client: OperatorClient,
    ca_certificate: Option<CaCertificate>,
    embedded: Option<Embedded>,
}

struct Embedded {
    server: Server,
    announced: Option<StateDir>,
}

impl Connection {
    /// The only CA that machines must trust when they call it; absent for those that their
    /// systems trust.
    pub(crate) fn ca_certificate(&self) -> Option<&CaCertificate> {
        self.ca_certificate.as_ref()
    }

    /// Ends an orchestrator of this process after the calls under way; does nothing to others.
    ///
    /// # Errors
    /// [`ServerError`] if it could not end in order; what it acknowledged is kept all the same.
    pub async fn close(self) -> Result<(), ServerError> {
        let Some(embedded) = self.embedded else {
            return Ok(());
        };
        if let Some(state) = embedded.announced {
            state.withdraw();
        }
        embedded.server.shutdown().await
    }
}

/// Connects for a look or a single call: to the remote orchestrator, or to the embedded one of
/// another process if it lives, or else to one that is started from the state folder for the
/// purpose.
///
/// # Errors
/// [`ConnectError`] saying what stands in the way.
pub async fn connect(
    choice: &OrchestratorChoice,
    state: &StateDir,
) -> Result<Connection, ConnectError> {
    match choice {
        OrchestratorChoice::Remote { url, api_key, ca_certificate } => {
            remote(url, api_key, ca_certificate.as_ref()).await
        }
        OrchestratorChoice::Embedded => {
            if let Some(connection) = living(state).await? {
                return Ok(connection);
            }
            let (client, server, endpoint) =
                start(state, LOOPBACK, None, RunnerFiles::none()).await?;
            let embedded = Some(Embedded { server, announced: None });
            Ok(Connection { client, ca_certificate: endpoint.ca_certificate, embedded })
        }
    }
}

/// Connects for a campaign: to the remote orchestrator, or to one of this process, which other
/// processes on this machine can then find. That one listens on `address`: by plain http on
/// loopback, by https with a CA of its own elsewhere. `providers` are those whose names a
/// configuration may use, `runners` what machines can fetch from it.
///
/// # Errors
/// [`ConnectError`] saying what stands in the way.
pub async fn host(
    choice: &OrchestratorChoice,
    state: &StateDir,
    address: IpAddr,
    providers: Vec<String>,
    runners: RunnerFiles,
) -> Result<Connection, ConnectError> {
    match choice {
        OrchestratorChoice::Remote { url, api_key, ca_certificate } => {
            remote(url, api_key, ca_certificate.as_ref()).await
        }
        OrchestratorChoice::Embedded => {
            let (client, server, endpoint) =
                start(state, address, Some(providers), runners).await?;
            state.announce(&endpoint)?;
            let embedded = Some(Embedded { server, announced: Some(state.clone()) });
            Ok(Connection { client, ca_certificate: endpoint.ca_certificate, embedded })
        }
    }
}

async fn remote(
    url: &Url,
    api_key: &SecretString,
    ca: Option<&CaCertificate>,
) -> Result<Connection, ConnectError> {
    let client = OperatorClient::trusting(url.clone(), api_key.clone(), ca)?;
    client.health().await?;
    Ok(Connection { client, ca_certificate: ca.cloned(), embedded: None })
}

/// The orchestrator that another process has announced, if it answers.
async fn living(state: &StateDir) -> Result<Option<Connection>, ConnectError> {
    let Some(endpoint) = state.endpoint() else {
        return Ok(None);
    };
    let ca_certificate = endpoint.ca_certificate;
    let client = OperatorClient::trusting(endpoint.url, endpoint.api_key, ca_certificate.as_ref())?;
    let lives = client.health().await.is_ok();
    Ok(lives.then_some(Connection { client, ca_certificate, embedded: None }))
}

async fn start(
    state: &StateDir,
    address: IpAddr,
    providers: Option<Vec<String>>,
    runners: RunnerFiles,
) -> Result<(OperatorClient, Server, Endpoint), ConnectError> {
    let api_key: SecretString = Alphanumeric.sample_string(&mut rand::rng(), 40).into();
    let deadline = tokio::time::Instant::now() + LOCK_PATIENCE;
    let server = loop {
        let mut config =
            ServerConfig::new(SocketAddr::from((address, 0)), state.orchestrator_dir());
        // In a build without it, the server refuses to be open to others by plain http.
        #[cfg(feature = "private-ca")]
        if !address.is_loopback() {
            config.tls = Some(TlsConfig::PrivateCa { names: Vec::new() });
        }
        config.api_key = Some(api_key.clone());
        config.runners = runners.clone();
        if let Some(providers) = &providers {
            config.providers.clone_from(providers);
        }
        // Boxed: it is large, and callers hold it across their own waits.
        match Box::pin(Server::start(config)).await {
            Err(ServerError::DataDirInUse(_)) if tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(ServerError::DataDirInUse(_)) => {
                return Err(ConnectError::Busy { path: state.path().display().to_string() });
            }
            other => break other?,
        }
    };
    let endpoint = Endpoint {
        url: server.url().clone(),
        api_key: api_key.clone(),
        ca_certificate: server.ca_certificate().cloned(),
    };
    let client =
        OperatorClient::trusting(endpoint.url.clone(), api_key, endpoint.ca_certificate.as_ref())?;
    Ok((client, server, endpoint))
}
