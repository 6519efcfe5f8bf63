//! The folder that a server owns: its lock and its secrets.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

use crate::server::ServerError;

/// A data folder that no other server uses for as long as this value lives.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    /// Holds the lock; the system drops it with the process, however that ends.
    _lock: File,
}

impl DataDir {
    /// Makes the folder if needed, readable by its owner only, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, ServerError> {
        let failed = |action| move |source| ServerError::data_dir(path, action, source);
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed("make it"))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(failed("open its lock file"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(ServerError::DataDirInUse(path.to_owned())),
            Err(TryLockError::Error(source)) => Err(failed("lock it")(source)),
        }
    }

    /// The folder itself.
    #[cfg(feature = "private-ca")]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A path inside.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The 32 bytes that URLs are signed with; made at the first start.
    pub(crate) fn signing_key(&self) -> Result<[u8; 32], ServerError> {
        let mut fresh = [0; 32];
        rand::fill(&mut fresh);
        let bytes = self.kept("signing.key", &fresh)?;
        bytes.try_into().map_err(|_| {
            let source = io::Error::new(io::ErrorKind::InvalidData, "it is not 32 bytes long");
            ServerError::data_dir(&self.path, "use its signing.key", source)
        })
    }

    /// The operator token of a server that was given none; made at the first start.
    pub(crate) fn operator_token(&self) -> Result<SecretString, ServerError> {
        let mut random = [0; 32];
        rand::fill(&mut random);
        let bytes = self.kept("operator.token", URL_SAFE_NO_PAD.encode(random).as_bytes())?;
        let text = String::from_utf8(bytes).unwrap_or_default();
        let text = text.trim();
        if text.is_empty() {
            let source = io::Error::new(io::ErrorKind::InvalidData, "it holds no token");
            return Err(ServerError::data_dir(&self.path, "use its operator.token", source));
        }
        Ok(SecretString::from(text))
    }

    fn kept(&self, name: &str, fresh: &[u8]) -> Result<Vec<u8>, ServerError> {
        self.keep(name, fresh)
            .map_err(|source| ServerError::data_dir(&self.path, "keep its keys", source))
    }

    /// What is kept in a file of this name, which only the owner can read; `fresh` if there is
    /// no such file yet, and then it is kept.
    pub(crate) fn keep(&self, name: &str, fresh: &[u8]) -> io::Result<Vec<u8>> {
        match std::fs::read(self.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                write_secret(&self.path, name, fresh)?;
                Ok(fresh.to_vec())
            }
            read => read,
        }
    }
}

/// Puts this into a file, which only the owner can read, durably and all or nothing.
pub(crate) fn write_secret(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(name).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(folder.join(name)).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn one_server_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDir::open(folder.path()).unwrap();
        let second = DataDir::open(folder.path()).unwrap_err();
        assert!(second.to_string().contains("in use"), "{second}");
        drop(first);
        DataDir::open(folder.path()).unwrap();
    }

    #[test]
    fn keys_are_made_once_and_only_the_owner_reads_them() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(&folder.path().join("new")).unwrap();
        let key = data.signing_key().unwrap();
        assert_eq!(key, data.signing_key().unwrap());
        assert_ne!(key, [0; 32]);
        let token = data.operator_token().unwrap();
        assert_eq!(token.expose_secret(), data.operator_token().unwrap().expose_secret());
        for name in ["signing.key", "operator.token", "lock"] {
            let mode = std::fs::metadata(data.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_damaged_key_is_an_error_not_a_new_key() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        std::fs::write(data.join("signing.key"), b"short").unwrap();
        assert!(data.signing_key().unwrap_err().to_string().contains("32 bytes"));
    }
}
