//! Why there is no certificate to serve with.

use std::io;
use std::path::PathBuf;

use jiff::Timestamp;

/// Why there is no certificate to serve with.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error(
        "cannot read the {what} in {}: {source}; name a file that this user can read",
        path.display()
    )]
    Unreadable {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{} holds no {what} in PEM: {problem}", path.display())]
    NotPem {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What it holds instead, and what to do.
        problem: String,
    },
    /// The certificate or its key cannot be used.
    #[error("the {what} in {} cannot be used: {problem}", path.display())]
    Unusable {
        /// Which of the two.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The key is of another certificate.
    #[error(
        "the key in {} does not belong to the certificate in {}: give the pair that was issued \
         together, with the server's own certificate first",
        key.display(), certificate.display()
    )]
    OtherKey {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// Its time is over.
    #[error(
        "the certificate in {} has expired on {}: renew it, and check this machine's clock",
        path.display(), day(*until)
    )]
    Expired {
        /// The file.
        path: PathBuf,
        /// Since when.
        until: Timestamp,
    },
    /// Its time has not come.
    #[error(
        "the certificate in {} is good only from {} on: check this machine's clock",
        path.display(), day(*from)
    )]
    NotYet {
        /// The file.
        path: PathBuf,
        /// When it begins.
        from: Timestamp,
    },
    /// The private CA cannot be kept.
    #[error("the private CA in {} cannot be used: {problem}", path.display())]
    PrivateCa {
        /// The data folder.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A name that no certificate can be for.
    #[error(
        "no certificate can be for {name:?}: give a host name or an address without scheme and \
         port, e.g. bench.example.org or 203.0.113.7"
    )]
    BadName {
        /// As given.
        name: String,
    },
    /// What is kept of ACME cannot be used.
    #[error("cannot {action} {}: {problem}", path.display())]
    Acme {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What went wrong.
        problem: String,
    },
    /// The library refuses.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

impl TlsError {
    /// Whether what the server was told is wrong, as opposed to where it runs.
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::Unreadable { .. }
                | Self::NotPem { .. }
                | Self::Unusable { .. }
                | Self::OtherKey { .. }
                | Self::Expired { .. }
                | Self::NotYet { .. }
                | Self::BadName { .. }
        )
    }
}

fn day(time: Timestamp) -> impl std::fmt::Display {
    time.strftime("%Y-%m-%d at %H:%M:%S UTC")
}
