//! The way to PostgreSQL: what its URL means, and the pool of connections.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, Connection, Socket};

use super::failure::Failure;
use super::tls::{self, Encrypted, MakeEncrypted};
use crate::store::StoreError;

/// How long to wait for a connection to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// How long to wait for a connection of the pool.
const TURN: Duration = Duration::from_secs(10);

/// A silent peer is asked after this time, and given up a little later.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// What is sent but not acknowledged for so long ends a connection.
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);

/// What every connection is told first. A server that hangs in a transaction must not hold up
/// the others; and what is acknowledged must be on the disk, whatever the database's default.
const SETTINGS: &str = "SET search_path = railsbench;
     SET statement_timeout = '20s';
     SET lock_timeout = '10s';
     SET idle_in_transaction_session_timeout = '5s';
     SELECT set_config('synchronous_commit', 'on', false)
         WHERE current_setting('synchronous_commit') = 'off'";

const BAD_URL: &str = "it must read postgres://USER:PASSWORD@HOST:5432/DATABASE, with special \
     characters percent-encoded; the authority of its certificate goes into a CA file";

/// How PostgreSQL is reached.
#[derive(Debug, Clone)]
pub struct PostgresConfig {
    /// `postgres://USER:PASSWORD@HOST:5432/DATABASE`. Connections to other machines use TLS and
    /// check the certificate, unless it ends with `?sslmode=disable`.
    pub url: SecretString,
    /// PEM file with the authority that signed the database's certificate, if the system does
    /// not know it.
    pub ca_file: Option<PathBuf>,
    /// How many connections changes and reads may use at once; one more listens.
    pub connections: usize,
}

impl PostgresConfig {
    /// How many connections are used if nothing else is said.
    pub const CONNECTIONS: usize = 16;

    /// A database at this URL.
    pub fn new(url: SecretString) -> Self {
        Self { url, ca_file: None, connections: Self::CONNECTIONS }
    }

    /// What is wrong with it, as far as can be seen without connecting; never with its password.
    pub fn problem(&self) -> Option<&'static str> {
        if self.connections == 0 {
            return Some("at least one connection is needed");
        }
        settings(&self.url).err()
    }
}

fn is_loopback(name: &str) -> bool {
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The settings that a URL stands for. The library's own errors may quote a part of the
/// password, so they are not passed on.
fn settings(url: &SecretString) -> Result<Config, &'static str> {
    let mut text = url.expose_secret().to_owned();
    // Here TLS is always verified in full.
    for strict in ["sslmode=verify-full", "sslmode=verify-ca"] {
        text = text.replace(strict, "sslmode=require");
    }
    let mut config: Config = text.parse().map_err(|_| BAD_URL)?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err("it names no host: write postgres://USER:PASSWORD@HOST:5432/DATABASE");
    }
    let local = config.get_hostaddrs().iter().all(IpAddr::is_loopback)
        && config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) => is_loopback(name),
            Host::Unix(_) => true,
        });
    // "Prefer", the library's default, lets whoever is in between talk both sides out of TLS.
    if config.get_ssl_mode() == SslMode::Prefer {
        config.ssl_mode(if local { SslMode::Disable } else { SslMode::Require });
    }
    if config.get_application_name().is_none() {
        config.application_name("railsbench-server");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    config
        .keepalives_idle(KEEP_ALIVE)
        .keepalives_interval(KEEP_ALIVE / 2)
        .keepalives_retries(3)
        .tcp_user_timeout(UNACKNOWLEDGED);
    Ok(config)
}

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector {
    config: Config,
    tls: MakeEncrypted,
}

impl Connector {
    pub(super) fn new(config: &PostgresConfig) -> Result<Self, StoreError> {
        let failed = |detail: String| StoreError::Engine { action: "use its database URL", detail };
        let settings = settings(&config.url).map_err(|problem| failed(problem.to_owned()))?;
        let tls = tls::config(config.ca_file.as_deref()).map_err(failed)?;
        Ok(Self { config: settings, tls: MakeEncrypted::new(tls) })
    }

    /// A connection of its own, outside the pool.
    pub(super) async fn connect(&self) -> Result<(Client, Connection<Socket, Encrypted>), Failure> {
        Ok(self.config.connect(self.tls.clone()).await?)
    }

    /// A pool of at most so many connections, made as they are needed.
    pub(super) fn pool(&self, connections: usize) -> Result<Pool, StoreError> {
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(self.config.clone(), self.tls.clone(), manager);
        let prepare = Hook::async_fn(|client, _| {
            Box::pin(
                async move { client.batch_execute(SETTINGS).await.map_err(HookError::Backend) },
            )
        });
        Pool::builder(manager)
            .max_size(connections)
            .wait_timeout(Some(TURN))
            .create_timeout(Some(CONNECT * 2))
            .recycle_timeout(Some(CONNECT))
            .runtime(Runtime::Tokio1)
            .post_create(prepare)
            .build()
            .map_err(|error| StoreError::Engine {
                action: "make a pool of connections",
                detail: error.to_string(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> SslMode {
        settings(&SecretString::from(url)).unwrap().get_ssl_mode()
    }

    #[test]
    fn tls_is_used_unless_it_is_turned_off_or_the_database_is_on_this_machine() {
        for remote in [
            "postgres://u:p@db.example.org/bench",
            "postgres://u:p@db.example.org/bench?sslmode=prefer",
            "postgres://u:p@db.example.org/bench?sslmode=verify-full",
            "postgres://u:p@localhost,db.example.org/bench",
            "host=localhost hostaddr=192.0.2.1 user=u",
            "postgres://u:p@localhost/bench?sslmode=require",
        ] {
            assert_eq!(mode(remote), SslMode::Require, "{remote}");
        }
        for plain in [
            "postgres://u:p@localhost/bench",
            "postgres://u:p@127.0.0.1:5433/bench",
            "postgres://u@/bench?host=/run/postgresql",
            "postgres://u:p@db.example.org/bench?sslmode=disable",
        ] {
            assert_eq!(mode(plain), SslMode::Disable, "{plain}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for url in [
            "mysql://u:hush@h/d",
            "postgres://u:hush@h/d?sslrootcert=/x",
            "postgres://u:hush@h:port/d",
            "postgres:///d?password=hush",
        ] {
            let config = PostgresConfig::new(SecretString::from(url));
            let problem = config.problem().unwrap_or_else(|| panic!("{url} passes"));
            assert!(problem.contains("postgres://USER"), "{url}: {problem}");
            let shown = format!("{config:?}{problem}");
            assert!(!shown.contains("hush"), "{shown}");
        }
        let none =
            PostgresConfig { connections: 0, ..PostgresConfig::new("postgres://h/d".into()) };
        assert!(none.problem().is_some());
    }
}
