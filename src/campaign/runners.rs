//! The runners that machines can fetch: found on this host for the embedded orchestrator, asked
//! of a remote one.

use railsbench_core::provider::RunnerFile;
use railsbench_server::RunnerFiles;

use super::{Campaign, CampaignError};
use crate::client::OperatorClient;
use crate::orchestrator::{ConnectError, OrchestratorChoice};

impl Campaign {
    /// Asks a remote orchestrator what a plan has to know of it: which runners machines can fetch
    /// there. Of the embedded one it is known. Starting a campaign does this by itself.
    ///
    /// # Errors
    /// [`CampaignError::Connect`] if the orchestrator does not answer.
    pub async fn meet_orchestrator(mut self) -> Result<Self, CampaignError> {
        if let OrchestratorChoice::Remote { url, api_key } = &self.orchestrator {
            let client = OperatorClient::new(url.clone(), api_key.clone())?;
            let runners = client.runners().await.map_err(ConnectError::from)?;
            self.remote_runners = Some(runners);
        }
        Ok(self)
    }

    /// What machines can fetch from the embedded orchestrator: what the operator has named, and
    /// the runner that this host would run itself.
    pub(super) fn runner_files(&self) -> RunnerFiles {
        let mut files = self.runners.clone();
        let own = self.runner_path();
        // It may be absent or a script; that matters only to those who need it.
        if let Err(error) = files.add(&own) {
            tracing::debug!(%error, "no runner for machines to fetch");
        }
        files
    }

    /// The runners that machines can fetch, as far as is known before the orchestrator is met.
    pub(super) fn known_runners(&self) -> Result<Vec<RunnerFile>, CampaignError> {
        match &self.remote_runners {
            Some(runners) => Ok(runners.clone()),
            None => Ok(self.runner_files().measure()?),
        }
    }
}
