//! The daemon: where it is, what it can do, and what it says when it cannot.

use std::error::Error as _;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::SystemInfo;
use railsbench_core::provider::{Arch, ProviderError};

use super::naming::provider_name;

/// Where the daemon of this host listens.
const SOCKET: &str = "unix:///var/run/docker.sock";

/// Longest that a first look may take: a listing of instance types must not hang.
const FIRST_LOOK: Duration = Duration::from_secs(3);

/// The architecture that this program was compiled for, where nobody answers.
#[cfg(target_arch = "x86_64")]
const ARCH: Arch = Arch::X86_64;
#[cfg(target_arch = "aarch64")]
const ARCH: Arch = Arch::Aarch64;

/// What the daemon's host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Its architecture; that of this program if the daemon does not answer.
    pub arch: Arch,
    /// Its CPUs; absent if the daemon does not answer.
    pub cpus: Option<u32>,
    /// Its memory in bytes; absent if the daemon does not answer.
    pub memory_bytes: Option<u64>,
}

impl Facts {
    /// What the daemon says of its host.
    pub(super) fn of(info: &SystemInfo) -> Self {
        let arch = match info.architecture.as_deref() {
            Some("x86_64" | "amd64") => Arch::X86_64,
            Some("aarch64" | "arm64") => Arch::Aarch64,
            _ => ARCH,
        };
        Self {
            arch,
            cpus: info.ncpu.and_then(|count| u32::try_from(count).ok()).filter(|n| *n > 0),
            memory_bytes: info
                .mem_total
                .and_then(|size| u64::try_from(size).ok())
                .filter(|n| *n > 0),
        }
    }

    fn unknown() -> Self {
        Self { arch: ARCH, cpus: None, memory_bytes: None }
    }
}

/// A Docker daemon, local or remote. Cheap to clone; connects when it is first needed.
#[derive(Clone)]
pub struct Daemon {
    host: String,
    /// Whether the operator has named it; the usual place may well be empty.
    named: bool,
    facts: Arc<OnceLock<Facts>>,
    docker: Arc<tokio::sync::OnceCell<Docker>>,
}

impl Daemon {
    /// The daemon at a URL: `unix:///path`, or `tcp://host:port` (with TLS if
    /// `DOCKER_TLS_VERIFY` is set, by the certificates in `DOCKER_CERT_PATH`).
    pub fn at(host: impl Into<String>) -> Self {
        Self { host: host.into(), named: true, facts: Arc::default(), docker: Arc::default() }
    }

    /// The daemon that `DOCKER_HOST` names, or else the one of this host.
    pub fn from_environment() -> Self {
        match std::env::var("DOCKER_HOST").ok().filter(|host| !host.trim().is_empty()) {
            Some(host) => Self::at(host.trim()),
            None => Self { named: false, ..Self::at(SOCKET) },
        }
    }

    /// Its URL.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether its containers run on this host.
    pub(super) fn is_here(&self) -> bool {
        self.host.starts_with("unix://")
    }

    /// Whether there is certainly none: nobody has named one, and the usual place is empty. Then
    /// nothing of ours can exist either.
    pub(super) fn is_absent(&self) -> bool {
        let socket = self.host.strip_prefix("unix://").map(Path::new);
        !self.named && socket.is_some_and(|path| !path.exists())
    }

    /// What its host is, as it was at the first look. Blocks for a moment at that look.
    pub fn facts(&self) -> Facts {
        *self.facts.get_or_init(|| {
            if self.is_absent() {
                return Facts::unknown();
            }
            // A thread of its own, because callers may be part of an event loop already, and a
            // connection belongs to the loop that it was made in.
            let host = self.host.clone();
            let look = std::thread::spawn(move || -> Option<Facts> {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
                runtime.block_on(async {
                    let look = async { connect(&host).await.ok()?.info().await.ok() };
                    let info = tokio::time::timeout(FIRST_LOOK, look).await.ok()??;
                    Some(Facts::of(&info))
                })
            });
            look.join().ok().flatten().unwrap_or_else(Facts::unknown)
        })
    }

    /// A connection that speaks the daemon's version of the API.
    pub(super) async fn connect(&self) -> Result<&Docker, ProviderError> {
        self.docker
            .get_or_try_init(|| connect(&self.host))
            .await
            .map_err(|error| self.silent(&error))
    }

    /// That the daemon does not answer, why, and what to do about it.
    fn silent(&self, error: &Error) -> ProviderError {
        let why = told(error);
        let fix = if matches!(error, Error::UnsupportedURISchemeError { .. }) {
            "set DOCKER_HOST to unix:///PATH or tcp://HOST:PORT; for ssh, forward the socket \
             (ssh -L /tmp/docker.sock:/var/run/docker.sock HOST)"
        } else if why.contains("ermission denied") {
            "this user may not use it: sudo usermod -aG docker $USER, and log in again"
        } else if self.is_here() {
            "install and start it (on Debian: apt-get install docker.io), or set DOCKER_HOST"
        } else {
            "look whether DOCKER_HOST, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH are right"
        };
        failed(format!("connecting to {}", self.host), format!("{why}; {fix}"))
    }
}

async fn connect(host: &str) -> Result<Docker, Error> {
    // Without a default provider rustls refuses to work; a second installation changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Docker::connect_with_host(host)?.negotiate_version().await
}

/// A call that failed.
pub(super) fn failed(action: impl Into<String>, detail: impl Into<String>) -> ProviderError {
    ProviderError::Call { provider: provider_name(), action: action.into(), detail: detail.into() }
}

/// The status that the daemon has answered with, if it has.
pub(super) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// What went wrong, with its causes: the outermost alone often says only that something did.
pub(super) fn told(error: &Error) -> String {
    if let Error::DockerResponseServerError { message, .. } = error {
        return message.clone();
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_is_not_there_is_said_with_the_fix() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for (host, fix) in [
            ("unix:///nonexistent/docker.sock", "apt-get install docker.io"),
            ("tcp://127.0.0.1:1", "DOCKER_CERT_PATH"),
            ("ssh://elsewhere", "forward the socket"),
        ] {
            let daemon = Daemon::at(host);
            let error = runtime.block_on(daemon.connect()).unwrap_err().to_string();
            assert!(error.contains(host) && error.contains(fix), "{error}");
            assert_eq!(daemon.facts(), Facts::unknown());
            assert!(!daemon.is_absent(), "{host} was named");
        }
    }

    #[test]
    fn facts_are_what_the_daemon_says() {
        let info = SystemInfo {
            architecture: Some("aarch64".to_owned()),
            ncpu: Some(8),
            mem_total: Some(16 << 30),
            ..SystemInfo::default()
        };
        let facts = Facts { arch: Arch::Aarch64, cpus: Some(8), memory_bytes: Some(16 << 30) };
        assert_eq!(Facts::of(&info), facts);
        let odd = SystemInfo { ncpu: Some(-1), mem_total: Some(0), ..SystemInfo::default() };
        assert_eq!(Facts::of(&odd), Facts::unknown());
    }
}
