//! Opening the store and the artifact store that a configuration names.

use std::sync::Arc;

use url::Url;

use crate::artifacts::{ArtifactStore, FilesystemArtifacts};
use crate::config::{ArtifactsConfig, DatabaseConfig, ServerConfig};
use crate::data_dir::DataDir;
use crate::server::ServerError;
#[cfg(feature = "postgres")]
use crate::store::PostgresStore;
use crate::store::{SqliteStore, Store};

/// A store, and what the artifact store needs of it.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    /// What all servers of one store sign URLs with.
    shared_key: Option<[u8; 32]>,
}

impl Opened {
    /// A store that only this server uses.
    pub(crate) fn alone(store: Arc<dyn Store>) -> Self {
        Self { store, shared_key: None }
    }
}

/// Opens the store.
pub(crate) async fn open_store(
    config: &ServerConfig,
    data: &DataDir,
) -> Result<Opened, ServerError> {
    match &config.database {
        DatabaseConfig::Sqlite => {
            let path = data.join("railsbench.sqlite3");
            let store = tokio::task::spawn_blocking(move || SqliteStore::open(&path))
                .await
                .map_err(|error| ServerError::Failed(error.to_string()))??;
            Ok(Opened::alone(Arc::new(store)))
        }
        #[cfg(feature = "postgres")]
        DatabaseConfig::Postgres(config) => {
            let store = PostgresStore::open(config).await?;
            let shared_key = Some(store.signing_key().await?);
            Ok(Opened { store: Arc::new(store), shared_key })
        }
    }
}

/// Opens the artifact store.
#[cfg_attr(not(feature = "s3"), expect(clippy::unused_async, reason = "only S3 has to be asked"))]
pub(crate) async fn open_artifacts(
    config: &ServerConfig,
    data: &DataDir,
    store: &Opened,
    url: &Url,
) -> Result<Arc<dyn ArtifactStore>, ServerError> {
    let folder = match &config.artifacts {
        ArtifactsConfig::Filesystem => data.join("artifacts"),
        ArtifactsConfig::Folder(folder) => folder.clone(),
        #[cfg(feature = "s3")]
        ArtifactsConfig::S3(config) => {
            return Ok(Arc::new(crate::artifacts::S3Artifacts::open(config.clone()).await?));
        }
    };
    let key = match store.shared_key {
        Some(key) => key,
        None => data.signing_key()?,
    };
    Ok(Arc::new(FilesystemArtifacts::open(folder, &key, url)?))
}
