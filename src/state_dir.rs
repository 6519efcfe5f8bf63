//! The folder in which a host of campaigns keeps what must outlive a process: the embedded
//! orchestrator's data, the journal, and where a running orchestrator is reached.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use railsbench_core::provider::CaCertificate;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

/// The state folder could not be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {path}: {detail}", path = .path.display())]
pub struct StateError {
    /// What was tried.
    pub action: &'static str,
    /// On what.
    pub path: PathBuf,
    /// What went wrong.
    pub detail: String,
}

/// Where a running embedded orchestrator is reached, and with which operator token.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its base URL, at an address of this host.
    pub url: Url,
    /// Token of scope `operator`.
    pub api_key: SecretString,
    /// The CA of its certificate; absent where it speaks plain http on loopback.
    pub ca_certificate: Option<CaCertificate>,
}

/// The file form of an [`Endpoint`].
#[derive(Serialize, Deserialize)]
struct EndpointFile {
    url: Url,
    api_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_pem: Option<String>,
}

/// The state folder, `.railsbench` in the working directory unless told otherwise.
#[derive(Debug, Clone)]
pub struct StateDir(PathBuf);

impl StateDir {
    /// Opens the folder, making it readable by its owner alone if it is not there.
    ///
    /// # Errors
    /// [`StateError`] if it cannot be made.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
            StateError { action: "make the folder", path: path.into(), detail: error.to_string() }
        })?;
        let path = path.canonicalize().map_err(|error| StateError {
            action: "find the folder",
            path: path.into(),
            detail: error.to_string(),
        })?;
        Ok(Self(path))
    }

    /// The folder itself, absolute.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where the embedded orchestrator keeps its data.
    pub fn orchestrator_dir(&self) -> PathBuf {
        self.0.join("orchestrator")
    }

    /// What was created, written down before it was.
    pub fn journal_path(&self) -> PathBuf {
        self.0.join("journal.jsonl")
    }

    fn endpoint_path(&self) -> PathBuf {
        self.0.join("endpoint.json")
    }

    /// Where the running orchestrator is reached; `None` if no process has said so. The process
    /// may have died since.
    pub fn endpoint(&self) -> Option<Endpoint> {
        let text = std::fs::read(self.endpoint_path()).ok()?;
        let file: EndpointFile = serde_json::from_slice(&text).ok()?;
        let ca_certificate = match file.ca_pem {
            Some(pem) => Some(pem.parse().ok()?),
            None => None,
        };
        Some(Endpoint { url: file.url, api_key: file.api_key.into(), ca_certificate })
    }

    /// Tells other processes of the same user where the orchestrator is.
    ///
    /// # Errors
    /// [`StateError`] if the file cannot be written.
    pub fn announce(&self, endpoint: &Endpoint) -> Result<(), StateError> {
        let path = self.endpoint_path();
        let file = EndpointFile {
            url: endpoint.url.clone(),
            api_key: endpoint.api_key.expose_secret().to_owned(),
            ca_pem: endpoint.ca_certificate.as_ref().map(|ca| ca.as_pem().to_owned()),
        };
        let write = || -> std::io::Result<()> {
            let fresh = path.with_extension("new");
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            options.open(&fresh)?.write_all(&serde_json::to_vec(&file)?)?;
            std::fs::rename(&fresh, &path)
        };
        write().map_err(|error| StateError {
            action: "write",
            path: path.clone(),
            detail: error.to_string(),
        })
    }

    /// Takes the word back; nothing happens if there is none.
    pub fn withdraw(&self) {
        if let Err(error) = std::fs::remove_file(self.endpoint_path())
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.endpoint_path().display(), "cannot remove the endpoint file");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announced_endpoint_is_found_until_it_is_withdrawn() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(&folder.path().join("a/b")).unwrap();
        assert!(state.endpoint().is_none());
        let endpoint = Endpoint {
            url: Url::parse("http://127.0.0.1:4000").unwrap(),
            api_key: "key".to_owned().into(),
            ca_certificate: Some(
                "-----BEGIN CERTIFICATE-----\nMIIBAAAA\n-----END CERTIFICATE-----\n"
                    .parse()
                    .unwrap(),
            ),
        };
        state.announce(&endpoint).unwrap();
        let found = state.endpoint().unwrap();
        assert_eq!(found.url, endpoint.url);
        assert_eq!(found.ca_certificate, endpoint.ca_certificate);
        assert_eq!(found.api_key.expose_secret(), "key");
        state.withdraw();
        assert!(state.endpoint().is_none());
    }

    #[test]
    fn secrets_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(&folder.path().join("state")).unwrap();
        let endpoint = Endpoint {
            url: Url::parse("http://127.0.0.1:1").unwrap(),
            api_key: "k".to_owned().into(),
            ca_certificate: None,
        };
        state.announce(&endpoint).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(state.path()), 0o700);
        assert_eq!(mode(&state.endpoint_path()), 0o600);
        assert!(!format!("{endpoint:?}").contains("\"k\""));
    }
}
