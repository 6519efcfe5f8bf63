//! What other runs have left behind, at the providers of a campaign, and whose time is over: every
//! campaign removes it, so that nobody pays for long for what a lost operator has forgotten.

use std::collections::BTreeSet;

use jiff::Timestamp;
use railsbench_providers::Registry;

use super::{Campaign, CampaignEvent};
use crate::sweep::Sweep;

impl Campaign {
    /// Removes what has expired at this campaign's providers, in their default regions and in
    /// those of the configuration. Gives what there is to tell: that something cannot be removed
    /// is a warning, for it is not what the campaign was asked for.
    pub(super) async fn sweep_leftovers(self) -> Vec<CampaignEvent> {
        let all = self.registry();
        let mut registry = Registry::empty();
        let names: BTreeSet<_> =
            self.config.machines.iter().map(|machine| &machine.provider).collect();
        for provider in names.into_iter().filter_map(|name| all.get(name)) {
            registry.register(provider);
        }
        let mut sweep = Sweep::expired(Timestamp::now());
        for (provider, region) in &self.config.regions {
            sweep = sweep.besides(provider.clone(), region.clone());
        }
        let findings = match sweep.find(&registry).await {
            Ok(findings) => findings,
            Err(error) => return vec![warning(&error)],
        };
        let mut told: Vec<CampaignEvent> =
            findings.problems().map(|(_, problem)| warning(problem)).collect();
        for cleared in findings.remove().await {
            told.extend(cleared.problem.iter().map(|problem| warning(problem)));
            if !cleared.removed.is_empty() {
                let (provider, resources) = (cleared.provider, cleared.removed);
                told.push(CampaignEvent::Swept { provider, resources });
            }
        }
        told
    }
}

fn warning(problem: &dyn std::error::Error) -> CampaignEvent {
    CampaignEvent::Warning {
        message: format!("leftovers of other runs could not be removed: {problem}"),
    }
}
