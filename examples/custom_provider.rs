//! A provider of one's own, complete: `wrapper` starts each runner as a process of this host,
//! `bare` as it is or `wrapped` in a command of the operator's choice. It answers what a command
//! like `nice` or `setpriv` costs a Rails app. docs/adding-a-provider.md walks through this file.
//!
//! ```sh
//! cargo build -p railsbench-runner
//! cargo run --example custom_provider                            # nice -n 19
//! cargo run --example custom_provider -- setpriv --no-new-privs  # or any other
//! ```

#[path = "custom_provider/processes.rs"]
mod processes;
#[cfg(test)]
#[path = "custom_provider/tests.rs"]
mod tests;

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use railsbench::Campaign;
use railsbench::config::RunConfig;
use railsbench::id::{MachineId, ProviderName, RunId};
use railsbench::provider::{
    Arch, Check, CostRange, Deployment, Due, Expectations, Journal, JournalEntry, JournalStep,
    Machine, MachineState, MachineStatus, Outcome, Plan, PlanError, PlannedMachine,
    PlannedResource, Preflight, Price, Provider, ProviderError, ProvisionRequest, RenderError,
    Resource, Role, Scope, ScriptTemplates, Setting, Setup, Shape, ShapeError, Teardown, UserData,
    UserDataVars,
};
use railsbench::providers::names::machine_name;
use tokio::process::Command;

use processes::{EXPIRES, MACHINE, MADE, Process, alive, end};

/// Longest name of a machine. It becomes the name of a folder.
const LONGEST_NAME: usize = 63;

/// User data: the five variables that make a process a runner, and a switch that ends it in any
/// case. The token came by a variable of the shell, which the workload has no business with.
const USER_DATA: &str = "#!/bin/sh
unset USER_DATA
ORCHESTRATOR_URL={{sh orchestrator_url}}
API_KEY={{sh api_key}}
RUN_ID={{sh run_id}}
PROVIDER={{sh provider}}
INSTANCE_TYPE={{sh instance_type}}
MAX_LIFETIME_SECONDS={{max_lifetime_seconds}}
export ORCHESTRATOR_URL API_KEY RUN_ID PROVIDER INSTANCE_TYPE MAX_LIFETIME_SECONDS
exec timeout --foreground --kill-after=15s \"$((MAX_LIFETIME_SECONDS + 60))s\" {{sh runner}}
";

/// The provider.
struct Wrapper {
    name: ProviderName,
    /// The operator's command, e.g. `["nice", "-n", "19"]`. It must pass its environment on.
    command: Vec<String>,
    /// What machines print is kept below this.
    folder: PathBuf,
}

impl Wrapper {
    fn new(command: Vec<String>, folder: PathBuf) -> Self {
        let name = ProviderName::new("wrapper").expect("it follows the grammar");
        Self { name, command, folder }
    }

    fn failed(&self, action: &str, error: &dyn ToString) -> ProviderError {
        let (provider, action) = (self.name.clone(), action.to_owned());
        ProviderError::Call { provider, action, detail: error.to_string() }
    }

    /// `sh` with a script, as an instance type says.
    fn shell(&self, instance_type: &str, script: &str) -> Command {
        let wrapper: &[String] = if instance_type == "wrapped" { &self.command } else { &[] };
        let mut words = wrapper.iter().map(String::as_str).chain(["sh", "-c", script]);
        let mut command = Command::new(words.next().unwrap_or("sh"));
        command.args(words).stdin(Stdio::null());
        command
    }

    /// Where a machine keeps its files. The id may come from anywhere, and becomes a path.
    fn folder_of(&self, machine: &str) -> Option<PathBuf> {
        let (run, name) = machine.split_once('/')?;
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let run = RunId::new(run).ok()?;
        let is_name = !name.is_empty() && name.chars().all(fits);
        is_name.then(|| self.folder.join(run.as_str()).join(name))
    }

    async fn alive(&self, scope: &Scope) -> Result<Vec<Process>, ProviderError> {
        alive(scope).await.map_err(|error| self.failed("looking at the processes", &error))
    }

    async fn end(
        &self,
        scope: &Scope,
        which: impl Fn(&Process) -> bool,
    ) -> Result<Vec<Resource>, ProviderError> {
        let ending = end(scope, which).await;
        let ending = ending.map_err(|error| self.failed("ending processes", &error))?;
        let resources = |processes: &[Process]| {
            processes.iter().map(|process| self.resource(process)).collect::<Vec<_>>()
        };
        if ending.left.is_empty() {
            return Ok(resources(&ending.known));
        }
        let (provider, resources) = (self.name.clone(), resources(&ending.left));
        Err(ProviderError::LeftBehind { provider, resources })
    }

    fn resource(&self, process: &Process) -> Resource {
        Resource {
            provider: self.name.clone(),
            kind: "process".to_owned(),
            id: process.pid.to_string(),
            name: process.machine.clone(),
            run_id: Some(process.run_id.clone()),
            region: None,
            created_at: process.made_at,
            expires_at: process.expires_at,
            per_hour: None,
        }
    }

