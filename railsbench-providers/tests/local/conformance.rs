//! The suite that every provider must pass, and proof that it notices who does not.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use railsbench_core::id::{MachineId, ProviderName};
use railsbench_core::money::Usd;
use railsbench_core::provider::{
    Deployment, Direction, Expectations, FirewallRule, InstanceFacts, Journal, MachineState,
    MachineStatus, Plan, PlanError, Preflight, Price, Provider, ProviderError, ProvisionRequest,
    RenderError, Resource, Scope, Setup, Shape, ShapeError, ShapeSource, Teardown, UserData,
    UserDataVars,
};
use railsbench_providers::conformance::{Subject, check};
use railsbench_providers::{LocalProvider, MemoryJournal};
use secrecy::ExposeSecret;

use crate::world::{PATIENCE, PATIENT, TOKEN, World};

fn subject(world: &World) -> Subject {
    let shape = world.provider().shape("host").unwrap();
    Subject {
        request: world.request(PATIENT),
        shapes: vec![("host".to_owned(), shape)],
        misspelt: ("hots".to_owned(), "host".to_owned()),
        patience: PATIENCE,
    }
}

#[tokio::test]
async fn the_local_provider_passes() {
    let world = World::new();
    check(Arc::new(world.provider()), &subject(&world)).await.unwrap();
}

/// What a provider may do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    WrongShape,
    NoSuggestion,
    ForgetsItsCatalog,
    ShortLease,
    UnstablePlan,
    SameNames,
    OpenPort,
    UndatedCost,
    ShowsToken,
    QuotesCarelessly,
    TakesLineBreaks,
    IgnoresJournal,
    WritesNoIntent,
    NeverRuns,
    MatchesByPrefix,
    ListsNothing,
    MakesAnother,
    RemovesNothing,
    PrintsToken,
}

/// The local provider with one fault.
struct Faulty(LocalProvider, Fault);

#[async_trait]
impl Provider for Faulty {
    fn name(&self) -> &ProviderName {
        self.0.name()
    }

    fn shape(&self, instance_type: &str) -> Result<Shape, ShapeError> {
        match self.0.shape(instance_type) {
            Ok(shape) if self.1 == Fault::WrongShape => Ok(Shape { vcpus: None, ..shape }),
            Err(ShapeError::Unknown { provider, name, .. }) if self.1 == Fault::NoSuggestion => {
                Err(ShapeError::Unknown { provider, name, nearest: Vec::new() })
            }
            other => other,
        }
    }

    fn instance_types(&self) -> Vec<(String, Shape, Option<Price>)> {
        self.0.instance_types()
    }

    fn look_up(&self, instance_type: &str) -> Result<InstanceFacts, ShapeError> {
        let mut facts = self.0.look_up(instance_type);
        if self.1 == Fault::ForgetsItsCatalog {
            facts = facts.map(|facts| InstanceFacts { source: ShapeSource::Grammar, ..facts });
        }
        facts
    }

    async fn setup(&self) -> Setup {
        self.0.setup().await
    }

    fn render_user_data(&self, vars: &UserDataVars) -> Result<UserData, RenderError> {
        let secret = vars.api_key.expose_secret();
        match self.1 {
            Fault::QuotesCarelessly => {
                let script = format!(
                    "ORCHESTRATOR_URL=\"{}\"\nAPI_KEY=\"{secret}\"\nRUN_ID=\"{}\"\n\
                     PROVIDER=\"{}\"\nINSTANCE_TYPE=\"{}\"\n",
                    vars.orchestrator_url, vars.run_id, vars.provider, vars.instance_type
                );
                Ok(UserData::new(script, vars.api_key.clone()))
            }
            Fault::TakesLineBreaks => {
                let flat: String = secret.chars().filter(|c| !c.is_control()).collect();
                self.0.render_user_data(&UserDataVars { api_key: flat.into(), ..vars.clone() })
            }
            _ => self.0.render_user_data(vars),
        }
    }

    fn plan(&self, request: &ProvisionRequest) -> Result<Plan, PlanError> {
        let mut plan = self.0.plan(request)?;
        match self.1 {
            Fault::UnstablePlan => plan.installs.push(ulid::Ulid::generate().to_string()),
            Fault::SameNames => "host-1".clone_into(&mut plan.machines[0].name),
            Fault::OpenPort => plan.firewall.push(FirewallRule {
                direction: Direction::Ingress,
                protocol: "tcp".to_owned(),
                port: 443,
            }),
            Fault::UndatedCost => plan.cost.high = Usd::from_dollars(1.0).unwrap(),
            Fault::ShowsToken => plan.installs.push(TOKEN.to_owned()),
            _ => {}
        }
        Ok(plan)
    }

    async fn preflight(&self, plan: &Plan) -> Result<Preflight, ProviderError> {
        self.0.preflight(plan).await
    }

