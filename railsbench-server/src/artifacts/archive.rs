//! Looking at an uploaded archive before it counts as a result.
//!
//! One pass over the bytes as they come from the backend: size, SHA-256, and proof that it is a
//! readable `tar.gz` with `metadata.json` at its top, which nobody can be hurt by unpacking.
//! Nothing is written, and no more than a few buffers are held.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use flate2::read::MultiGzDecoder;
use futures::StreamExt;
use sha2::{Digest, Sha256};
use tar::{Archive, Entry, EntryType, PaxExtensions};
use tokio::sync::mpsc;

use super::{ArtifactError, ByteStream};

/// The file that makes an archive a result.
const REQUIRED: &str = "metadata.json";

/// Longest extension header, which names the entry after it: more than any honest name needs.
const MAX_EXTENSION_BYTES: u64 = 64 << 10;

/// How many chunks wait between the backend and the thread that unpacks.
const CHUNKS: usize = 4;

/// What an archive may be at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the archive itself.
    pub max_bytes: u64,
    /// Files and folders in it.
    pub max_entries: u32,
    /// Bytes of one unpacked file.
    pub max_entry_bytes: u64,
    /// Bytes of the unpacked archive.
    pub max_unpacked_bytes: u64,
}

impl Default for Limits {
    /// 256 MiB packed, 1 GiB unpacked, 512 MiB in one file, 1000 files.
    fn default() -> Self {
        Self {
            max_bytes: 256 << 20,
            max_entries: 1_000,
            max_entry_bytes: 512 << 20,
            max_unpacked_bytes: 1 << 30,
        }
    }
}

/// An archive that is fit to be a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// How many files and folders are in it.
    pub entries: u32,
}

/// What is wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveProblem {
    /// There are no bytes.
    #[error("the archive is empty: upload a tar.gz with {REQUIRED} inside")]
    Empty,
    /// It is larger than allowed.
    #[error("the archive is larger than the {0} bytes that are allowed")]
    TooLarge(u64),
    /// It is not a gzipped tar file, or a broken one.
    #[error("the archive is not a readable tar.gz: {0}")]
    Unreadable(String),
    /// Too much is in it.
    #[error("the archive has more than the {0} entries that are allowed")]
    TooManyEntries(u32),
    /// One file is too large.
    #[error("{path:?} in the archive is larger than the {max_bytes} bytes that are allowed")]
    EntryTooLarge {
        /// Its name.
        path: String,
        /// What is allowed.
        max_bytes: u64,
    },
    /// It unpacks to too much.
    #[error("the archive unpacks to more than the {0} bytes that are allowed")]
    UnpacksTooLarge(u64),
    /// A name leads out of the folder that it is unpacked to, or is no name.
    #[error("{0:?} in the archive is not a relative path without \"..\"")]
    UnsafePath(String),
    /// Something is neither a file nor a folder.
    #[error("{0:?} in the archive is neither a file nor a folder: links and devices are refused")]
    NotAFile(String),
    /// `metadata.json` is missing.
    #[error("the archive has no {REQUIRED} at its top")]
    NoMetadata,
    /// The bytes could not be had.
    #[error(transparent)]
    Store(#[from] ArtifactError),
}

/// Looks at an archive as it arrives.
///
/// # Errors
/// [`ArchiveProblem`]: the first thing that is wrong. The rest of the stream is not read then.
pub async fn inspect(mut stream: ByteStream, limits: Limits) -> Result<Inspected, ArchiveProblem> {
    let (sender, chunks) = mpsc::channel(CHUNKS);
    let examination = tokio::task::spawn_blocking(move || {
        examine(Chunks { chunks, current: Bytes::new() }, limits)
    });
    while let Some(chunk) = stream.next().await {
        // The other side is gone when it has found a problem.
        if sender.send(chunk).await.is_err() {
            break;
        }
    }
    drop(sender);
    examination.await.map_err(|error| ArtifactError::Backend {
        action: "inspect an archive",
        detail: error.to_string(),
    })?
}

