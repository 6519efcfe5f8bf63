//! Where runs are owned: an orchestrator of this process, one of another process on this
//! machine, or one that is reached by its URL.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use railsbench_server::{RunnerFiles, Server, ServerConfig, ServerError};
use rand::distr::{Alphanumeric, SampleString};
use secrecy::SecretString;
use url::Url;

use crate::client::{ClientError, OperatorClient};
use crate::state_dir::{Endpoint, StateDir, StateError};

/// How long to wait for another process to let go of the state folder: a listing is done in less,
/// a campaign is not.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);

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
    },
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
    embedded: Option<Embedded>,
}

struct Embedded {
    server: Server,
    announced: Option<StateDir>,
}

impl Connection {
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
        OrchestratorChoice::Remote { url, api_key } => remote(url, api_key).await,
        OrchestratorChoice::Embedded => {
            if let Some(client) = living(state).await? {
                return Ok(Connection { client, embedded: None });
            }
            let (client, server, _) = start(state, None, RunnerFiles::none()).await?;
            Ok(Connection { client, embedded: Some(Embedded { server, announced: None }) })
        }
    }
}

/// Connects for a campaign: to the remote orchestrator, or to one of this process, which other
/// processes on this machine can then find. `providers` are those whose names a configuration
/// may use, `runners` what machines can fetch from it.
///
/// # Errors
/// [`ConnectError`] saying what stands in the way.
pub async fn host(
    choice: &OrchestratorChoice,
    state: &StateDir,
    providers: Vec<String>,
    runners: RunnerFiles,
) -> Result<Connection, ConnectError> {
    match choice {
        OrchestratorChoice::Remote { url, api_key } => remote(url, api_key).await,
        OrchestratorChoice::Embedded => {
            let (client, server, endpoint) = start(state, Some(providers), runners).await?;
            state.announce(&endpoint)?;
            let embedded = Embedded { server, announced: Some(state.clone()) };
            Ok(Connection { client, embedded: Some(embedded) })
        }
    }
}

async fn remote(url: &Url, api_key: &SecretString) -> Result<Connection, ConnectError> {
    let client = OperatorClient::new(url.clone(), api_key.clone())?;
    client.health().await?;
    Ok(Connection { client, embedded: None })
}

/// The orchestrator that another process has announced, if it answers.
async fn living(state: &StateDir) -> Result<Option<OperatorClient>, ConnectError> {
    let Some(endpoint) = state.endpoint() else {
        return Ok(None);
    };
    let client = OperatorClient::new(endpoint.url, endpoint.api_key)?;
    Ok(client.health().await.is_ok().then_some(client))
}

async fn start(
    state: &StateDir,
    providers: Option<Vec<String>>,
    runners: RunnerFiles,
) -> Result<(OperatorClient, Server, Endpoint), ConnectError> {
    let api_key: SecretString = Alphanumeric.sample_string(&mut rand::rng(), 40).into();
    let deadline = tokio::time::Instant::now() + LOCK_PATIENCE;
    let server = loop {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut config = ServerConfig::new(loopback, state.orchestrator_dir());
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
    let endpoint = Endpoint { url: server.url().clone(), api_key: api_key.clone() };
    let client = OperatorClient::new(endpoint.url.clone(), api_key)?;
    Ok((client, server, endpoint))
}
