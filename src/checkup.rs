//! Whether a provider is ready for a run: what it finds of its settings, and its own preflight of
//! the smallest plan there is. Nothing is made.

use std::cmp::Ordering;
use std::time::Duration;

use railsbench_core::config::RubyVersion;
use railsbench_core::id::{InstanceType, ProviderName, RunId};
use railsbench_core::provider::{
    Check, Outcome, Plan, PlanError, Price, Provider, ProviderError, ProvisionRequest, Role,
    RunnerFile, RunnerTarget, SettingState, Setup, Shape, ShapeError, UserDataVars,
};
use railsbench_server::{RunnerFiles, RunnerFilesError};
use serde::Serialize;

use crate::campaign::runners::own_runner;
use crate::client::{ClientError, OperatorClient};
use crate::orchestrator::{LOOPBACK, OrchestratorChoice, placeholder};

/// Stands for an orchestrator that a provider would not refuse to plan for.
const STAND_IN_URL: &str = "https://orchestrator.example.com";

/// What providers call their look at the orchestrator's URL.
const ORCHESTRATOR: &str = "orchestrator";

/// Longest life and expected work of the machine that is planned and never made.
const LIFE: Duration = Duration::from_hours(1);
const WORK: Duration = Duration::from_mins(10);

/// What was found of one provider.
#[derive(Debug, Clone, Serialize)]
pub struct Examined {
    /// Which.
    pub provider: ProviderName,
    /// The type of the machine that was planned; absent if there was none to choose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// Where it was planned; absent where there are no regions or no plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Everything that was looked at, in order.
    pub checks: Vec<Check>,
}

impl Examined {
    /// Whether a run could start as things are.
    pub fn is_well(&self) -> bool {
        self.checks.iter().all(Check::has_passed)
    }
}

/// Looks at providers one by one.
#[derive(Debug, Clone)]
pub struct Checkup {
    orchestrator: OrchestratorChoice,
    runners: Vec<RunnerFile>,
    /// Which runners there are is not known, so that nothing can be said of them.
    runners_unknown: bool,
    instance_type: Option<InstanceType>,
    region: Option<String>,
}

impl Checkup {
    /// A look as with this process's own orchestrator, which hands out these runners and the one
    /// beside this program.
    ///
    /// # Errors
    /// [`RunnerFilesError`] if a runner cannot be read.
    pub fn new(mut runners: RunnerFiles) -> Result<Self, RunnerFilesError> {
        // It may be absent or a script; that matters only to those who need it.
        if let Err(error) = runners.add(&own_runner()) {
            tracing::debug!(%error, "no runner for machines to fetch");
        }
        Ok(Self {
            orchestrator: OrchestratorChoice::Embedded,
            runners: runners.measure()?,
            runners_unknown: false,
            instance_type: None,
            region: None,
        })
    }

    /// Looks at an orchestrator, and from then on at providers as with that one. The embedded one
    /// gives no checks: it is there when a run starts.
    ///
    /// # Errors
    /// [`ClientError::Url`] or [`ClientError::Ca`] if no calls can be made to it at all. What a
    /// call finds is in the checks.
    pub async fn meet(
        &mut self,
        orchestrator: OrchestratorChoice,
    ) -> Result<Vec<Check>, ClientError> {
        let mut checks = Vec::new();
        if let OrchestratorChoice::Remote { url, api_key, ca_certificate } = &orchestrator {
            let client =
                OperatorClient::trusting(url.clone(), api_key.clone(), ca_certificate.as_ref())?;
            let answers = client.health().await;
            let is_well = answers.is_ok();
            checks.push(check("answer", answered(url.as_str(), answers)));
            self.runners_unknown = true;
            if is_well {
                match client.runners().await {
                    Ok(runners) => {
                        checks.push(check("runners", handed_out(&runners)));
                        self.runners = runners;
                        self.runners_unknown = false;
                    }
                    Err(error) => checks.push(check("runners", refused(&error.to_string()))),
                }
            }
        }
        self.orchestrator = orchestrator;
        Ok(checks)
    }

    /// Plans a machine of this type; the cheapest one if never called.
    #[must_use]
    pub fn with_instance_type(mut self, instance_type: InstanceType) -> Self {
        self.instance_type = Some(instance_type);
        self
    }

    /// Plans it in this region; the provider's default if never called.
    #[must_use]
    pub fn with_region(mut self, region: String) -> Self {
        self.region = Some(region);
        self
    }

