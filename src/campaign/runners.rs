//! The runners that machines can fetch: found on this host for the embedded orchestrator, asked
//! of a remote one.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use railsbench_core::provider::RunnerFile;
use railsbench_server::RunnerFiles;

use super::{Campaign, CampaignError};
use crate::client::OperatorClient;
use crate::orchestrator::{ConnectError, LOOPBACK, OrchestratorChoice};

impl Campaign {
    /// Asks a remote orchestrator what a plan has to know of it: which runners machines can fetch
    /// there. For the embedded one it asks the providers where their machines reach it. Starting
    /// a campaign does this by itself.
    ///
    /// # Errors
    /// [`CampaignError::Connect`] if the orchestrator does not answer.
    pub async fn meet_orchestrator(mut self) -> Result<Self, CampaignError> {
        if let OrchestratorChoice::Remote { url, api_key, ca_certificate } = &self.orchestrator {
            let client =
                OperatorClient::trusting(url.clone(), api_key.clone(), ca_certificate.as_ref())?;
            let runners = client.runners().await.map_err(ConnectError::from)?;
            self.remote_runners = Some(runners);
        } else {
            self.embedded_address = self.address_for_machines().await;
        }
        Ok(self)
    }

    /// Where an orchestrator of this process must listen to be reached by the machines that are
    /// asked for: on loopback, which processes of this host reach anywhere, unless a provider
    /// names another address.
    async fn address_for_machines(&self) -> IpAddr {
        let registry = self.registry();
        let names: BTreeSet<_> =
            self.config.machines.iter().map(|machine| &machine.provider).collect();
        for provider in names.into_iter().filter_map(|name| registry.get(name)) {
            match provider.host_address().await {
                Ok(address) if !address.is_loopback() => return address,
                Ok(_) => {}
                // The provider's own look at the orchestrator says what is wrong.
                Err(error) => tracing::debug!(%error, "no address for machines"),
            }
        }
        LOOPBACK
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

/// The name of the runner's executable.
const RUNNER: &str = "railsbench-runner";

/// Where the runner's executable is, or would be, if nobody names one: beside this program, or in
/// a folder of `PATH`.
pub fn own_runner() -> PathBuf {
    let own = std::env::current_exe().ok();
    let beside = own.as_deref().and_then(Path::parent).map(Path::to_owned);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = beside.into_iter().chain(std::env::split_paths(&path));
    let candidates: Vec<PathBuf> = folders.map(|folder| folder.join(RUNNER)).collect();
    let found = candidates.iter().find(|path| path.is_file()).or(candidates.first());
    found.cloned().unwrap_or_else(|| PathBuf::from(RUNNER))
}
