//! What can go wrong inside a transaction, before the caller's words are put around it.

use railsbench_core::lifecycle::Rejection;
use rusqlite::ErrorCode;

use crate::store::StoreError;
use crate::store::columns::Damaged;

/// Why a transaction cannot go on.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command is refused: a [`StoreError`] as it is.
    Refused(StoreError),
    /// SQLite failed.
    Engine(rusqlite::Error),
    /// What is stored cannot be read back.
    Unreadable(Damaged),
}

impl Failure {
    /// Puts into words what was tried.
    pub(super) fn during(self, action: &'static str) -> StoreError {
        match self {
            Self::Refused(error) => error,
            Self::Engine(error) => StoreError::Engine { action, detail: explain(&error) },
            Self::Unreadable(damage) => StoreError::Engine { action, detail: damage.to_string() },
        }
    }
}

/// What SQLite says, and the fix where there is one.
pub(super) fn explain(error: &rusqlite::Error) -> String {
    let fix = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "; free some space on its disk",
        Some(ErrorCode::CannotOpen) => "; its folder must exist and be writable",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "; the file and its folder must be writable by this user"
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            "; the file is damaged or not a database: restore a backup, or move it away to start \
             afresh"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "; another process holds the file: one server may use it at a time"
        }
        Some(ErrorCode::SystemIoFailure) => "; look at the disk and the system log",
        _ => "",
    };
    format!("{error}{fix}")
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<Damaged> for Failure {
    fn from(damage: Damaged) -> Self {
        Self::Unreadable(damage)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(StoreError::Rejected(rejection))
    }
}
