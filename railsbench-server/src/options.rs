//! Flags, environment variables and the configuration file of `railsbench-server`.
//!
//! All three have the same names; a flag wins over the environment, the environment over the
//! file. The operator token is none of them: a flag would show it in process lists, so it comes
//! from `API_KEY` or from a file of its own.

mod artifacts;
mod database;
mod error;
mod tls;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use railsbench_server::{RunnerFiles, ServerConfig};
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

pub(crate) use error::OptionsError;

/// Where the server listens if nothing else is said.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Where it keeps its data if nothing else is said.
const DATA_DIR: &str = "railsbench-data";

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Runs the railsbench orchestrator: owns runs and tasks, hands them to runners, keeps results.
#[derive(Debug, Default, Parser, Deserialize)]
#[command(version, after_help = AFTER_HELP)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Options {
    /// TOML file with any of these options, e.g. `listen = "127.0.0.1:8080"`
    #[arg(long, value_name = "FILE", env = "RAILSBENCH_CONFIG")]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// Address to listen on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", env = "RAILSBENCH_LISTEN")]
    listen: Option<SocketAddr>,
    /// How runners and operators reach the server, if not at the address it listens on
    #[arg(long, value_name = "URL", env = "RAILSBENCH_PUBLIC_URL")]
    public_url: Option<Url>,
    /// Serve https with the certificate in this file, in PEM, its issuers after it
    #[arg(long, value_name = "FILE", env = "RAILSBENCH_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, in PEM; both files are read again when they change
    #[arg(long, value_name = "FILE", env = "RAILSBENCH_TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// Serve https with certificates of a CA that the server makes; clients need DIR/ca.pem
    #[cfg(feature = "private-ca")]
    #[arg(long, value_name = "BOOL", env = "RAILSBENCH_TLS_PRIVATE_CA", num_args = 0..=1,
        default_missing_value = "true")]
    tls_private_ca: Option<bool>,
    /// One more name or address that the private CA certifies, besides those of the public URL
    /// and of the address; may be given several times
    #[cfg(feature = "private-ca")]
    #[arg(long, value_name = "NAME", env = "RAILSBENCH_TLS_NAME", value_delimiter = ',')]
    tls_name: Vec<String>,
    /// Serve https with a certificate for this domain from Let's Encrypt, which calls its port
    /// 443; may be given several times
    #[cfg(feature = "acme")]
    #[arg(long, value_name = "DOMAIN", env = "RAILSBENCH_ACME_DOMAIN", value_delimiter = ',')]
    acme_domain: Vec<String>,
    /// Whom Let's Encrypt may write to about the certificate, e.g. ops@example.org
    #[cfg(feature = "acme")]
    #[arg(long, value_name = "EMAIL", env = "RAILSBENCH_ACME_CONTACT")]
    acme_contact: Option<String>,
    /// Another CA that speaks ACME, by the URL of its directory
    #[cfg(feature = "acme")]
    #[arg(long, value_name = "URL", env = "RAILSBENCH_ACME_DIRECTORY")]
    acme_directory: Option<Url>,
    /// The only CA that is trusted when that directory is called, in PEM
    #[cfg(feature = "acme")]
    #[arg(long, value_name = "FILE", env = "RAILSBENCH_ACME_DIRECTORY_CA")]
    acme_directory_ca: Option<PathBuf>,
    /// Speak plain http also where others may listen, e.g. behind a proxy that speaks https
    #[arg(long, value_name = "BOOL", env = "RAILSBENCH_ALLOW_PLAIN_HTTP", num_args = 0..=1,
        default_missing_value = "true")]
    allow_plain_http: Option<bool>,
    /// Folder of database, results and keys [default: railsbench-data]
    #[arg(long, value_name = "DIR", env = "RAILSBENCH_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// File that holds the operator token, instead of API_KEY
    #[arg(long, value_name = "FILE", env = "RAILSBENCH_API_KEY_FILE")]
    api_key_file: Option<PathBuf>,
    /// Folder of the runner's executables for machines to fetch, as TARGET/railsbench-runner
    #[arg(long, value_name = "DIR", env = "RAILSBENCH_RUNNERS")]
    runners: Option<PathBuf>,
    /// Read from RAILSBENCH_DATABASE_URL, never from a flag
    #[arg(skip)]
    #[serde(skip)]
    database_url: Option<SecretString>,
    /// File that holds the URL of a PostgreSQL database, instead of RAILSBENCH_DATABASE_URL
    #[cfg(feature = "postgres")]
    #[arg(long, value_name = "FILE", env = "RAILSBENCH_DATABASE_URL_FILE")]
    database_url_file: Option<PathBuf>,
    /// PEM file with the authority that signed the database's certificate
    #[cfg(feature = "postgres")]
    #[arg(long, value_name = "FILE", env = "RAILSBENCH_DATABASE_CA_FILE")]
    database_ca_file: Option<PathBuf>,
    /// Most connections to the database, besides the one that listens [default: 16]
    #[cfg(feature = "postgres")]
    #[arg(long, value_name = "N", env = "RAILSBENCH_DATABASE_CONNECTIONS")]
    database_connections: Option<usize>,
    /// Keep results in this folder, which several servers may share, instead of the data folder
    #[arg(long, value_name = "DIR", env = "RAILSBENCH_ARTIFACTS_DIR")]
    artifacts_dir: Option<PathBuf>,
    /// Keep results in this S3 bucket instead of the data folder
    #[cfg(feature = "s3")]
    #[arg(long, value_name = "NAME", env = "RAILSBENCH_S3_BUCKET")]
    s3_bucket: Option<String>,
    /// Begin all S3 keys with this
    #[cfg(feature = "s3")]
    #[arg(long, value_name = "PREFIX", env = "RAILSBENCH_S3_PREFIX")]
    s3_prefix: Option<String>,
    /// Region of the bucket, if the AWS environment or profile does not say
    #[cfg(feature = "s3")]
    #[arg(long, value_name = "REGION", env = "RAILSBENCH_S3_REGION")]
    s3_region: Option<String>,
    /// Another service that speaks the S3 API, e.g. http://127.0.0.1:9000
    #[cfg(feature = "s3")]
    #[arg(long, value_name = "URL", env = "RAILSBENCH_S3_ENDPOINT")]
    s3_endpoint: Option<Url>,
    /// Put the bucket into the path of URLs, as most such services want
    #[cfg(feature = "s3")]
    #[arg(long, value_name = "BOOL", env = "RAILSBENCH_S3_PATH_STYLE", num_args = 0..=1,
        default_missing_value = "true")]
    s3_path_style: Option<bool>,
    /// Seconds that a lease lasts without a heartbeat [default: 150]
    #[arg(long, value_name = "N", env = "RAILSBENCH_LEASE_SECONDS")]
    lease_seconds: Option<u32>,
    /// Seconds between heartbeats [default: 30]
    #[arg(long, value_name = "N", env = "RAILSBENCH_HEARTBEAT_SECONDS")]
    heartbeat_seconds: Option<u32>,
    /// Idle runners kept per instance type for tasks that may come back [default: 1]
    #[arg(long, value_name = "N", env = "RAILSBENCH_SPARES")]
    spares: Option<u32>,
    /// Largest upload in bytes [default: 268435456]
    #[arg(long, value_name = "N", env = "RAILSBENCH_MAX_UPLOAD_BYTES")]
    max_upload_bytes: Option<u64>,
    /// Seconds that an upload URL is good for [default: 3600]
    #[arg(long, value_name = "N", env = "RAILSBENCH_UPLOAD_URL_SECONDS")]
    upload_url_seconds: Option<u32>,
    /// Seconds to finish what is under way when told to end [default: 30]
    #[arg(long, value_name = "N", env = "RAILSBENCH_DRAIN_SECONDS")]
    drain_seconds: Option<u32>,
    /// How log lines look [default: text]
    #[arg(long, value_name = "FORMAT", env = "RAILSBENCH_LOG_FORMAT")]
    log_format: Option<LogFormat>,
}

