//! The journal: what we are about to create, written down before we create it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{ProviderName, RunId};

/// How far a step has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum JournalStep {
    /// It is about to be created.
    Intend,
    /// It exists under this id.
    Created {
        /// Id in the provider's own naming.
        id: String,
    },
    /// It is gone, and that was verified.
    Removed,
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// When.
    pub at: Timestamp,
    /// Where.
    pub provider: ProviderName,
    /// For which run.
    pub run_id: RunId,
    /// What, e.g. `instance`.
    pub kind: String,
    /// The idempotency token or deterministic name of the call.
    pub token: String,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// How far it has come.
    #[serde(flatten)]
    pub step: JournalStep,
}

/// The journal could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} the journal {path}: {detail}")]
pub struct JournalError {
    /// `write` or `read`.
    pub action: &'static str,
    /// Where it is.
    pub path: String,
    /// What went wrong.
    pub detail: String,
}

/// Where steps are written down. An entry is durable when `record` returns.
pub trait Journal: Send + Sync {
    /// Writes one entry.
    ///
    /// # Errors
    /// [`JournalError`]; the step must then not be taken.
    fn record(&self, entry: &JournalEntry) -> Result<(), JournalError>;

    /// All entries, oldest first.
    ///
    /// # Errors
    /// [`JournalError`] if it cannot be read.
    fn entries(&self) -> Result<Vec<JournalEntry>, JournalError>;
}