    /// Starts a machine, unless it is there: journal, then effect, then journal.
    fn start(
        &self,
        plan: &Plan,
        planned: &PlannedMachine,
        is_there: bool,
        journal: &dyn Journal,
    ) -> Result<Machine, ProviderError> {
        let tag = format!("{}/{}", plan.run_id, planned.name);
        let write = |step| {
            journal.record(&JournalEntry {
                at: Timestamp::now(),
                provider: self.name.clone(),
                run_id: plan.run_id.clone(),
                kind: "process".to_owned(),
                token: tag.clone(),
                region: None,
                step,
            })
        };
        write(JournalStep::Intend)?;
        if !is_there {
            let made_at = Timestamp::now();
            let failed = |error: std::io::Error| self.failed("starting a runner", &error);
            let folder = self.folder.join(plan.run_id.as_str()).join(&planned.name);
            fs::create_dir_all(&folder).map_err(failed)?;
            let log = File::create(folder.join("console.log")).map_err(failed)?;
            // The script holds the token: it goes by the environment, which only this user can
            // read. Arguments are for all to see.
            self.shell(planned.instance_type.as_str(), "eval \"$USER_DATA\"")
                .env("USER_DATA", plan.user_data.expose())
                .env(MACHINE, &tag)
                .env(MADE, made_at.to_string())
                .env(EXPIRES, (made_at + plan.max_lifetime).to_string())
                .current_dir(&folder)
                .stdout(log.try_clone().map_err(failed)?)
                .stderr(log)
                .process_group(0)
                .spawn()
                .map_err(failed)?;
        }
        write(JournalStep::Created { id: tag.clone() })?;
        Ok(Machine {
            id: MachineId::new(tag).map_err(|error| self.failed("naming a machine", &error))?,
            name: planned.name.clone(),
            instance_type: planned.instance_type.clone(),
            region: None,
        })
    }
}