const AFTER_HELP: &str = "\
Environment:
  API_KEY   the operator token; without one the server listens on loopback only and keeps a
            token of its own in DIR/operator.token
  RAILSBENCH_DATABASE_URL
            postgres://USER:PASSWORD@HOST:5432/DATABASE, to keep runs in PostgreSQL, which several
            servers may share, instead of a file in DIR (in builds with the feature `postgres`)
  RUST_LOG  how much is logged to standard error, e.g. info or railsbench_server=debug

Exit codes: 0 ended when told to, 2 wrong flags or configuration, 3 the address, the data folder
or the artifact store cannot be used, 4 the server failed.

Signals: SIGTERM and SIGINT end the server in order, SIGHUP reads the certificate again.

Examples:
  API_KEY=$(openssl rand -hex 32) railsbench-server --listen 0.0.0.0:443 \\
      --acme-domain bench.example.org --data-dir /var/lib/railsbench
  API_KEY=$(openssl rand -hex 32) railsbench-server --listen 0.0.0.0:443 \\
      --public-url https://203.0.113.7 --tls-private-ca";

impl Options {
    /// Reads the file, if one is named, and makes a configuration of all that was said.
    /// `api_key` is the value of the environment variable.
    pub(crate) fn resolve(
        self,
        api_key: Option<String>,
    ) -> Result<(ServerConfig, LogFormat), OptionsError> {
        let file = match &self.config {
            Some(path) => read_file(path)?,
            None => Self::default(),
        };
        let options = self.or(file);
        let mut config = ServerConfig::new(
            options.listen.unwrap_or(LISTEN),
            options.data_dir.clone().unwrap_or_else(|| PathBuf::from(DATA_DIR)),
        );
        config.api_key = match (api_key, &options.api_key_file) {
            (Some(_), Some(_)) => return Err(OptionsError::TwoKeys),
            (Some(key), None) => Some(SecretString::from(key)),
            (None, Some(path)) => Some(SecretString::from(read(path)?.trim())),
            (None, None) => None,
        };
        config.database = options.database()?;
        config.artifacts = options.artifacts()?;
        config.tls = options.tls()?;
        config.allow_plain_http = options.allow_plain_http.unwrap_or(false);
        config.public_url = options.public_url;
        if let Some(folder) = &options.runners {
            config.runners = RunnerFiles::in_folder(folder)?;
        }
        let seconds = |value: Option<u32>, into: &mut Duration| {
            if let Some(seconds) = value {
                *into = Duration::from_secs(u64::from(seconds));
            }
        };
        seconds(options.lease_seconds, &mut config.policy.lease);
        seconds(options.heartbeat_seconds, &mut config.policy.heartbeat);
        seconds(options.upload_url_seconds, &mut config.upload_url_valid);
        seconds(options.drain_seconds, &mut config.drain_timeout);
        config.policy.spares = options.spares.unwrap_or(config.policy.spares);
        config.max_upload_bytes = options.max_upload_bytes.unwrap_or(config.max_upload_bytes);
        Ok((config, options.log_format.unwrap_or_default()))
    }

