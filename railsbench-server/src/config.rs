//! What a server is told at its start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use railsbench_core::config::PROVIDERS;
use railsbench_core::lifecycle::Policy;
use secrecy::SecretString;
use url::Url;

use crate::RunnerFiles;
use crate::artifacts::archive::Limits;
#[cfg(feature = "s3")]
use crate::artifacts::s3::S3Config;

/// Where results are kept.
#[derive(Debug, Clone)]
pub enum ArtifactsConfig {
    /// In a folder of the data folder, served by this server.
    Filesystem,
    /// In Amazon S3 or anything that speaks its API.
    #[cfg(feature = "s3")]
    S3(S3Config),
}

/// What a server is told at its start; [`ServerConfig::new`] has a default for everything else.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Address to listen on; port 0 takes a free one, see [`crate::Server::url`].
    pub listen: SocketAddr,
    /// How runners and operators reach the server, if not at `listen`: what its URLs begin with.
    pub public_url: Option<Url>,
    /// The operator token. Without one the server makes one and keeps it in `operator.token`
    /// of the data folder; then it listens on loopback only.
    pub api_key: Option<SecretString>,
    /// Folder of the database, the artifacts and the keys; made if it is missing. One server
    /// at a time uses it.
    pub data_dir: PathBuf,
    /// Where results are kept.
    pub artifacts: ArtifactsConfig,
    /// Leases and attempts of new runs; `max_attempts` is the run configuration's.
    pub policy: Policy,
    /// The providers whose names a run configuration may use.
    pub providers: Vec<String>,
    /// The runner's executables that machines can fetch.
    pub runners: RunnerFiles,
    /// Largest upload that a runner may make, in bytes.
    pub max_upload_bytes: u64,
    /// How long an upload URL is good for; runners ask for a fresh one at any time.
    pub upload_url_valid: Duration,
    /// How long a download URL is good for.
    pub download_url_valid: Duration,
    /// How long the token of a run is good for.
    pub run_token_valid: Duration,
    /// How long a browser stays logged in to the dashboard.
    pub session_valid: Duration,
    /// How often leases that have run out are looked for.
    pub reap_every: Duration,
    /// How long a shutdown waits for requests that are under way.
    pub drain_timeout: Duration,
}

impl ServerConfig {
    /// A server on this address that keeps everything in this folder.
    pub fn new(listen: SocketAddr, data_dir: impl Into<PathBuf>) -> Self {
        Self {
            listen,
            public_url: None,
            api_key: None,
            data_dir: data_dir.into(),
            artifacts: ArtifactsConfig::Filesystem,
            policy: Policy::default(),
            providers: PROVIDERS.iter().map(ToString::to_string).collect(),
            runners: RunnerFiles::none(),
            max_upload_bytes: Limits::default().max_bytes,
            upload_url_valid: Duration::from_hours(1),
            download_url_valid: Duration::from_hours(1),
            run_token_valid: Duration::from_hours(30 * 24),
            session_valid: Duration::from_hours(12),
            reap_every: Duration::from_secs(1),
            drain_timeout: Duration::from_secs(30),
        }
    }
}
