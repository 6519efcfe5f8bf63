//! What can go wrong inside a transaction, whether trying again may help, and the words for it.

use std::error::Error as _;
use std::io;

use deadpool_postgres::{HookError, PoolError};
use railsbench_core::lifecycle::Rejection;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::store::StoreError;
use crate::store::columns::Damaged;

/// Why a transaction cannot go on.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command is refused: a [`StoreError`] as it is.
    Refused(StoreError),
    /// PostgreSQL failed, or the way to it.
    Engine(Error),
    /// There is no connection to be had.
    Pool(PoolError),
    /// A connection did not answer in time.
    Silent,
    /// What is stored cannot be read back.
    Unreadable(Damaged),
}

impl Failure {
    /// Whether the cause may pass by itself, so that the same may be tried again.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Engine(error)
            | Self::Pool(
                PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)),
            ) => passes(error),
            // Not `Wait`: whoever waited for its turn has waited long enough.
            Self::Pool(PoolError::Timeout(kind)) => {
                !matches!(kind, deadpool_postgres::TimeoutType::Wait)
            }
            Self::Silent => true,
            Self::Refused(_) | Self::Pool(_) | Self::Unreadable(_) => false,
        }
    }

    /// Puts into words what was tried.
    pub(super) fn during(self, action: &'static str) -> StoreError {
        let detail = match self {
            Self::Refused(error) => return error,
            Self::Engine(error)
            | Self::Pool(
                PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)),
            ) => explain(&error),
            Self::Pool(PoolError::Timeout(deadpool_postgres::TimeoutType::Wait)) => {
                "every connection to PostgreSQL is in use; allow more, or ask less".to_owned()
            }
            Self::Pool(error) => error.to_string(),
            Self::Silent => "PostgreSQL does not answer".to_owned(),
            Self::Unreadable(damage) => damage.to_string(),
        };
        StoreError::Engine { action, detail }
    }
}

/// The error of the system below, if that is what it was.
fn io_kind(error: &Error) -> Option<io::ErrorKind> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}

fn passes(error: &Error) -> bool {
    if let Some(code) = error.code() {
        let passing = [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            // Ended, restarting, starting, or about to be another machine.
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            SqlState::TOO_MANY_CONNECTIONS,
        ];
        return passing.contains(code) || code.code().starts_with("08");
    }
    if error.is_closed() {
        return true;
    }
    // Bad certificates come as invalid data; they and bad permissions stay as they are.
    io_kind(error).is_some_and(|kind| {
        !matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::PermissionDenied)
    })
}

/// What PostgreSQL or the network says, and the fix where there is one.
pub(super) fn explain(error: &Error) -> String {
    let Some(problem) = error.as_db_error() else {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        let fix = match io_kind(error) {
            Some(io::ErrorKind::InvalidData) => {
                "; name the authority of its certificate with a CA file"
            }
            Some(_) => "; PostgreSQL must run where the database URL says",
            None => "",
        };
        return format!("{text}{fix}");
    };
    let code = problem.code();
    let fixes = [
        (SqlState::INVALID_PASSWORD, "; the password of the database URL must be that of the user"),
        (
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            "; the server's pg_hba.conf must let this user in from here",
        ),
        (SqlState::INVALID_CATALOG_NAME, "; make the database first, e.g. with createdb"),
        (
            SqlState::INSUFFICIENT_PRIVILEGE,
            "; the user must be allowed to make a schema in the database, or own the one there is",
        ),
        (SqlState::TOO_MANY_CONNECTIONS, "; raise max_connections, or allow servers fewer"),
        (SqlState::DISK_FULL, "; free some space on the disk of the database"),
        (SqlState::QUERY_CANCELED, "; look at what the database is busy with"),
        (SqlState::LOCK_NOT_AVAILABLE, "; look at who holds the lock in pg_stat_activity"),
    ];
    let fix = fixes.iter().find(|(known, _)| known == code).map_or("", |(_, fix)| fix);
    format!("{} ({}){fix}", problem.message(), code.code())
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

impl From<PoolError> for Failure {
    fn from(error: PoolError) -> Self {
        Self::Pool(error)
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
