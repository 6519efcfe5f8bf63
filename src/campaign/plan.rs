//! What a campaign would do, and whether it can, before anything is made.

use std::collections::BTreeMap;
use std::time::Duration;

use railsbench_core::config::{ConfigError, FieldError, MachineRequest};
use railsbench_core::id::{ProviderName, RunId};
use railsbench_core::money::Usd;
use railsbench_core::provider::{
    Check, CostRange, Outcome, Plan, Preflight, Provider, ProvisionRequest, Role, UserDataVars,
};
use railsbench_providers::Registry;
use secrecy::SecretString;
use serde::Serialize;

use super::{Campaign, CampaignError};
use crate::orchestrator::OrchestratorChoice;

/// Stands for the orchestrator in plans of campaigns whose own one has no address yet.
const EMBEDDED_URL: &str = "http://127.0.0.1";

/// Everything that a campaign would make, and what it would cost.
#[derive(Debug, Clone, Serialize)]
pub struct CampaignPlan {
    /// The run.
    pub run_id: RunId,
    /// One plan per instance type, in the order of the configuration.
    pub plans: Vec<Plan>,
    /// How many tasks there are in all.
    pub tasks: u32,
    /// How long the longest of the machines is expected to live.
    #[serde(serialize_with = "seconds", rename = "expected_seconds")]
    pub expected: Duration,
    /// What all of it costs.
    pub cost: CostRange,
}

fn seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

/// What one provider found.
#[derive(Debug, Clone, Serialize)]
pub struct ProviderPreflight {
    /// Which.
    pub provider: ProviderName,
    /// What.
    #[serde(flatten)]
    pub preflight: Preflight,
}

/// Machines of one instance type that are to be started.
pub(super) struct Wanted<'a> {
    pub machine: &'a MachineRequest,
    pub count: u32,
    pub first: u32,
    pub orchestrator_url: &'a str,
    pub run_token: SecretString,
}

impl Campaign {
    /// What would be made, and what it would cost. Touches nothing.
    ///
    /// # Errors
    /// [`CampaignError`] of class `Config` naming what cannot be made.
    pub fn plan(&self) -> Result<CampaignPlan, CampaignError> {
        let registry = self.registry();
        self.check_machines(&registry)?;
        let url = match &self.orchestrator {
            OrchestratorChoice::Embedded => EMBEDDED_URL.to_owned(),
            OrchestratorChoice::Remote { url, .. } => url.to_string(),
        };
        let mut plans = Vec::new();
        for machine in &self.config.machines {
            let wanted = Wanted {
                machine,
                count: self.config.instances_per_type,
                first: 1,
                orchestrator_url: &url,
                run_token: "token of the run".to_owned().into(),
            };
            plans.push(self.plan_machines(&registry, wanted)?);
        }
        let cost = total_cost(&plans);
        if self.config.max_cost.is_some() && !cost.unpriced.is_empty() {
            return Err(CampaignError::NoPrice { what: cost.unpriced.join(", ") });
        }
        if let Some(max) = self.config.max_cost.filter(|max| cost.likely > *max) {
            return Err(CampaignError::TooExpensive { likely: cost.likely, max });
        }
        Ok(CampaignPlan {
            run_id: self.run_id.clone(),
            tasks: self.config.task_count(),
            expected: plans.iter().map(|plan| plan.expected).max().unwrap_or_default(),
            cost,
            plans,
        })
    }

    /// Looks at every provider and instance type, so that all wrong ones are told at once.
    fn check_machines(&self, registry: &Registry) -> Result<(), ConfigError> {
        let known: Vec<String> = registry.names().iter().map(ToString::to_string).collect();
        let mut errors: Vec<FieldError> = Vec::new();
        let mut places: BTreeMap<&ProviderName, usize> = BTreeMap::new();
        for machine in &self.config.machines {
            let name = &machine.provider;
            let place = places.entry(name).or_default();
            let Some(provider) = registry.get(name) else {
                if *place == 0 {
                    errors.push(FieldError {
                        field: name.to_string(),
                        problem: "this build of railsbench has no such provider".to_owned(),
                        fix: format!("use one of: {}", known.join(", ")),
                    });
                }
                *place += 1;
                continue;
            };
            if let Err(error) = provider.shape(machine.instance_type.as_str()) {
                errors.push(FieldError {
                    field: format!("{name}[{place}]"),
                    problem: error.to_string(),
                    fix: format!("`railsbench instance-types {name}` lists what there is"),
                });
            }
            *place += 1;
        }
        if errors.is_empty() { Ok(()) } else { Err(ConfigError { errors }) }
    }