/// The chunks of a stream as a reader.
struct Chunks {
    chunks: mpsc::Receiver<Result<Bytes, ArtifactError>>,
    current: Bytes,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.chunks.blocking_recv() {
                Some(Ok(chunk)) => self.current = chunk,
                Some(Err(error)) => return Err(io::Error::other(error)),
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

/// Counts and hashes what is read; refuses what is too much. A problem found here passes
/// through the layers above as an [`io::Error`], so it is kept aside.
struct Packed<R> {
    inner: R,
    size: u64,
    hash: Sha256,
    max_bytes: u64,
    problem: Option<ArchiveProblem>,
}

impl<R: Read> Read for Packed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.inner.read(buffer) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                let text = error.to_string();
                let cause = error.downcast().unwrap_or_else(|error| ArtifactError::Backend {
                    action: "read an archive",
                    detail: error.to_string(),
                });
                self.problem = Some(ArchiveProblem::Store(cause));
                return Err(io::Error::other(text));
            }
            outcome => outcome?,
        };
        self.size += count as u64;
        if self.size > self.max_bytes {
            self.problem = Some(ArchiveProblem::TooLarge(self.max_bytes));
            return Err(io::Error::other("too large"));
        }
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}

/// Counts what is unpacked, and refuses what is too much.
struct Unpacked<R> {
    inner: R,
    size: u64,
    max_bytes: u64,
}

impl<R> Unpacked<R> {
    fn is_too_large(&self) -> bool {
        self.size > self.max_bytes
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.size += count as u64;
        if self.is_too_large() { Err(io::Error::other("unpacks too large")) } else { Ok(count) }
    }
}

fn examine(reader: impl Read, limits: Limits) -> Result<Inspected, ArchiveProblem> {
    let Limits { max_bytes, max_unpacked_bytes, .. } = limits;
    let hash = Sha256::new();
    let packed = Packed { inner: reader, size: 0, hash, max_bytes, problem: None };
    let unpacked =
        Unpacked { inner: MultiGzDecoder::new(packed), size: 0, max_bytes: max_unpacked_bytes };
    let mut archive = Archive::new(unpacked);
    let outcome = walk(&mut archive, limits);
    let mut unpacked = archive.into_inner();
    // What follows the end of the tar file belongs to the archive, and to its checksum.
    let outcome = outcome.and_then(|entries| {
        io::copy(&mut unpacked, &mut io::sink()).map_err(unreadable)?;
        Ok(entries)
    });
    let too_large = unpacked.is_too_large();
    let packed = unpacked.inner.into_inner();
    match outcome {
        _ if packed.problem.is_some() => {
            Err(packed.problem.unwrap_or(ArchiveProblem::TooLarge(max_bytes)))
        }
        _ if packed.size == 0 => Err(ArchiveProblem::Empty),
        _ if too_large => Err(ArchiveProblem::UnpacksTooLarge(max_unpacked_bytes)),
        Err(problem) => Err(problem),
        Ok(Walk { has_metadata: false, .. }) => Err(ArchiveProblem::NoMetadata),
        Ok(Walk { entries, .. }) => Ok(Inspected {
            size: packed.size,
            sha256: hex::encode(packed.hash.finalize()),
            entries,
        }),
    }
}

#[derive(Default)]
struct Walk {
    entries: u32,
    has_metadata: bool,
}