    /// What was said here, or else there.
    fn or(self, other: Self) -> Self {
        Self {
            config: self.config,
            listen: self.listen.or(other.listen),
            public_url: self.public_url.or(other.public_url),
            tls_cert: self.tls_cert.or(other.tls_cert),
            tls_key: self.tls_key.or(other.tls_key),
            #[cfg(feature = "private-ca")]
            tls_private_ca: self.tls_private_ca.or(other.tls_private_ca),
            #[cfg(feature = "private-ca")]
            tls_name: any(self.tls_name, other.tls_name),
            #[cfg(feature = "acme")]
            acme_domain: any(self.acme_domain, other.acme_domain),
            #[cfg(feature = "acme")]
            acme_contact: self.acme_contact.or(other.acme_contact),
            #[cfg(feature = "acme")]
            acme_directory: self.acme_directory.or(other.acme_directory),
            #[cfg(feature = "acme")]
            acme_directory_ca: self.acme_directory_ca.or(other.acme_directory_ca),
            allow_plain_http: self.allow_plain_http.or(other.allow_plain_http),
            data_dir: self.data_dir.or(other.data_dir),
            api_key_file: self.api_key_file.or(other.api_key_file),
            runners: self.runners.or(other.runners),
            database_url: self.database_url,
            #[cfg(feature = "postgres")]
            database_url_file: self.database_url_file.or(other.database_url_file),
            #[cfg(feature = "postgres")]
            database_ca_file: self.database_ca_file.or(other.database_ca_file),
            #[cfg(feature = "postgres")]
            database_connections: self.database_connections.or(other.database_connections),
            artifacts_dir: self.artifacts_dir.or(other.artifacts_dir),
            #[cfg(feature = "s3")]
            s3_bucket: self.s3_bucket.or(other.s3_bucket),
            #[cfg(feature = "s3")]
            s3_prefix: self.s3_prefix.or(other.s3_prefix),
            #[cfg(feature = "s3")]
            s3_region: self.s3_region.or(other.s3_region),
            #[cfg(feature = "s3")]
            s3_endpoint: self.s3_endpoint.or(other.s3_endpoint),
            #[cfg(feature = "s3")]
            s3_path_style: self.s3_path_style.or(other.s3_path_style),
            lease_seconds: self.lease_seconds.or(other.lease_seconds),
            heartbeat_seconds: self.heartbeat_seconds.or(other.heartbeat_seconds),
            spares: self.spares.or(other.spares),
            max_upload_bytes: self.max_upload_bytes.or(other.max_upload_bytes),
            upload_url_seconds: self.upload_url_seconds.or(other.upload_url_seconds),
            drain_seconds: self.drain_seconds.or(other.drain_seconds),
            log_format: self.log_format.or(other.log_format),
        }
    }
}