    async fn provision(
        &self,
        plan: &Plan,
        journal: Arc<dyn Journal>,
    ) -> Result<Deployment, ProviderError> {
        match self.1 {
            Fault::IgnoresJournal => {
                self.0.provision(plan, Arc::new(MemoryJournal::default())).await
            }
            Fault::WritesNoIntent => {
                let own = Arc::new(MemoryJournal::default());
                let deployment = self.0.provision(plan, own.clone()).await?;
                let mut entries = own.entries()?;
                entries.reverse();
                for entry in entries {
                    if let Err(error) = journal.record(&entry) {
                        self.0.teardown(&Scope::run(plan.run_id.clone())).await?;
                        return Err(error.into());
                    }
                }
                Ok(deployment)
            }
            Fault::MakesAnother => {
                let mut deployment = self.0.provision(plan, journal).await?;
                let id = format!("{}-{}", deployment.machines[0].id, ulid::Ulid::generate());
                deployment.machines[0].id = MachineId::new(id).unwrap();
                Ok(deployment)
            }
            _ => self.0.provision(plan, journal).await,
        }
    }

    async fn status(&self, deployment: &Deployment) -> Result<Vec<MachineStatus>, ProviderError> {
        let mut statuses = self.0.status(deployment).await?;
        for status in &mut statuses {
            match self.1 {
                Fault::NeverRuns => status.state = MachineState::Starting,
                Fault::MakesAnother | Fault::ListsNothing => status.state = MachineState::Running,
                _ => {}
            }
        }
        Ok(statuses)
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Resource>, ProviderError> {
        match self.1 {
            Fault::MatchesByPrefix => {
                let mut found = self.0.list(&Scope::all()).await?;
                let run = scope.run.as_ref().map(ToString::to_string).unwrap_or_default();
                found.retain(|resource| {
                    resource.run_id.as_ref().is_none_or(|id| run.starts_with(id.as_str()))
                });
                Ok(found)
            }
            Fault::ListsNothing => Ok(Vec::new()),
            _ => self.0.list(scope).await,
        }
    }

    async fn teardown(&self, scope: &Scope) -> Result<Teardown, ProviderError> {
        if self.1 == Fault::RemovesNothing {
            let removed = self.0.list(scope).await?;
            return Ok(Teardown { removed });
        }
        self.0.teardown(scope).await
    }

    async fn console_log(&self, machine: &MachineId) -> Result<Option<String>, ProviderError> {
        if self.1 == Fault::PrintsToken {
            return Ok(Some(format!("token {TOKEN}")));
        }
        self.0.console_log(machine).await
    }

    fn expectations(&self) -> Expectations {
        let expectations = self.0.expectations();
        match self.1 {
            Fault::ShortLease => Expectations { lease: Duration::from_secs(30), ..expectations },
            _ => expectations,
        }
    }
}

/// Each fault, and a part of the rule that it breaks.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_suite_notices_every_fault() {
    let cases = [
        (Fault::WrongShape, "known instance types"),
        (Fault::NoSuggestion, "the nearest named"),
        (Fault::ForgetsItsCatalog, "looked up as it is listed"),
        (Fault::ShortLease, "a lease outlasts"),
        (Fault::UnstablePlan, "the same plan"),
        (Fault::SameNames, "same name"),
        (Fault::OpenPort, "nothing comes in"),
        (Fault::UndatedCost, "a date if it is not zero"),
        (Fault::ShowsToken, "shown nowhere: it is in the plan"),
        (Fault::QuotesCarelessly, "five values as they are"),
        (Fault::TakesLineBreaks, "no line can hold"),
        (Fault::IgnoresJournal, "the journal does not know"),
        (Fault::WritesNoIntent, "an intent is in the journal"),
        (Fault::NeverRuns, "a machine that was made runs"),
        (Fault::MatchesByPrefix, "by no other"),
        (Fault::ListsNothing, "found by its run"),
        (Fault::MakesAnother, "gives the machines that are there"),
        (Fault::RemovesNothing, "a teardown leaves nothing"),
        (Fault::PrintsToken, "shown nowhere: it is in the log"),
    ];
    let mut running = tokio::task::JoinSet::new();
    for (fault, rule) in cases {
        running.spawn(async move {
            let world = World::new();
            let mut subject = subject(&world);
            if matches!(fault, Fault::NeverRuns | Fault::ListsNothing) {
                // What never comes is not waited for any longer.
                subject.patience = Duration::from_secs(1);
            }
            let provider = Arc::new(Faulty(world.provider(), fault));
            match check(provider, &subject).await {
                Ok(()) => panic!("{fault:?} passes"),
                Err(violation) => {
                    let said = violation.to_string();
                    assert!(said.contains(rule), "{fault:?}: {said}");
                }
            }
        });
    }
    while let Some(finished) = running.join_next().await {
        finished.unwrap();
    }
}
