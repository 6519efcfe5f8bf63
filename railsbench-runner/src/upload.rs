//! Brings an archive to the artifact store, with a fresh URL when the old one has ended.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use railsbench_core::id::TaskId;
use railsbench_core::protocol::{UploadUrls, UploadsRequest};

use crate::archive::Archive;
use crate::client::{Client, ClientError};
use crate::retry::Patience;

/// How many refusals in a row, each with a fresh URL, are taken for a final no.
const REFUSAL_LIMIT: u32 = 3;

/// Why an archive is not in the artifact store.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    /// The store does not take it.
    #[error("{archive} has {size} bytes, and at most {limit} are accepted")]
    TooLarge {
        /// Which archive.
        archive: &'static str,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A call failed for good.
    #[error(transparent)]
    Call(#[from] ClientError),
}

/// Which of the two archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Result,
    Error,
}

impl Kind {
    /// The file name.
    pub(crate) fn file_name(self) -> &'static str {
        match self {
            Self::Result => "result.tar.gz",
            Self::Error => "error.tar.gz",
        }
    }
}

/// Uploads for one attempt.
pub(crate) struct Uploader<'a> {
    client: &'a Client,
    task: &'a TaskId,
    caller: UploadsRequest,
    urls: UploadUrls,
}

impl<'a> Uploader<'a> {
    /// Begins with the URLs of the claim.
    pub(crate) fn new(
        client: &'a Client,
        task: &'a TaskId,
        caller: UploadsRequest,
        urls: UploadUrls,
    ) -> Self {
        Self { client, task, caller, urls }
    }

    /// Uploads an archive and gives its key.
    pub(crate) async fn upload(
        &mut self,
        kind: Kind,
        archive: &Archive,
    ) -> Result<String, UploadError> {
        let refusals = AtomicU32::new(0);
        loop {
            if archive.size > self.urls.max_bytes {
                return Err(UploadError::TooLarge {
                    archive: kind.file_name(),
                    size: archive.size,
                    limit: self.urls.max_bytes,
                });
            }
            let url = match kind {
                Kind::Result => &self.urls.result_upload_url,
                Kind::Error => &self.urls.error_upload_url,
            };
            let put = Patience::LONG
                .persist(|| async {
                    let put = self.client.put_archive(url, &archive.path, archive.size).await;
                    if put.as_ref().is_err_and(ClientError::may_get_better) {
                        refusals.store(0, Relaxed);
                    }
                    put
                })
                .await;
            let refusal = match put {
                Ok(()) => {
                    let key = match kind {
                        Kind::Result => &self.urls.result_key,
                        Kind::Error => &self.urls.error_key,
                    };
                    return Ok(key.clone());
                }
                Err(error) => error,
            };
            let refused = refusals.fetch_add(1, Relaxed) + 1;
            match refusal.rejected_status() {
                Some(status) if status != 413 && refused < REFUSAL_LIMIT => {
                    tracing::info!("{refusal}; asking for a fresh upload URL");
                    let fresh = || self.client.uploads(self.task, &self.caller);
                    self.urls = Patience::LONG.persist(fresh).await?;
                }
                _ => return Err(refusal.into()),
            }
        }
    }
}