#[cfg(any(feature = "private-ca", feature = "acme"))]
fn any(these: Vec<String>, or_those: Vec<String>) -> Vec<String> {
    if these.is_empty() { or_those } else { these }
}

fn read(path: &Path) -> Result<String, OptionsError> {
    std::fs::read_to_string(path)
        .map_err(|source| OptionsError::Unreadable { path: path.to_owned(), source })
}

fn read_file(path: &Path) -> Result<Options, OptionsError> {
    toml::from_str(&read(path)?).map_err(|error| OptionsError::BadFile {
        path: path.to_owned(),
        problem: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn options(flags: &[&str]) -> Options {
        Options::try_parse_from([&["railsbench-server"], flags].concat()).unwrap()
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, text).unwrap();
        file
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let file = file("listen = \"127.0.0.1:1\"\nspares = 3\nlease_seconds = 77\n");
        let path = file.path().to_str().unwrap();
        let (config, format) = options(&["--config", path, "--spares", "5"]).resolve(None).unwrap();
        assert_eq!(config.listen.port(), 1);
        assert_eq!(config.policy.spares, 5);
        assert_eq!(config.policy.lease, Duration::from_secs(77));
        assert_eq!(config.policy.heartbeat, Duration::from_secs(30));
        assert_eq!(format, LogFormat::Text);
    }

    #[test]
    fn unknown_keys_of_the_file_are_errors() {
        for text in ["lisen = \"127.0.0.1:1\"", "api_key = \"secret\"", "config = \"x\""] {
            let file = file(text);
            let flags = ["--config", file.path().to_str().unwrap()];
            let error = options(&flags).resolve(None).unwrap_err().to_string();
            assert!(error.contains("unknown field"), "{error}");
        }
    }

    #[test]
    fn the_operator_token_comes_from_one_place() {
        let key = file("from-the-file\n");
        let flags = ["--api-key-file", key.path().to_str().unwrap()];
        let (config, _) = options(&flags).resolve(None).unwrap();
        assert_eq!(config.api_key.unwrap().expose_secret(), "from-the-file");
        let both = options(&flags).resolve(Some("x".to_owned())).unwrap_err();
        assert!(matches!(both, OptionsError::TwoKeys));
        let (config, _) = options(&[]).resolve(Some("from-env".to_owned())).unwrap();
        assert_eq!(config.api_key.as_ref().unwrap().expose_secret(), "from-env");
        assert!(!format!("{config:?}").contains("from-env"));
    }

    #[cfg(feature = "s3")]
    #[test]
    fn s3_needs_a_bucket() {
        let error = options(&["--s3-region", "eu-west-1"]).resolve(None).unwrap_err();
        assert!(matches!(error, OptionsError::NoBucket));
        let flags = ["--s3-bucket", "b", "--s3-prefix", "/a/b/", "--s3-path-style"];
        let (config, _) = options(&flags).resolve(None).unwrap();
        let railsbench_server::ArtifactsConfig::S3(s3) = config.artifacts else { panic!("not S3") };
        assert_eq!((s3.bucket.as_str(), s3.force_path_style), ("b", true));
        assert_eq!(s3.prefix.unwrap().as_str(), "a/b");
    }
}
