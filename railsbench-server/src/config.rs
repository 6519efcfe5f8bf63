//! What a server is told at its start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use railsbench_core::config::PROVIDERS;
use railsbench_core::lifecycle::Policy;
use railsbench_core::loopback::is_loopback;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::RunnerFiles;
use crate::artifacts::archive::Limits;
#[cfg(feature = "s3")]
use crate::artifacts::s3::S3Config;
use crate::server::ServerError;
use crate::tls::TlsConfig;

/// Where results are kept.
#[derive(Debug, Clone)]
pub enum ArtifactsConfig {
    /// In a folder of the data folder, served by this server.
    Filesystem,
    /// In a folder of their own, which several servers may share and each of them serves.
    Folder(PathBuf),
    /// In Amazon S3 or anything that speaks its API.
    #[cfg(feature = "s3")]
    S3(S3Config),
}

/// Where runs, tasks, events and tokens are kept.
#[derive(Debug, Clone)]
pub enum DatabaseConfig {
    /// In an SQLite file of the data folder.
    Sqlite,
    /// In PostgreSQL, where other servers may work on the same runs.
    #[cfg(feature = "postgres")]
    Postgres(crate::store::PostgresConfig),
}

/// What a server is told at its start; [`ServerConfig::new`] has a default for everything else.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Address to listen on; port 0 takes a free one, see [`crate::Server::url`].
    pub listen: SocketAddr,
    /// Serve https with this certificate; without one the server speaks plain http.
    pub tls: Option<TlsConfig>,
    /// Speak plain http also where others may listen; otherwise only on loopback.
    pub allow_plain_http: bool,
    /// How often the files of [`TlsConfig::Files`] are looked at for a new certificate.
    pub tls_look_every: Duration,
    /// How runners and operators reach the server, if not at `listen`: what its URLs begin with.
    pub public_url: Option<Url>,
    /// The operator token. Without one the server makes one and keeps it in `operator.token`
    /// of the data folder; then it listens on loopback only.
    pub api_key: Option<SecretString>,
    /// Folder of the database, the artifacts and the keys; made if it is missing. One server
    /// at a time uses it.
    pub data_dir: PathBuf,
    /// Where runs, tasks, events and tokens are kept.
    pub database: DatabaseConfig,
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
            tls: None,
            allow_plain_http: false,
            tls_look_every: Duration::from_secs(10),
            public_url: None,
            api_key: None,
            data_dir: data_dir.into(),
            database: DatabaseConfig::Sqlite,
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

    /// Refuses configurations that would be unsafe or useless.
    pub(crate) fn check(&self) -> Result<(), ServerError> {
        match &self.api_key {
            None if !self.listen.ip().is_loopback() => {
                return Err(ServerError::NoApiKey(self.listen));
            }
            Some(key) if key.expose_secret().is_empty() => {
                return Err(ServerError::BadApiKey("empty"));
            }
            Some(key) if !key.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) => {
                return Err(ServerError::BadApiKey("not one word of printable ASCII characters"));
            }
            _ => {}
        }
        match &self.public_url {
            None if self.listen.ip().is_unspecified() && self.domain().is_none() => {
                return Err(ServerError::NoPublicUrl(self.listen));
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
        match (&self.tls, &self.public_url) {
            (None, _) if self.allow_plain_http => {}
            (None, _) if !self.listen.ip().is_loopback() => {
                return Err(ServerError::PlainHttp(self.listen.to_string()));
            }
            (None, Some(url)) if url.scheme() == "http" && !is_loopback(url) => {
                return Err(ServerError::PlainHttp(url.to_string()));
            }
            (Some(_), Some(url)) if url.scheme() == "http" => {
                return Err(ServerError::NotHttps(url.clone()));
            }
            _ => {}
        }
        if self.tls_look_every.is_zero() {
            return Err(ServerError::BadSetting {
                setting: "the pause between looks for a new certificate",
                value: "0".to_owned(),
                wanted: "more than nothing",
            });
        }
        #[cfg(feature = "postgres")]
        self.check_sharing()?;
        let policy = &self.policy;
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
        if self.max_upload_bytes == 0 {
            return Err(ServerError::BadSetting {
                setting: "the largest upload",
                value: "0 bytes".to_owned(),
                wanted: "at least 1 byte",
            });
        }
        if self.reap_every.is_zero() {
            return Err(ServerError::BadSetting {
                setting: "the pause between looks for expired leases",
                value: "0".to_owned(),
                wanted: "more than nothing",
            });
        }
        Ok(())
    }

    /// Refuses a server that could not stand beside another one on the same database.
    #[cfg(feature = "postgres")]
    fn check_sharing(&self) -> Result<(), ServerError> {
        let DatabaseConfig::Postgres(database) = &self.database else { return Ok(()) };
        if let Some(problem) = database.problem() {
            return Err(ServerError::BadDatabase(problem));
        }
        if self.api_key.is_none() {
            let fix = "set the same API_KEY for all of them";
            return Err(ServerError::NotShared { what: "the operator token", fix });
        }
        if matches!(self.artifacts, ArtifactsConfig::Filesystem) {
            let fix = "use --s3-bucket, or --artifacts-dir with a folder that all of them reach";
            return Err(ServerError::NotShared { what: "the results", fix });
        }
        Ok(())
    }

    /// The hosts by which the server is called, as far as its configuration tells.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let listen = Some(self.listen.ip()).filter(|ip| !ip.is_unspecified());
        let public = self.public_url.as_ref().and_then(Url::host_str).map(ToOwned::to_owned);
        public.into_iter().chain(listen.map(|ip| ip.to_string())).collect()
    }

    /// Where runners and operators reach a server that listens on this address.
    pub(crate) fn url_at(&self, address: SocketAddr) -> Result<Url, ServerError> {
        if let Some(url) = &self.public_url {
            return Ok(url.clone());
        }
        let url = match (self.domain(), &self.tls) {
            (Some(domain), _) => format!("https://{domain}:{}", address.port()),
            (None, Some(_)) => format!("https://{address}"),
            (None, None) => format!("http://{address}"),
        };
        Url::parse(&url).map_err(|error| ServerError::Failed(error.to_string()))
    }

    /// The domain that a certificate is got for.
    fn domain(&self) -> Option<&str> {
        match &self.tls {
            #[cfg(feature = "acme")]
            Some(TlsConfig::Acme(acme)) => acme.domains.first().map(String::as_str),
            _ => None,
        }
    }
}
