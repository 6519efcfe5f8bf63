//! Connections that only read: each call sees one consistent state, and none waits for the
//! writer.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::Semaphore;

use super::failure::Failure;
use super::schema::open_reader;
use crate::store::StoreError;

/// How many reads run at once; each holds a connection.
const READERS: usize = 4;

/// A small pool of connections, opened when they are first needed.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, idle: Arc::default(), permits: Arc::new(Semaphore::new(READERS)) }
    }

    /// Runs a read on a thread that may block.
    pub(super) async fn read<T, F>(&self, action: &'static str, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        let stopped = || StoreError::Engine { action, detail: "a read did not end".to_owned() };
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| stopped())?;
        let (path, idle) = (self.path.clone(), Arc::clone(&self.idle));
        let blocking = tokio::task::spawn_blocking(move || {
            // Held by the thread, not by the caller, who may go away before the read ends.
            let _permit = permit;
            let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match taken {
                Some(connection) => connection,
                None => open_reader(&path)?,
            };
            let answer = Transaction::new_unchecked(&connection, TransactionBehavior::Deferred)
                .map_err(Failure::from)
                .and_then(|snapshot| read(&snapshot));
            if !matches!(answer, Err(Failure::Engine(_))) {
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            }
            answer
        });
        blocking.await.map_err(|_| stopped())?.map_err(|failure| failure.during(action))
    }
}