    /// Looks at a provider. What is found is in the answer, also that a look failed.
    ///
    /// # Errors
    /// [`ShapeError`] if the type that was asked for is none of the provider's.
    pub async fn examine(&self, provider: &dyn Provider) -> Result<Examined, ShapeError> {
        let setup = provider.setup().await;
        let mut examined = Examined {
            provider: provider.name().clone(),
            instance_type: None,
            region: None,
            checks: Vec::new(),
        };
        let Some(instance_type) = self.choose_type(provider)? else {
            let problem = "the provider lists no instance type".to_owned();
            let fix = "name one that it has".to_owned();
            examined.checks = settings(setup);
            examined.checks.push(check("plan", Outcome::Failed { problem, fix }));
            return Ok(examined);
        };
        let url = match &self.orchestrator {
            // Why it has no address, the provider's own looks tell.
            OrchestratorChoice::Embedded => {
                placeholder(provider.host_address().await.unwrap_or(LOOPBACK))
            }
            OrchestratorChoice::Remote { url, .. } => url.to_string(),
        };
        let (plan, url_is_real, mut found) = self.plan(provider, &url, &instance_type);
        if let Some(plan) = plan {
            examined.region = plan.machines.first().and_then(|machine| machine.region.clone());
            let preflight = provider.preflight(&plan).await.map(|preflight| preflight.checks);
            found.extend(looks(preflight, url_is_real, setup.is_complete()));
        }
        examined.instance_type = Some(instance_type.to_string());
        examined.checks = settings(setup);
        // A look that fails for want of a setting tells nothing new; others say more than the
        // setting did.
        found.retain(|check| {
            check.has_passed() || examined.checks.iter().all(|told| told.outcome != check.outcome)
        });
        examined.checks.retain(|setting| found.iter().all(|check| check.name != setting.name));
        examined.checks.extend(found);
        Ok(examined)
    }

    /// The type that was asked for, or the cheapest one that can be planned and that a runner at
    /// hand runs on.
    fn choose_type(&self, provider: &dyn Provider) -> Result<Option<InstanceType>, ShapeError> {
        if let Some(instance_type) = &self.instance_type {
            provider.shape(instance_type.as_str())?;
            return Ok(Some(instance_type.clone()));
        }
        let mut types = provider.instance_types();
        let runs = |shape: &Shape| RunnerFile::for_arch(&self.runners, shape.arch).is_some();
        types.sort_by(|(a, one, price), (b, other, other_price)| {
            runs(other)
                .cmp(&runs(one))
                .then_with(|| cheaper(price.as_ref(), other_price.as_ref()))
                .then_with(|| one.vcpus.cmp(&other.vcpus))
                .then_with(|| a.cmp(b))
        });
        let can_be_planned = |instance_type: &InstanceType| {
            let request = self.request(provider, instance_type, STAND_IN_URL, every_runner());
            provider.plan(&request).is_ok()
        };
        let named: Vec<InstanceType> =
            types.into_iter().filter_map(|(name, _, _)| InstanceType::new(name).ok()).collect();
        Ok(named.iter().find(|name| can_be_planned(name)).or(named.first()).cloned())
    }

    /// The plan for one machine, and what stands in the way of it. Where the orchestrator or the
    /// lack of a runner does, the plan is made with another one, so that the other looks can be
    /// taken: the second value says whether the orchestrator is the real one.
    fn plan(
        &self,
        provider: &dyn Provider,
        url: &str,
        instance_type: &InstanceType,
    ) -> (Option<Plan>, bool, Vec<Check>) {
        let mut obstacles: Vec<Check> = Vec::new();
        for (url, url_is_real) in [(url, true), (STAND_IN_URL, false)] {
            for runners_are_real in [true, false] {
                if runners_are_real && self.runners_unknown {
                    continue;
                }
                let runners = if runners_are_real { self.runners.clone() } else { every_runner() };
                let request = self.request(provider, instance_type, url, runners);
                match provider.plan(&request) {
                    Ok(plan) => return (Some(plan), url_is_real, obstacles),
                    Err(error) => {
                        let obstacle = obstacle(&error);
                        if !obstacles.contains(&obstacle) {
                            obstacles.push(obstacle);
                        }
                    }
                }
            }
        }
        (None, false, obstacles)
    }

