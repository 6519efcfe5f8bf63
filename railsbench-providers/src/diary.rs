//! The journal, as one provision writes it: away from the async threads, with what is the same in
//! all of its entries.

use std::sync::Arc;

use jiff::Timestamp;
use railsbench_core::id::{ProviderName, RunId};
use railsbench_core::provider::{Journal, JournalEntry, JournalError, JournalStep, ProviderError};

/// What one provision writes down.
#[derive(Clone)]
pub(crate) struct Diary {
    journal: Arc<dyn Journal>,
    provider: ProviderName,
    run_id: RunId,
    region: Option<String>,
}

impl Diary {
    pub(crate) fn new(journal: Arc<dyn Journal>, provider: ProviderName, run_id: RunId) -> Self {
        Self { journal, provider, run_id, region: None }
    }

    /// The same, for what is in a region or zone.
    #[cfg(any(feature = "aws", feature = "azure", feature = "gcp", feature = "heroku"))]
    pub(crate) fn within(mut self, region: Option<String>) -> Self {
        self.region = region;
        self
    }

    /// All entries, also those of others.
    #[cfg(any(feature = "aws", feature = "gcp"))]
    pub(crate) async fn entries(&self) -> Result<Vec<JournalEntry>, ProviderError> {
        let journal = Arc::clone(&self.journal);
        self.blocking("reading", move || journal.entries()).await
    }

    /// Writes a step; it is durable when this returns.
    pub(crate) async fn write(
        &self,
        kind: &str,
        token: &str,
        step: JournalStep,
    ) -> Result<(), ProviderError> {
        let entry = JournalEntry {
            at: Timestamp::now(),
            provider: self.provider.clone(),
            run_id: self.run_id.clone(),
            kind: kind.to_owned(),
            token: token.to_owned(),
            region: self.region.clone(),
            step,
        };
        let journal = Arc::clone(&self.journal);
        self.blocking("writing", move || journal.record(&entry)).await
    }

    /// Writes down that something has gone. The world is as it should be also if that cannot be
    /// written, so it is only warned of.
    pub(crate) async fn removed(&self, kind: &str, token: &str) {
        if let Err(error) = self.write(kind, token, JournalStep::Removed).await {
            tracing::warn!(%error, kind, token, "removed, but the journal does not say so");
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        doing: &str,
        work: impl FnOnce() -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, ProviderError> {
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => Ok(done?),
            Err(error) => Err(ProviderError::Call {
                provider: self.provider.clone(),
                action: format!("{doing} the journal"),
                detail: error.to_string(),
            }),
        }
    }
}