#[async_trait]
impl Provider for Wrapper {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn shape(&self, instance_type: &str) -> Result<Shape, ShapeError> {
        if !["bare", "wrapped"].contains(&instance_type) {
            return Err(ShapeError::Unknown {
                provider: self.name.clone(),
                name: instance_type.to_owned(),
                nearest: vec!["bare".to_owned(), "wrapped".to_owned()],
            });
        }
        let arch = if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 };
        let vcpus = std::thread::available_parallelism().ok();
        let vcpus = vcpus.and_then(|count| u32::try_from(count.get()).ok());
        Ok(Shape { arch, vcpus, memory_bytes: None })
    }

    fn instance_types(&self) -> Vec<(String, Shape, Option<Price>)> {
        let known = ["bare", "wrapped"].into_iter();
        known.filter_map(|name| Some((name.to_owned(), self.shape(name).ok()?, None))).collect()
    }

    async fn setup(&self) -> Setup {
        Setup { settings: vec![Setting::found("command", self.command.join(" "))] }
    }

    fn render_user_data(&self, vars: &UserDataVars) -> Result<UserData, RenderError> {
        ScriptTemplates::new(&[("user-data", USER_DATA)])?.render("user-data", vars, ())
    }

    fn plan(&self, request: &ProvisionRequest) -> Result<Plan, PlanError> {
        let shape = self.shape(request.instance_type.as_str())?;
        if request.role != Role::Runner {
            return Err(PlanError::Unsupported {
                provider: self.name.clone(),
                problem: "it starts runners only".to_owned(),
                fix: "start railsbench-server on this host".to_owned(),
            });
        }
        let numbers = (0..request.count).map(|index| request.first.saturating_add(index));
        let machines = numbers.map(|number| PlannedMachine {
            name: machine_name(&request.run_id, &request.label, number, LONGEST_NAME),
            instance_type: request.instance_type.clone(),
            shape,
            region: None,
        });
        Ok(Plan {
            provider: self.name.clone(),
            run_id: request.run_id.clone(),
            role: request.role,
            machines: machines.collect(),
            resources: vec![PlannedResource {
                kind: "folder".to_owned(),
                name: self.folder.join(request.run_id.as_str()).display().to_string(),
                detail: "what the machines print; removed with them".to_owned(),
            }],
            firewall: Vec::new(),
            installs: Vec::new(),
            expected: self.expectations().boot.saturating_add(request.expected_work),
            max_lifetime: request.max_lifetime,
            cost: CostRange { source: "a process of this host".to_owned(), ..CostRange::default() },
            user_data: self.render_user_data(&request.vars)?,
            vars: request.vars.clone(),
        })
    }

    /// Tries the command on a script that looks for its tag.
    async fn preflight(&self, plan: &Plan) -> Result<Preflight, ProviderError> {
        let instance_type = plan.machines.first().map(|machine| machine.instance_type.as_str());
        let mut shell = self.shell(instance_type.unwrap_or("bare"), "test \"$TRIED\" = yes");
        let problem = match shell.env("TRIED", "yes").output().await {
            Ok(tried) if tried.status.success() => None,
            Ok(tried) => Some(format!(
                "it starts no shell that has its environment ({}) {}",
                tried.status,
                String::from_utf8_lossy(&tried.stderr).trim()
            )),
            Err(error) => Some(format!("it cannot be run: {error}")),
        };
        let shown = self.command.join(" ");
        let outcome = match problem {
            None => Outcome::Passed { detail: shown },
            Some(problem) => Outcome::Failed {
                problem: format!("{shown:?}: {problem}"),
                fix: "name a command that runs another, such as nice -n 19".to_owned(),
            },
        };
        Ok(Preflight { checks: vec![Check { name: "command".to_owned(), outcome }] })
    }

    async fn provision(
        &self,
        plan: &Plan,
        journal: Arc<dyn Journal>,
    ) -> Result<Deployment, ProviderError> {
        let scope = Scope::run(plan.run_id.clone());
        let there = self.alive(&scope).await?;
        let is_there = |name: &str| {
            let id = format!("{}/{name}", plan.run_id);
            there.iter().any(|process| process.machine == id)
        };
        let machines = plan.machines.iter();
        let started: Result<Vec<Machine>, ProviderError> = machines
            .map(|planned| self.start(plan, planned, is_there(&planned.name), journal.as_ref()))
            .collect();
        match started {
            Ok(machines) => {
                let (provider, run_id) = (self.name.clone(), plan.run_id.clone());
                Ok(Deployment { provider, run_id, machines })
            }
            Err(error) => {
                let ours = |process: &Process| {
                    !there.iter().any(|earlier| earlier.machine == process.machine)
                        && plan.machines.iter().any(|planned| {
                            process.machine == format!("{}/{}", plan.run_id, planned.name)
                        })
                };
                self.end(&scope, ours).await?;
                Err(error)
            }
        }
    }

    async fn status(&self, deployment: &Deployment) -> Result<Vec<MachineStatus>, ProviderError> {
        let alive = self.alive(&Scope::run(deployment.run_id.clone())).await?;
        let state = |id: &MachineId| {
            if alive.iter().any(|process| process.machine == id.as_str()) {
                MachineState::Running
            } else if self.folder_of(id.as_str()).is_some_and(|folder| folder.exists()) {
                MachineState::Stopped { reason: "none of its processes is left".to_owned() }
            } else {
                MachineState::Gone
            }
        };
        let machines = deployment.machines.iter();
        Ok(machines
            .map(|machine| MachineStatus { id: machine.id.clone(), state: state(&machine.id) })
            .collect())
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Resource>, ProviderError> {
        let alive = self.alive(scope).await?;
        Ok(scope.select(alive.iter().map(|process| self.resource(process)).collect()))
    }

    async fn teardown(&self, scope: &Scope) -> Result<Teardown, ProviderError> {
        let listed = self.list(scope).await?;
        let machines: HashSet<String> = listed.into_iter().map(|process| process.name).collect();
        // Without regard to age, also what starts from now on.
        let all = scope.due == Due::Any;
        let meant = |process: &Process| all || machines.contains(&process.machine);
        let removed = self.end(scope, meant).await?;
        let folders = match (&scope.run, all) {
            (Some(run), true) => vec![self.folder.join(run.as_str())],
            (None, true) => vec![self.folder.clone()],
            (_, false) => machines.iter().filter_map(|id| self.folder_of(id)).collect(),
        };
        for folder in folders {
            match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(self.failed("removing what machines have printed", &error));
                }
                _ => {}
            }
        }
        Ok(Teardown { removed })
    }

    async fn console_log(&self, machine: &MachineId) -> Result<Option<String>, ProviderError> {
        let log = self.folder_of(machine.as_str()).map(|folder| folder.join("console.log"));
        match log.map(fs::read) {
            None => Ok(None),
            Some(Ok(log)) => Ok(Some(String::from_utf8_lossy(&log).into_owned())),
            Some(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Some(Err(error)) => Err(self.failed("reading the console", &error)),
        }
    }

    fn expectations(&self) -> Expectations {
        Expectations {
            boot: Duration::from_secs(1),
            lease: Duration::from_secs(150),
            billing_minimum: Duration::ZERO,
            billing_increment: Duration::from_secs(1),
            charged_when_ended: false,
            max_lifetime: None,
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut command: Vec<String> = std::env::args().skip(1).collect();
    if command.is_empty() {
        command = ["nice", "-n", "19"].map(str::to_owned).to_vec();
    }
    let folder = tempfile::tempdir()?;
    let text = r#"{"ruby_version": "system", "wrapper": ["bare", "wrapped"], "mock": true}"#;
    let config = RunConfig::parse_for(text, &["wrapper"])?;
    let runner = std::env::var("RAILSBENCH_RUNNER");
    let runner = runner.unwrap_or("target/debug/railsbench-runner".to_owned());
    let outcome = Campaign::new(config)
        .with_provider(Arc::new(Wrapper::new(command, folder.path().join("machines"))))
        .with_state_dir(folder.path().join("state"))
        .with_results_dir(folder.path().join("results"))
        .with_runner(std::path::absolute(runner)?)
        .run()
        .await?;
    println!("{} tasks completed", outcome.run.summary.task_counts.completed);
    Ok(())
}