/// Goes through all entries. Extension headers are read here and not by the tar crate, which
/// would take as much memory as they ask for.
fn walk<R: Read>(archive: &mut Archive<R>, limits: Limits) -> Result<Walk, ArchiveProblem> {
    let mut found = Walk::default();
    // The name that an extension header gives to the entry after it.
    let mut long_path: Option<Vec<u8>> = None;
    let mut headers = 0;
    for entry in archive.entries().map_err(unreadable)?.raw(true) {
        let mut entry = entry.map_err(unreadable)?;
        headers += 1;
        // Each entry has at most a few extension headers before it.
        if headers > limits.max_entries.saturating_mul(4) {
            return Err(ArchiveProblem::TooManyEntries(limits.max_entries));
        }
        let kind = entry.header().entry_type();
        match kind {
            EntryType::GNULongName => {
                long_path = Some(long_name(&extension(&mut entry)?));
                continue;
            }
            EntryType::XHeader => {
                let records = extension(&mut entry)?;
                long_path = pax_path(&records)?.or(long_path);
                continue;
            }
            EntryType::XGlobalHeader => {
                if pax_path(&extension(&mut entry)?)?.is_some() {
                    return Err(unreadable("a global header names a path"));
                }
                continue;
            }
            _ => {}
        }
        found.entries += 1;
        if found.entries > limits.max_entries {
            return Err(ArchiveProblem::TooManyEntries(limits.max_entries));
        }
        let path = long_path.take().unwrap_or_else(|| entry.header().path_bytes().into_owned());
        let path = safe_path(&path)?;
        if !matches!(kind, EntryType::Regular | EntryType::Directory) {
            return Err(ArchiveProblem::NotAFile(path));
        }
        let size = entry.size();
        if size > limits.max_entry_bytes {
            return Err(ArchiveProblem::EntryTooLarge { path, max_bytes: limits.max_entry_bytes });
        }
        if io::copy(&mut entry, &mut io::sink()).map_err(unreadable)? != size {
            return Err(unreadable(format_args!("{path:?} is cut off")));
        }
        found.has_metadata |=
            kind == EntryType::Regular && path.strip_prefix("./").unwrap_or(&path) == REQUIRED;
    }
    if long_path.is_some() {
        return Err(unreadable("it ends after a name without its entry"));
    }
    Ok(found)
}

fn unreadable(error: impl std::fmt::Display) -> ArchiveProblem {
    ArchiveProblem::Unreadable(error.to_string())
}

/// The content of an extension header.
fn extension<R: Read>(entry: &mut Entry<'_, R>) -> Result<Vec<u8>, ArchiveProblem> {
    let size = entry.size();
    if size > MAX_EXTENSION_BYTES {
        return Err(unreadable(format_args!("an extension header of {size} bytes")));
    }
    let mut content = Vec::new();
    entry.read_to_end(&mut content).map_err(unreadable)?;
    if content.len() as u64 == size { Ok(content) } else { Err(unreadable("it is cut off")) }
}

fn long_name(content: &[u8]) -> Vec<u8> {
    content.strip_suffix(b"\0").unwrap_or(content).to_vec()
}

/// The `path` record of a pax header. A record that changes how much data follows is refused:
/// readers disagree about it, and no result is that large.
fn pax_path(records: &[u8]) -> Result<Option<Vec<u8>>, ArchiveProblem> {
    let mut path = None;
    for record in PaxExtensions::new(records) {
        let record = record.map_err(unreadable)?;
        match record.key_bytes() {
            b"path" => path = Some(record.value_bytes().to_vec()),
            key if key == b"size" || key.starts_with(b"GNU.sparse.") => {
                let key = String::from_utf8_lossy(key);
                return Err(unreadable(format_args!("pax record {key} is not supported")));
            }
            _ => {}
        }
    }
    Ok(path)
}

/// A name that stays inside the folder that it is unpacked to.
fn safe_path(path: &[u8]) -> Result<String, ArchiveProblem> {
    let shown = || String::from_utf8_lossy(path).chars().take(200).collect::<String>();
    let text = std::str::from_utf8(path).map_err(|_| ArchiveProblem::UnsafePath(shown()))?;
    let safe = !text.is_empty()
        && !text.starts_with('/')
        && !text.contains(['\0', '\\'])
        && text.split('/').all(|part| part != "..");
    if safe { Ok(text.to_owned()) } else { Err(ArchiveProblem::UnsafePath(shown())) }
}

#[cfg(test)]
mod tests;