    /// The plan for machines of one instance type.
    pub(super) fn plan_machines(
        &self,
        registry: &Registry,
        wanted: Wanted<'_>,
    ) -> Result<Plan, CampaignError> {
        let machine = wanted.machine;
        let provider = provider_of(registry, machine)?;
        let config = &self.config;
        // Tasks are shared by the machines; the slowest has one more if they do not divide.
        let tasks_each = config.tasks_per_type.div_ceil(config.instances_per_type.max(1));
        let vars = UserDataVars {
            orchestrator_url: wanted.orchestrator_url.to_owned(),
            api_key: wanted.run_token,
            run_id: self.run_id.clone(),
            provider: machine.provider.clone(),
            instance_type: machine.instance_type.clone(),
            ruby_version: config.suite().needs_ruby.then(|| config.ruby_version.clone()),
            max_lifetime: config.max_lifetime,
            allow_install: self.allow_install,
            runner: Some(self.runner_path().display().to_string()),
            runners: self.known_runners()?,
            runner_image: config.runner_image.clone(),
        };
        let request = ProvisionRequest {
            role: Role::Runner,
            run_id: self.run_id.clone(),
            instance_type: machine.instance_type.clone(),
            label: machine.label().to_owned(),
            count: wanted.count,
            first: wanted.first,
            region: config.regions.get(&machine.provider).cloned(),
            expected_work: config.expected_task_duration().saturating_mul(tasks_each),
            max_lifetime: config.max_lifetime,
            vars,
        };
        Ok(provider.plan(&request)?)
    }

    /// Looks, without changing anything, whether a plan can be carried out.
    ///
    /// # Errors
    /// [`CampaignError`] if a look itself failed; what was found is in the answer.
    pub async fn preflight(
        &self,
        plan: &CampaignPlan,
    ) -> Result<Vec<ProviderPreflight>, CampaignError> {
        let registry = self.registry();
        let mut found = Vec::new();
        for (plan, machine) in plan.plans.iter().zip(&self.config.machines) {
            let provider = provider_of(&registry, machine)?;
            let preflight = provider.preflight(plan).await?;
            found.push(ProviderPreflight { provider: machine.provider.clone(), preflight });
        }
        Ok(found)
    }

    /// What stands in the way of starting, given what may be installed.
    pub(super) fn obstacles(&self, found: &[ProviderPreflight]) -> Vec<(ProviderName, Check)> {
        let stands = |check: &&Check| match check.outcome {
            Outcome::Passed { .. } => false,
            Outcome::NeedsConsent { .. } => !self.allow_install,
            Outcome::Failed { .. } => true,
        };
        let mut obstacles: Vec<(ProviderName, Check)> = Vec::new();
        for ProviderPreflight { provider, preflight } in found {
            for check in preflight.checks.iter().filter(stands) {
                let obstacle = (provider.clone(), check.clone());
                if !obstacles.contains(&obstacle) {
                    obstacles.push(obstacle);
                }
            }
        }
        obstacles
    }
}

/// The provider of a machine.
pub(super) fn provider_of(
    registry: &Registry,
    machine: &MachineRequest,
) -> Result<std::sync::Arc<dyn Provider>, CampaignError> {
    registry.get(&machine.provider).ok_or_else(|| {
        let known: Vec<String> = registry.names().iter().map(ToString::to_string).collect();
        CampaignError::UnknownProvider {
            provider: machine.provider.clone(),
            known: known.join(", "),
        }
    })
}

fn total_cost(plans: &[Plan]) -> CostRange {
    let sum = |part: fn(&CostRange) -> Usd| plans.iter().map(|plan| part(&plan.cost)).sum();
    let mut sources: Vec<&str> = Vec::new();
    for plan in plans {
        if !sources.contains(&plan.cost.source.as_str()) {
            sources.push(&plan.cost.source);
        }
    }
    let mut unpriced: Vec<String> = Vec::new();
    for what in plans.iter().flat_map(|plan| &plan.cost.unpriced) {
        if !unpriced.contains(what) {
            unpriced.push(what.clone());
        }
    }
    CostRange {
        low: sum(|cost| cost.low),
        likely: sum(|cost| cost.likely),
        high: sum(|cost| cost.high),
        as_of: plans.iter().filter_map(|plan| plan.cost.as_of).min(),
        source: sources.join("; "),
        unpriced,
    }
}
