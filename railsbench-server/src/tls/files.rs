//! A certificate in files that someone else renews.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustls::sign::CertifiedKey;
use tokio::time::MissedTickBehavior;

use super::certificate::{self, CERTIFICATE, KEY};
use super::current::Current;
use super::error::TlsError;

/// The two files.
pub(super) struct Files {
    certificate: PathBuf,
    key: PathBuf,
    /// What was in them when they were last read.
    seen: Mutex<Texts>,
}

/// The contents of the two files, as far as they can be read.
type Texts = (Option<Vec<u8>>, Option<Vec<u8>>);

impl Files {
    pub(super) fn new(certificate: PathBuf, key: PathBuf) -> Self {
        Self { certificate, key, seen: Mutex::default() }
    }

    /// What is in the files now.
    pub(super) fn load(&self) -> Result<CertifiedKey, TlsError> {
        let certificate = read(CERTIFICATE, &self.certificate)?;
        let key = read(KEY, &self.key)?;
        self.see((Some(certificate.clone()), Some(key.clone())));
        certificate::read((&self.certificate, &certificate), (&self.key, &key))
    }

    /// Takes what is in the files whenever that has changed. What is no good, as half of a pair
    /// that is just being written, is told once and looked at again when it changes.
    pub(super) async fn watch(&self, current: &Current, look_every: Duration) {
        let mut looks = tokio::time::interval(look_every);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let certificate = tokio::fs::read(&self.certificate).await.ok();
            let key = tokio::fs::read(&self.key).await.ok();
            if !self.see((certificate, key)) {
                continue;
            }
            match self.load() {
                Ok(certificate) => {
                    current.put(certificate);
                    tracing::info!(path = %self.certificate.display(), "the certificate is renewed");
                }
                Err(error) => {
                    tracing::warn!(%error, "the certificate in use stays until this is put right");
                }
            }
        }
    }

    /// Remembers what was found. Gives whether it is something new.
    fn see(&self, found: Texts) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let new = *seen != found;
        *seen = found;
        new
    }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable {
        what,
        path: path.to_owned(),
        source,
    })
}
