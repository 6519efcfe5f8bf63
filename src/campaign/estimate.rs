//! What a campaign is expected to cost, whether or not it could start as things are.

use railsbench_core::provider::{RunnerFile, RunnerTarget};

use super::limit::total_cost;
use super::plan::provider_of;
use super::{Campaign, CampaignError};
use crate::cost::{Estimate, GroupEstimate};
use crate::orchestrator::OrchestratorChoice;

/// Stands for an orchestrator that every provider would plan with.
const STAND_IN_URL: &str = "https://orchestrator.example.com";

impl Campaign {
    /// What the configuration is expected to cost. Neither an orchestrator nor runners need be
    /// there, and the limit is not looked at. Touches nothing.
    ///
    /// # Errors
    /// [`CampaignError`] of class `Config` naming what cannot be made.
    pub fn estimate(&self) -> Result<Estimate, CampaignError> {
        let url = STAND_IN_URL.parse().map_err(|error: url::ParseError| {
            CampaignError::BrokeOff(format!("{STAND_IN_URL} is no URL: {error}"))
        })?;
        let stand_in = Self {
            orchestrator: OrchestratorChoice::Remote {
                url,
                api_key: String::new().into(),
                ca_certificate: None,
            },
            remote_runners: Some(
                RunnerTarget::ALL
                    .map(|target| RunnerFile { target, sha256: "0".repeat(64) })
                    .to_vec(),
            ),
            ..self.clone()
        };
        let plans = stand_in.plan_all()?;
        let cost = total_cost(&plans);
        let registry = self.registry();
        let groups = plans.into_iter().zip(&self.config.machines).map(|(plan, machine)| {
            let expectations = provider_of(&registry, machine)?.expectations();
            Ok(GroupEstimate::of(plan, &expectations))
        });
        let groups = groups.collect::<Result<_, CampaignError>>()?;
        Ok(Estimate { groups, cost, max_cost: self.config.max_cost })
    }
}
