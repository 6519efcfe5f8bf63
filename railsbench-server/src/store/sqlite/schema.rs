//! Opening the database file, and bringing its schema up to date.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::failure::explain;
use crate::store::StoreError;

/// Every step of the schema, oldest first. Steps are only ever added.
const MIGRATIONS: [&str; 3] = [
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_token_owners.sql"),
    include_str!("migrations/0003_logs.sql"),
];

/// Marks the file as ours (`PRAGMA application_id`): "rlsb".
const APPLICATION_ID: i32 = 0x726c_7362;

/// How long to wait for another process that holds the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The write-ahead log is cut back to this many bytes after a checkpoint.
const LOG_LIMIT: i64 = 64 << 20;

fn failed(path: &Path, detail: impl std::fmt::Display) -> StoreError {
    StoreError::Engine {
        action: "open its database",
        detail: format!("{}: {detail}", path.display()),
    }
}

/// Opens the file for writing, makes it if need be, and brings its schema up to date.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    make_private(path).map_err(|error| {
        failed(path, format!("{error}; its folder must exist and be writable by this user"))
    })?;
    let mut connection = connect(path).map_err(|error| failed(path, explain(&error)))?;
    let version = ours(&connection).map_err(|error| failed(path, explain(&error)))?;
    let Some(version) = version else {
        return Err(failed(path, "it is the database of another program; choose another file"));
    };
    let known = MIGRATIONS.len();
    if version > known {
        return Err(failed(
            path,
            format!(
                "its schema is version {version} and this program knows {known}; use the newer \
                 railsbench that made it"
            ),
        ));
    }
    prepare_to_write(&connection).map_err(|error| failed(path, explain(&error)))?;
    migrate(&mut connection, version).map_err(|error| failed(path, explain(&error)))?;
    Ok(connection)
}

/// Opens the file, which must be up to date, for reading.
pub(super) fn open_reader(path: &Path) -> Result<Connection, rusqlite::Error> {
    let connection = connect(path)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Makes the file if need be, and lets only its owner read it: SQLite gives its log and its
/// index the same mode.
fn make_private(path: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))
}

fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn prepare_to_write(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_LIMIT, |_| Ok(()))
}

/// The schema version; `None` if the file belongs to another program.
fn ours(connection: &Connection) -> Result<Option<usize>, rusqlite::Error> {
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let objects: u32 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let new = id == 0 && version == 0 && objects == 0;
    Ok((new || id == APPLICATION_ID).then(|| usize::try_from(version).unwrap_or(usize::MAX)))
}

fn migrate(connection: &mut Connection, version: usize) -> Result<(), rusqlite::Error> {
    if version == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in &MIGRATIONS[version..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(
        None,
        "user_version",
        u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX),
    )?;
    transaction.commit()
}
