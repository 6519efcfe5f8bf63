//! All results of a run as one archive.
//!
//! The archives of the tasks stand in it as they were uploaded, byte for byte, so that each can
//! be checked against its SHA-256: `<run>/<label>-<number>/result.tar.gz`. Nothing is held in
//! memory but the chunk under way.

use std::io;
use std::pin::Pin;

use async_compression::Level;
use async_compression::tokio::bufread::GzipEncoder;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use railsbench_core::id::RunId;
use railsbench_core::lifecycle::{StoredResult, Task};
use railsbench_core::protocol::TaskStatus;
use tokio_util::io::{ReaderStream, StreamReader};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::auth::Reader;
use super::extract::PathId;
use super::problem::ApiError;
use super::{results, runs};
use crate::artifacts::ArtifactKey;

/// Size of a block of a tar file, in bytes.
const BLOCK: u64 = 512;

/// What a tar file ends with: two empty blocks.
const END: [u8; 1024] = [0; 1024];

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(archive))
}

/// The accepted results of all completed tasks in one archive: each task's own archive, as it
/// was uploaded, at `<run>/<label>-<number>/result.tar.gz`.
#[utoipa::path(get, path = "/runs/{id}/results.tar.gz", tag = "results", security(("bearer" = [])),
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "A tar.gz archive", body = Vec<u8>,
        content_type = "application/gzip")))]
async fn archive(
    _: Reader,
    State(app): State<App>,
    PathId(id): PathId<RunId>,
) -> Result<Response, ApiError> {
    runs::stored(&app, &id).await?;
    let mut entries = Vec::new();
    for task in results::tasks_with(&app, &id, TaskStatus::Completed).await? {
        if let Some(entry) = Entry::of(&id, &task)? {
            entries.push(entry);
        }
    }
    let disposition = format!("attachment; filename=\"{id}-results.tar.gz\"");
    let disposition =
        HeaderValue::from_str(&disposition).map_err(|error| ApiError::internal(&error))?;
    let tar = stream::iter(entries)
        .then(move |entry| entry.open(app.clone()))
        .try_flatten()
        .chain(stream::once(async { Ok(Bytes::from_static(&END)) }));
    let gzip = GzipEncoder::with_quality(StreamReader::new(Box::pin(tar)), Level::Fastest);
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/gzip")),
        (CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, Body::from_stream(ReaderStream::new(gzip))).into_response())
}

type Chunks = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// One file of the archive.
struct Entry {
    header: Bytes,
    result: StoredResult,
}

impl Entry {
    fn of(run: &RunId, task: &Task) -> Result<Option<Self>, ApiError> {
        let Some(result) = task.result.clone() else {
            return Ok(None);
        };
        let path = format!("{run}/{}/result.tar.gz", task.view().label());
        let header = header(&path, result.size, task.updated_at)
            .map_err(|error| ApiError::internal(&error))?;
        Ok(Some(Self { header, result }))
    }

    /// Header, bytes and padding. An object that is not as long as it was when it was accepted
    /// breaks the stream off: better no archive than a wrong one.
    async fn open(self, app: App) -> io::Result<Chunks> {
        let key = ArtifactKey::new(&self.result.key).map_err(io::Error::other)?;
        let bytes = app.artifacts.read(&key).await.map_err(io::Error::other)?;
        let size = self.result.size;
        let changed = move || io::Error::other(format!("{key} is not as long as it was"));
        let padding = Bytes::from(vec![
            0;
            usize::try_from(size.next_multiple_of(BLOCK) - size)
                .expect("padding is shorter than a block")
        ]);
        let body = bytes
            .map_ok(Some)
            .map_err(io::Error::other)
            .chain(stream::once(async { Ok(None) }))
            .scan(0_u64, move |seen, chunk| {
                let checked = chunk.and_then(|chunk| {
                    let at_end = chunk.is_none();
                    let chunk = chunk.unwrap_or(padding.clone());
                    if !at_end {
                        *seen += chunk.len() as u64;
                    }
                    if *seen > size || (at_end && *seen < size) {
                        return Err(changed());
                    }
                    Ok(chunk)
                });
                std::future::ready(Some(checked))
            });
        let head = stream::once(async { Ok(self.header) });
        Ok(Box::pin(head.chain(body)))
    }
}

fn header(path: &str, size: u64, modified: Timestamp) -> io::Result<Bytes> {
    let mut header = tar::Header::new_ustar();
    header.set_path(path)?;
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(u64::try_from(modified.as_second()).unwrap_or(0));
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    Ok(Bytes::copy_from_slice(header.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_names_fit_into_a_header() {
        let path = format!("{}/{}-10000/result.tar.gz", "r".repeat(64), "a".repeat(64));
        let bytes = header(&path, 5, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(bytes.len() as u64, BLOCK);
        let header = tar::Header::from_byte_slice(&bytes);
        assert_eq!(header.path().unwrap().to_str().unwrap(), path);
    }
}
