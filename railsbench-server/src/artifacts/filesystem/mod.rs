//! Artifacts in a folder, behind signed URLs of this server's own `/artifacts` route.
//!
//! Under the root, `objects/` mirrors the keys and `incoming/` holds uploads until they are
//! whole: an object is renamed into place after its bytes are on the disk, so readers see all
//! of it or nothing.

mod signature;

use std::fmt::Display;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use jiff::Timestamp;
use tempfile::TempPath;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;
use url::Url;

use self::signature::Signer;
pub use self::signature::{Operation, Permission};
use super::{ArtifactError, ArtifactKey, ArtifactStore, ByteStream, ObjectInfo, SignedUrl};

/// How much is read at a time.
const CHUNK: usize = 64 << 10;

/// Artifacts in a folder.
#[derive(Debug)]
pub struct FilesystemArtifacts {
    objects: PathBuf,
    incoming: PathBuf,
    signer: Signer,
}

impl FilesystemArtifacts {
    /// Opens the store in the folder `root`, makes it if need be, and clears away uploads that
    /// were cut off when a server ended. Several servers may use a folder; they need the same
    /// `signing_key`.
    ///
    /// `signing_key` signs the URLs; with another key, URLs given before are worth nothing.
    /// `base_url` is where this server is reached, e.g. `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// [`ArtifactError::Backend`] if the folder cannot be made or written.
    pub fn open(
        root: impl AsRef<Path>,
        signing_key: &[u8; 32],
        base_url: &Url,
    ) -> Result<Self, ArtifactError> {
        let root = root.as_ref();
        let (objects, incoming) = (root.join("objects"), root.join("incoming"));
        let make = || {
            std::fs::create_dir_all(&objects)?;
            std::fs::create_dir_all(&incoming)?;
            clear_abandoned(&incoming)
        };
        make().map_err(|error| ArtifactError::Backend {
            action: "open its folder",
            detail: format!("{}: {error}; it must be writable by this user", root.display()),
        })?;
        Ok(Self { objects, incoming, signer: Signer::new(signing_key, base_url) })
    }

    /// What a URL of the `/artifacts` route allows: `key_path` is what follows `/artifacts/`,
    /// `query` what follows the question mark, `operation` what the request's method asks for.
    ///
    /// # Errors
    /// [`ArtifactError::Signature`] if the signature does not fit or its time has passed,
    /// [`ArtifactError::InvalidKey`] if the path is no key.
    pub fn verify(
        &self,
        operation: Operation,
        key_path: &str,
        query: &str,
        now: Timestamp,
    ) -> Result<Permission, ArtifactError> {
        self.signer.verify(operation, key_path, query, now)
    }

    /// Stores a body as it arrives. When this returns, the object is on the disk as a whole;
    /// if it fails, or is dropped half-way, what was there before is there still.
    ///
    /// # Errors
    /// [`ArtifactError::TooLarge`] as soon as the body is, or `content_length` says it will be;
    /// [`ArtifactError::Signature`] if the permission is not to put; [`ArtifactError::Backend`]
    /// if the body breaks off or the disk fails.
    pub async fn write<E: Display>(
        &self,
        permission: &Permission,
        body: impl Stream<Item = Result<Bytes, E>> + Send,
        content_length: Option<u64>,
    ) -> Result<ObjectInfo, ArtifactError> {
        if permission.operation() != Operation::Put {
            return Err(ArtifactError::Signature("this URL is to read, not to store"));
        }
        let (key, max_bytes) = (permission.key(), permission.max_bytes());
        let check = |size: u64| {
            let fits = size <= max_bytes;
            fits.then_some(()).ok_or(ArtifactError::TooLarge { key: key.clone(), max_bytes })
        };
        check(content_length.unwrap_or(0))?;
        let incoming = self.incoming.clone();
        let temporary = blocking("make a file", move || {
            let upload = tempfile::Builder::new().prefix("upload-").tempfile_in(incoming)?;
            // For as long as it is open: then nobody takes it for abandoned.
            upload.as_file().lock()?;
            Ok(upload)
        });
        // Removes the file when it is dropped, unless it has been renamed by then.
        let (file, path) = temporary.await?.into_parts();
        let mut file = File::from_std(file);
        let mut size = 0;
        let mut body = pin!(body);
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| backend("receive an upload", error))?;
            size += chunk.len() as u64;
            check(size)?;
            file.write_all(&chunk).await.map_err(|error| backend("write an upload", error))?;
        }
        if content_length.is_some_and(|length| length != size) {
            let length = content_length.unwrap_or(0);
            let detail = format!("it ended after {size} of {length} bytes");
            return Err(backend("receive an upload", detail));
        }
        file.flush().await.map_err(|error| backend("write an upload", error))?;
        file.sync_all().await.map_err(|error| backend("write an upload", error))?;
        self.put_in_place(path, key).await?;
        drop(file);
        self.head(key).await?.ok_or_else(|| ArtifactError::NotFound(key.clone()))
    }

    async fn put_in_place(&self, upload: TempPath, key: &ArtifactKey) -> Result<(), ArtifactError> {
        let (root, key) = (self.objects.clone(), key.clone());
        blocking("put an upload in its place", move || {
            let target = locate(&root, &key)?;
            let folder = target.parent().unwrap_or(&root);
            std::fs::create_dir_all(folder)?;
            upload.persist(&target)?;
            // The name is durable when its folder is, and the folder when its own folder is.
            for folder in folder.ancestors().take_while(|folder| folder.starts_with(&root)) {
                std::fs::File::open(folder)?.sync_all()?;
            }
            Ok(())
        })
        .await
    }
}