    fn request(
        &self,
        provider: &dyn Provider,
        instance_type: &InstanceType,
        orchestrator_url: &str,
        runners: Vec<RunnerFile>,
    ) -> ProvisionRequest {
        let run_id = RunId::from_random(rand::random());
        ProvisionRequest {
            role: Role::Runner,
            run_id: run_id.clone(),
            instance_type: instance_type.clone(),
            label: "checkup".to_owned(),
            count: 1,
            first: 1,
            region: self.region.clone(),
            expected_work: WORK,
            max_lifetime: LIFE,
            vars: UserDataVars {
                orchestrator_url: orchestrator_url.to_owned(),
                api_key: "token of the run".to_owned().into(),
                run_id,
                provider: provider.name().clone(),
                instance_type: instance_type.clone(),
                ruby_version: Some(RubyVersion::System),
                max_lifetime: LIFE,
                allow_install: false,
                runner: Some(own_runner().display().to_string()),
                runners,
                runner_image: None,
                ca_certificate: self.orchestrator.ca_certificate().cloned(),
            },
        }
    }
}

/// A runner for every target, of which nothing but its existence is true.
fn every_runner() -> Vec<RunnerFile> {
    let file = |target| RunnerFile { target, sha256: "0".repeat(64) };
    RunnerTarget::ALL.map(file).into()
}

/// Those without a price come last.
fn cheaper(one: Option<&Price>, other: Option<&Price>) -> Ordering {
    match (one, other) {
        (Some(one), Some(other)) => one.per_hour.cmp(&other.per_hour),
        (one, other) => other.is_some().cmp(&one.is_some()),
    }
}

/// What is known of settings as checks. What only a call can tell, the preflight does.
fn settings(setup: Setup) -> Vec<Check> {
    let as_check = |state| match state {
        SettingState::Found { detail } => Some(Outcome::Passed { detail }),
        SettingState::Unasked { .. } => None,
        SettingState::Missing { problem, fix } => Some(Outcome::Failed { problem, fix }),
    };
    let settings = setup.settings.into_iter();
    settings
        .filter_map(|setting| Some(Check { name: setting.name, outcome: as_check(setting.state)? }))
        .collect()
}

/// What the preflight found. Of an orchestrator that is not the real one nothing is said, and
/// that a look failed says nothing new where a setting is missing.
fn looks(
    preflight: Result<Vec<Check>, ProviderError>,
    url_is_real: bool,
    is_set_up: bool,
) -> Vec<Check> {
    match preflight {
        Ok(mut checks) => {
            checks.retain(|check| url_is_real || check.name != ORCHESTRATOR);
            checks
        }
        Err(ProviderError::Credentials { problem, fix, .. }) if is_set_up => {
            vec![check("credentials", Outcome::Failed { problem, fix })]
        }
        Err(error) if is_set_up => vec![check("preflight", refused(&error.to_string()))],
        Err(_) => Vec::new(),
    }
}

fn obstacle(error: &PlanError) -> Check {
    let name = if matches!(error, PlanError::NoRunner { .. }) { "runner" } else { "plan" };
    let outcome = match error {
        PlanError::Unsupported { problem, fix, .. } => {
            Outcome::Failed { problem: problem.clone(), fix: fix.clone() }
        }
        error => refused(&error.to_string()),
    };
    check(name, outcome)
}

fn answered(url: &str, answer: Result<(), ClientError>) -> Outcome {
    match answer {
        Ok(()) => Outcome::Passed { detail: format!("{url} answers and knows the token") },
        Err(error) if matches!(error.status(), Some(401 | 403)) => Outcome::Failed {
            problem: error.to_string(),
            fix: "set RAILSBENCH_API_KEY to an operator token of it".to_owned(),
        },
        Err(error) => Outcome::Failed {
            problem: error.to_string(),
            fix: "start railsbench-server there, or name another with --orchestrator".to_owned(),
        },
    }
}

fn handed_out(runners: &[RunnerFile]) -> Outcome {
    if runners.is_empty() {
        return Outcome::Failed {
            problem: "it has no runner that machines could fetch".to_owned(),
            fix: "start railsbench-server with --runners FOLDER".to_owned(),
        };
    }
    let targets: Vec<&str> = runners.iter().map(|runner| runner.target.as_str()).collect();
    Outcome::Passed { detail: targets.join(", ") }
}

/// An error as a finding: where it has a fix, that is what follows its first semicolon.
fn refused(error: &str) -> Outcome {
    let (problem, fix) = error.split_once("; ").unwrap_or((error, "look at what it says"));
    Outcome::Failed { problem: problem.to_owned(), fix: fix.to_owned() }
}

fn check(name: &str, outcome: Outcome) -> Check {
    Check { name: name.to_owned(), outcome }
}
