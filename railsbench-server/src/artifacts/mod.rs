//! Result archives: signed URLs to put them and get them, and reading them back.
//!
//! The server never proxies result bytes where the backend can sign: runners PUT to and
//! operators GET from the backend itself. Only [`filesystem`] needs the server's own
//! `/artifacts` route, because a folder cannot answer HTTP. Every implementation must pass
//! [`conformance`].

pub mod archive;
pub mod conformance;
pub mod filesystem;
#[cfg(feature = "s3")]
pub mod s3;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::Timestamp;
use railsbench_core::id::{Attempt, RunId, TaskId};

pub use filesystem::FilesystemArtifacts;
#[cfg(feature = "s3")]
pub use s3::S3Artifacts;

/// Where an object is: segments of `A-Z a-z 0-9 . _ -` joined by `/`, none of them empty, `.` or
/// `..`; at most 512 characters. A key that exists has passed this, so it is safe as a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArtifactKey(String);

impl ArtifactKey {
    /// Parses a key.
    ///
    /// # Errors
    /// [`ArtifactError::InvalidKey`].
    pub fn new(text: &str) -> Result<Self, ArtifactError> {
        let word = |segment: &str| {
            !segment.is_empty()
                && segment != "."
                && segment != ".."
                && segment
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        };
        if text.len() <= 512 && text.split('/').all(word) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ArtifactError::InvalidKey(text.chars().take(80).collect()))
        }
    }

    /// Where the result of an attempt goes.
    pub fn result(run: &RunId, task: &TaskId, attempt: Attempt) -> Self {
        Self(format!("runs/{run}/{task}/{attempt}/result.tar.gz"))
    }

    /// Where the error archive of an attempt goes.
    pub fn error(run: &RunId, task: &TaskId, attempt: Attempt) -> Self {
        Self(format!("runs/{run}/{task}/{attempt}/error.tar.gz"))
    }

    /// Where a connectivity probe goes. `id` is of `A-Z a-z 0-9`.
    ///
    /// # Errors
    /// [`ArtifactError::InvalidKey`].
    pub fn probe(id: &str) -> Result<Self, ArtifactError> {
        Self::new(&format!("connectivity/{id}"))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment, e.g. `result.tar.gz`.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for ArtifactKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why an artifact store could not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// Not a key.
    #[error("{0:?} is not an artifact key")]
    InvalidKey(String),
    /// Nothing is stored there.
    #[error("no artifact {0}")]
    NotFound(ArtifactKey),
    /// The upload is larger than its URL allows.
    #[error("the upload of {key} is larger than the {max_bytes} bytes that its URL allows")]
    TooLarge {
        /// Where it would go.
        key: ArtifactKey,
        /// How large it may be.
        max_bytes: u64,
    },
    /// The signature of a URL is wrong or its time has passed.
    #[error("{0}")]
    Signature(&'static str),
    /// The backend failed.
    #[error("the artifact store cannot {action}: {detail}")]
    Backend {
        /// What was tried.
        action: &'static str,
        /// What went wrong.
        detail: String,
    },
}

/// What is stored at a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Where.
    pub key: ArtifactKey,
    /// Its size in bytes.
    pub size: u64,
    /// When it was stored.
    pub modified_at: Timestamp,
}

/// A URL that is worth a permission until it ends. Not printable by `Debug`.
#[derive(Clone)]
pub struct SignedUrl {
    /// The URL.
    pub url: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl fmt::Debug for SignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedUrl").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// The bytes of an object as they arrive.
pub type ByteStream = BoxStream<'static, Result<Bytes, ArtifactError>>;

/// Where archives are kept.
#[async_trait]
pub trait ArtifactStore: Send + Sync + 'static {
    /// A URL that takes one PUT of at most `max_bytes` until it ends. A later PUT to the same
    /// key replaces the object as a whole; a broken one leaves no trace.
    async fn sign_put(
        &self,
        key: &ArtifactKey,
        max_bytes: u64,
        valid_for: Duration,
        now: Timestamp,
    ) -> Result<SignedUrl, ArtifactError>;

    /// A URL that gives the object until it ends.
    async fn sign_get(
        &self,
        key: &ArtifactKey,
        valid_for: Duration,
        now: Timestamp,
    ) -> Result<SignedUrl, ArtifactError>;

    /// What is stored there; `None` if nothing is.
    async fn head(&self, key: &ArtifactKey) -> Result<Option<ObjectInfo>, ArtifactError>;

    /// The object's bytes.
    ///
    /// # Errors
    /// [`ArtifactError::NotFound`].
    async fn read(&self, key: &ArtifactKey) -> Result<ByteStream, ArtifactError>;

    /// Removes the object; removing nothing is fine.
    async fn delete(&self, key: &ArtifactKey) -> Result<(), ArtifactError>;

    /// Everything whose key starts with these whole segments, in key order.
    async fn list(&self, prefix: &ArtifactKey) -> Result<Vec<ObjectInfo>, ArtifactError>;

    /// Whether the backend answers.
    async fn ping(&self) -> Result<(), ArtifactError>;

    /// The store itself where its URLs point at this server's `/artifacts` route.
    fn embedded(&self) -> Option<&FilesystemArtifacts> {
        None
    }
}
