//! What a campaign would do, and whether it can, before anything is made.

use std::collections::BTreeMap;
use std::time::Duration;

use railsbench_core::config::{ConfigError, FieldError, MachineRequest};
use railsbench_core::id::{ProviderName, RunId};
use railsbench_core::provider::{
    CaCertificate, Check, CostRange, Outcome, Plan, Preflight, Provider, ProvisionRequest, Role,
    UserDataVars,
};
use railsbench_providers::Registry;
use secrecy::SecretString;
use serde::Serialize;

use super::limit::total_cost;
use super::{Campaign, CampaignError};
use crate::orchestrator::{OrchestratorChoice, placeholder};

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
    pub home: &'a Home,
}

/// Where machines call home, and as whom.
pub(super) struct Home {
    pub orchestrator_url: String,
    pub run_token: SecretString,
    /// The only CA that is trusted there; those of the machine's system if absent.
    pub ca_certificate: Option<CaCertificate>,
}

impl Campaign {
    /// What would be made, and what it would cost. Touches nothing.
    ///
    /// # Errors
    /// [`CampaignError`] of class `Config` naming what cannot be made, or what could cost more
    /// than it may.
    pub fn plan(&self) -> Result<CampaignPlan, CampaignError> {
        let plans = self.plan_all()?;
        let cost = total_cost(&plans);
        self.keep_within_limit(&plans, &cost)?;
        Ok(CampaignPlan {
            run_id: self.run_id.clone(),
            tasks: self.config.task_count(),
            expected: plans.iter().map(|plan| plan.expected).max().unwrap_or_default(),
            cost,
            plans,
        })
    }

    /// The plan of each instance type, in the order of the configuration.
    pub(super) fn plan_all(&self) -> Result<Vec<Plan>, CampaignError> {
        let registry = self.registry();
        self.check_machines(&registry)?;
        let home = Home {
            orchestrator_url: match &self.orchestrator {
                OrchestratorChoice::Embedded => placeholder(self.embedded_address),
                OrchestratorChoice::Remote { url, .. } => url.to_string(),
            },
            run_token: "token of the run".to_owned().into(),
            ca_certificate: self.orchestrator.ca_certificate().cloned(),
        };
        let mut plans = Vec::new();
        for machine in &self.config.machines {
            let wanted =
                Wanted { machine, count: self.config.instances_per_type, first: 1, home: &home };
            plans.push(self.plan_machines(&registry, &wanted)?);
        }
        Ok(plans)
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
        wanted: &Wanted<'_>,
    ) -> Result<Plan, CampaignError> {
        let machine = wanted.machine;
        let provider = provider_of(registry, machine)?;
        let config = &self.config;
        // Tasks are shared by the machines; the slowest has one more if they do not divide.
        let tasks_each = config.tasks_per_type.div_ceil(config.instances_per_type.max(1));
        let vars = UserDataVars {
            orchestrator_url: wanted.home.orchestrator_url.clone(),
            api_key: wanted.home.run_token.clone(),
            run_id: self.run_id.clone(),
            provider: machine.provider.clone(),
            instance_type: machine.instance_type.clone(),
            ruby_version: config.suite().needs_ruby.then(|| config.ruby_version.clone()),
            max_lifetime: config.max_lifetime,
            allow_install: self.allow_install,
            runner: Some(self.runner_path().display().to_string()),
            runners: self.known_runners()?,
            runner_image: config.runner_image.clone(),
            ca_certificate: wanted.home.ca_certificate.clone(),
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
