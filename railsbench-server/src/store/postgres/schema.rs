//! Bringing the schema up to date. Many servers may try at once: one does it, the others wait.

use deadpool_postgres::{Pool, Transaction};

use super::failure::Failure;
use crate::store::StoreError;

/// Every step of the schema, oldest first. Steps are only ever added, and servers of the
/// version before must be able to work with what they leave.
const MIGRATIONS: [&str; 3] = [
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_token_owners.sql"),
    include_str!("migrations/0003_logs.sql"),
];

/// Held while the schema is looked at and changed: "rlsbschm".
const LOCK: &str = "SELECT pg_advisory_xact_lock(x'726c73627363686d'::bigint)";

const EXISTS: &str = "SELECT to_regclass('railsbench.schema_version') IS NOT NULL";

const MAKE: &str = "CREATE SCHEMA IF NOT EXISTS railsbench;
     CREATE TABLE schema_version (version BIGINT NOT NULL);
     INSERT INTO schema_version VALUES (0)";

/// A big table takes long to change.
const PATIENCE: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '60s'";

/// Makes the schema, or brings an older one up to date.
pub(super) async fn prepare(pool: &Pool) -> Result<(), Failure> {
    let mut client = pool.get().await?;
    let transaction = client.transaction().await?;
    transaction.batch_execute(PATIENCE).await?;
    transaction.batch_execute(LOCK).await?;
    migrate(&transaction).await?;
    transaction.commit().await?;
    warn_if_not_durable(&client).await
}

async fn migrate(transaction: &Transaction<'_>) -> Result<(), Failure> {
    let exists: bool = transaction.query_one(EXISTS, &[]).await?.try_get(0)?;
    if !exists {
        transaction.batch_execute(MAKE).await?;
    }
    let version: i64 =
        transaction.query_one("SELECT version FROM schema_version", &[]).await?.try_get(0)?;
    let known = MIGRATIONS.len();
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    if done > known {
        return Err(StoreError::Engine {
            action: "use its database",
            detail: format!(
                "its schema is version {version} and this program knows {known}; use the newer \
                 railsbench that made it"
            ),
        }
        .into());
    }
    for step in &MIGRATIONS[done..] {
        transaction.batch_execute(step).await?;
    }
    if done < known {
        let version = i64::try_from(known).unwrap_or(i64::MAX);
        transaction.execute("UPDATE schema_version SET version = $1", &[&version]).await?;
        tracing::info!(version, "the schema of the database is up to date");
    }
    Ok(())
}

async fn warn_if_not_durable(client: &deadpool_postgres::Client) -> Result<(), Failure> {
    let fsync: String = client.query_one("SHOW fsync", &[]).await?.try_get(0)?;
    if fsync != "on" {
        tracing::warn!("PostgreSQL runs with fsync off: a power failure may damage the database");
    }
    Ok(())
}