fn backend(action: &'static str, detail: impl Display) -> ArtifactError {
    ArtifactError::Backend { action, detail: detail.to_string() }
}

/// Removes uploads that no server is at work on.
fn clear_abandoned(incoming: &Path) -> std::io::Result<()> {
    for entry in incoming.read_dir()? {
        let path = entry?.path();
        let abandoned = match std::fs::File::open(&path) {
            Ok(file) => file.try_lock().is_ok(),
            // It was finished meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        if abandoned {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Runs file work on a thread that may block.
async fn blocking<T: Send + 'static>(
    action: &'static str,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, ArtifactError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| backend(action, error))?
        .map_err(|error| backend(action, error))
}

/// Whether an error says that there is no such file: also if a part of the way is a file.
fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Where an object is. The way to it must be of folders: a link among them would lead elsewhere.
fn locate(root: &Path, key: &ArtifactKey) -> std::io::Result<PathBuf> {
    let path = root.join(key.as_str());
    let folders = path.ancestors().skip(1).take_while(|folder| *folder != root);
    for folder in folders {
        if folder.is_symlink() {
            let detail = format!("{} is a link", folder.display());
            return Err(std::io::Error::new(ErrorKind::NotADirectory, detail));
        }
    }
    Ok(path)
}

/// What is stored at a key: a file, and not a link or folder.
fn info(root: &Path, key: &ArtifactKey) -> std::io::Result<Option<ObjectInfo>> {
    let metadata = match locate(root, key).and_then(std::fs::symlink_metadata) {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => return Ok(None),
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let modified_at = Timestamp::try_from(metadata.modified()?).map_err(std::io::Error::other)?;
    Ok(Some(ObjectInfo { key: key.clone(), size: metadata.len(), modified_at }))
}

/// Adds every object at or below a key.
fn collect(root: &Path, key: &ArtifactKey, found: &mut Vec<ObjectInfo>) -> std::io::Result<()> {
    found.extend(info(root, key)?);
    let entries = locate(root, key).and_then(|path| {
        if path.is_symlink() { Err(ErrorKind::NotADirectory.into()) } else { path.read_dir() }
    });
    let entries = match entries {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let name = entry?.file_name();
        // What is not a key was not put there by this store.
        let below = name.to_str().map(|name| ArtifactKey::new(&format!("{key}/{name}")));
        if let Some(Ok(below)) = below {
            collect(root, &below, found)?;
        }
    }
    Ok(())
}

#[async_trait]
impl ArtifactStore for FilesystemArtifacts {
    async fn sign_put(
        &self,
        key: &ArtifactKey,
        max_bytes: u64,
        valid_for: Duration,
        now: Timestamp,
    ) -> Result<SignedUrl, ArtifactError> {
        Ok(self.signer.sign(&Permission::put(key, max_bytes), valid_for, now))
    }

    async fn sign_get(
        &self,
        key: &ArtifactKey,
        valid_for: Duration,
        now: Timestamp,
    ) -> Result<SignedUrl, ArtifactError> {
        Ok(self.signer.sign(&Permission::get(key), valid_for, now))
    }

    async fn head(&self, key: &ArtifactKey) -> Result<Option<ObjectInfo>, ArtifactError> {
        let (root, key) = (self.objects.clone(), key.clone());
        blocking("look at an artifact", move || info(&root, &key)).await
    }

    async fn read(&self, key: &ArtifactKey) -> Result<ByteStream, ArtifactError> {
        let (root, wanted) = (self.objects.clone(), key.clone());
        let open = move || match info(&root, &wanted)? {
            Some(_) => std::fs::File::open(locate(&root, &wanted)?).map(Some),
            None => Ok(None),
        };
        let file = blocking("read an artifact", open).await?;
        let file = file.ok_or_else(|| ArtifactError::NotFound(key.clone()))?;
        let stream = ReaderStream::with_capacity(File::from_std(file), CHUNK);
        Ok(stream.map_err(|error| backend("read an artifact", error)).boxed())
    }

    async fn delete(&self, key: &ArtifactKey) -> Result<(), ArtifactError> {
        let (root, key) = (self.objects.clone(), key.clone());
        let remove = move || match locate(&root, &key).and_then(std::fs::remove_file) {
            Err(error) if is_absent(&error) => Ok(()),
            outcome => outcome,
        };
        blocking("delete an artifact", remove).await
    }

    async fn list(&self, prefix: &ArtifactKey) -> Result<Vec<ObjectInfo>, ArtifactError> {
        let (root, prefix) = (self.objects.clone(), prefix.clone());
        let mut found = blocking("list artifacts", move || {
            let mut found = Vec::new();
            collect(&root, &prefix, &mut found)?;
            Ok(found)
        })
        .await?;
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    async fn ping(&self) -> Result<(), ArtifactError> {
        let incoming = self.incoming.clone();
        blocking("write to its folder", move || tempfile::tempfile_in(incoming).map(drop)).await
    }

    fn embedded(&self) -> Option<&FilesystemArtifacts> {
        Some(self)
    }
}

#[cfg(test)]
mod tests;
