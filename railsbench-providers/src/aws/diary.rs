//! The journal, as one provision writes it.

use std::sync::Arc;

use jiff::Timestamp;
use railsbench_core::provider::{Journal, JournalEntry, JournalStep, Plan, ProviderError};

use super::naming::provider_name;

/// The journal, with what is the same in all entries of one call.
pub(super) struct Diary<'a> {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) plan: &'a Plan,
    pub(super) region: &'a str,
}

impl Diary<'_> {
    /// All entries, also those of others.
    pub(super) async fn read(
        journal: &Arc<dyn Journal>,
    ) -> Result<Vec<JournalEntry>, ProviderError> {
        let journal = Arc::clone(journal);
        match tokio::task::spawn_blocking(move || journal.entries()).await {
            Ok(entries) => Ok(entries?),
            Err(error) => Err(not_run("reading the journal", &error)),
        }
    }

    /// Writes a step; it is durable when this returns.
    pub(super) async fn write(
        &self,
        kind: &str,
        token: &str,
        step: JournalStep,
    ) -> Result<(), ProviderError> {
        let entry = JournalEntry {
            at: Timestamp::now(),
            provider: provider_name(),
            run_id: self.plan.run_id.clone(),
            kind: kind.to_owned(),
            token: token.to_owned(),
            region: Some(self.region.to_owned()),
            step,
        };
        let journal = Arc::clone(&self.journal);
        match tokio::task::spawn_blocking(move || journal.record(&entry)).await {
            Ok(recorded) => Ok(recorded?),
            Err(error) => Err(not_run("writing the journal", &error)),
        }
    }
}

fn not_run(action: &str, error: &tokio::task::JoinError) -> ProviderError {
    ProviderError::Call {
        provider: provider_name(),
        action: action.to_owned(),
        detail: error.to_string(),
    }
}
