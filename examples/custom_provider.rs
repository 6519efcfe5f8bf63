//! A provider of one's own, in an afternoon: `basement` starts each runner as a plain child
//! process of this program. Whatever can start a program can be a provider.
//!
//! `cargo build -p railsbench-runner && cargo run --example custom_provider`

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use railsbench::Campaign;
use railsbench::config::RunConfig;
use railsbench::id::{MachineId, ProviderName, RunId};
use railsbench::provider::{
    Arch, CostRange, Deployment, Expectations, Journal, Machine, MachineState, MachineStatus, Plan,
    PlanError, PlannedMachine, Preflight, Price, Provider, ProviderError, ProvisionRequest,
    RenderError, Resource, Scope, ScriptTemplates, Shape, ShapeError, Teardown, UserData,
    UserDataVars,
};
use tokio::process::{Child, Command};

/// What all user data begins with: the five variables that make a machine a runner.
const USER_DATA: &str = "export ORCHESTRATOR_URL={{sh orchestrator_url}} API_KEY={{sh api_key}} \
    RUN_ID={{sh run_id}} PROVIDER={{sh provider}} INSTANCE_TYPE={{sh instance_type}}\n\
    exec {{sh runner}}\n";

struct Basement {
    name: ProviderName,
    machines: Mutex<HashMap<String, (RunId, Child)>>,
}

impl Basement {
    fn machines(&self) -> MutexGuard<'_, HashMap<String, (RunId, Child)>> {
        self.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, action: &str, error: &dyn ToString) -> ProviderError {
        let (provider, action) = (self.name.clone(), action.to_owned());
        ProviderError::Call { provider, action, detail: error.to_string() }
    }
}

#[async_trait::async_trait]
impl Provider for Basement {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn shape(&self, instance_type: &str) -> Result<Shape, ShapeError> {
        if instance_type == "shelf" {
            return Ok(Shape { arch: Arch::X86_64, vcpus: None, memory_bytes: None });
        }
        let (provider, name) = (self.name.clone(), instance_type.to_owned());
        Err(ShapeError::Unknown { provider, name, nearest: vec!["shelf".to_owned()] })
    }

    fn instance_types(&self) -> Vec<(String, Shape, Option<Price>)> {
        self.shape("shelf").map(|shape| ("shelf".to_owned(), shape, None)).into_iter().collect()
    }

    fn render_user_data(&self, vars: &UserDataVars) -> Result<UserData, RenderError> {
        ScriptTemplates::new(&[("user-data", USER_DATA)])?.render("user-data", vars, ())
    }

    fn plan(&self, request: &ProvisionRequest) -> Result<Plan, PlanError> {
        let shape = self.shape(request.instance_type.as_str())?;
        let numbers = request.first..request.first + request.count;
        let machines = numbers.map(|number| PlannedMachine {
            name: format!("{}-{}-{number}", request.run_id, request.label),
            instance_type: request.instance_type.clone(),
            shape,
            region: None,
        });
        Ok(Plan {
            provider: self.name.clone(),
            run_id: request.run_id.clone(),
            role: request.role,
            machines: machines.collect(),
            resources: Vec::new(),
            firewall: Vec::new(),
            installs: Vec::new(),
            expected: request.expected_work,
            max_lifetime: request.max_lifetime,
            cost: CostRange { source: "our own basement".to_owned(), ..CostRange::default() },
            user_data: self.render_user_data(&request.vars)?,
            vars: request.vars.clone(),
        })
    }

    async fn preflight(&self, _: &Plan) -> Result<Preflight, ProviderError> {
        Ok(Preflight::default())
    }

    async fn provision(
        &self,
        plan: &Plan,
        _: Arc<dyn Journal>,
    ) -> Result<Deployment, ProviderError> {
        let mut made = Vec::new();
        for machine in &plan.machines {
            // The script holds a token, so it goes in by the environment, not the command line.
            let child = Command::new("sh")
                .args(["-c", "eval \"$USER_DATA\""])
                .env("USER_DATA", plan.user_data.expose())
                .kill_on_drop(true)
                .spawn()
                .map_err(|error| self.failed("starting a runner", &error))?;
            self.machines().insert(machine.name.clone(), (plan.run_id.clone(), child));
            made.push(Machine {
                id: MachineId::new(machine.name.clone())
                    .map_err(|error| self.failed("naming a machine", &error))?,
                name: machine.name.clone(),
                instance_type: machine.instance_type.clone(),
                region: None,
            });
        }
        Ok(Deployment { provider: self.name.clone(), run_id: plan.run_id.clone(), machines: made })
    }

    async fn status(&self, deployment: &Deployment) -> Result<Vec<MachineStatus>, ProviderError> {
        let mut machines = self.machines();
        let mut state = |id: &MachineId| match machines.get_mut(id.as_str()) {
            None => MachineState::Gone,
            Some((_, child)) => match child.try_wait() {
                Ok(Some(status)) => MachineState::Stopped { reason: status.to_string() },
                _ => MachineState::Running,
            },
        };
        let machines = &deployment.machines;
        Ok(machines
            .iter()
            .map(|machine| MachineStatus { id: machine.id.clone(), state: state(&machine.id) })
            .collect())
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Resource>, ProviderError> {
        let ours = |run: &RunId| scope.run.as_ref().is_none_or(|wanted| wanted == run);
        let machines = self.machines();
        let found = machines.iter().filter(|(_, (run, _))| ours(run));
        Ok(found
            .map(|(name, (run, _))| Resource {
                provider: self.name.clone(),
                kind: "process".to_owned(),
                id: name.clone(),
                name: name.clone(),
                run_id: Some(run.clone()),
                region: None,
                expires_at: None,
                per_hour: None,
            })
            .collect())
    }

    async fn teardown(&self, scope: &Scope) -> Result<Teardown, ProviderError> {
        let removed = self.list(scope).await?;
        for resource in &removed {
            let machine = self.machines().remove(&resource.id);
            if let Some((_, mut child)) = machine {
                child.kill().await.map_err(|error| self.failed("ending a runner", &error))?;
            }
        }
        Ok(Teardown { removed })
    }

    async fn console_log(&self, _: &MachineId) -> Result<Option<String>, ProviderError> {
        Ok(None)
    }

    fn expectations(&self) -> Expectations {
        Expectations {
            boot: Duration::from_secs(1),
            lease: Duration::from_secs(150),
            billing_minimum: Duration::ZERO,
            billing_increment: Duration::from_secs(1),
            max_lifetime: None,
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let text = r#"{"ruby_version": "system", "basement": ["shelf"], "mock": true}"#;
    let config = RunConfig::parse_for(text, &["basement"])?;
    let runner = std::env::var("RAILSBENCH_RUNNER");
    let basement = Basement { name: ProviderName::new("basement")?, machines: Mutex::default() };
    let outcome = Campaign::new(config)
        .with_provider(Arc::new(basement))
        .with_state_dir(folder.path().join("state"))
        .with_results_dir(folder.path().join("results"))
        .with_runner(runner.unwrap_or("target/debug/railsbench-runner".to_owned()).into())
        .run()
        .await?;
    println!("{} task completed", outcome.run.summary.task_counts.completed);
    Ok(())
}
