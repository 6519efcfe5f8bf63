//! The [`Provider`] trait for this host.

use std::fmt::Display;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use railsbench_core::id::{MachineId, ProviderName};
use railsbench_core::provider::{
    Deployment, Due, Expectations, Journal, JournalStep, Machine, MachineState, MachineStatus,
    Plan, PlanError, PlannedMachine, Preflight, Price, Provider, ProviderError, ProvisionRequest,
    RenderError, Resource, Scope, Setup, Shape, ShapeError, Teardown, UserData, UserDataVars,
};

use super::api::{Process, Selection, Tag};
use super::naming::{HOST, MachineKey, provider_name};
use super::stop::{Ending, snapshot, stop};
use super::user_data::{GRACE, KILL_AFTER, TIMED_OUT, UNPREPARED};
use super::{api, catalog, checks, folder, naming, plan, user_data};
use crate::diary::Diary;

pub(super) const EXPECTATIONS: Expectations = Expectations {
    boot: Duration::from_secs(2),
    lease: Duration::from_secs(150),
    billing_minimum: Duration::ZERO,
    billing_increment: Duration::ZERO,
    charged_when_ended: false,
    max_lifetime: None,
};

/// What a machine is called in lists and the journal.
const MACHINE: &str = "machine";

/// How long the processes of a machine have to end when they are asked to.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// This host. Machines that it starts outlive it: they end when their runner does, when their
/// time is over, or by [`teardown`](Provider::teardown), also one of another process.
#[derive(Debug, Clone)]
pub struct LocalProvider {
    name: ProviderName,
    state_dir: PathBuf,
    host: Shape,
    stop_grace: Duration,
}

impl LocalProvider {
    /// This host, as it is now. Machines keep their files below `state_dir`, which is made when
    /// the first one is.
    pub fn new(state_dir: PathBuf) -> Self {
        let state_dir = std::path::absolute(&state_dir).unwrap_or(state_dir);
        let host = catalog::this_host();
        Self { name: provider_name(), state_dir, host, stop_grace: STOP_GRACE }
    }

    /// Sets how long processes have to end when a teardown asks them to, before they are killed;
    /// 10 seconds if never called.
    #[must_use]
    pub fn with_stop_grace(mut self, grace: Duration) -> Self {
        self.stop_grace = grace;
        self
    }

    fn folder(&self, key: &MachineKey) -> PathBuf {
        folder::path(&self.state_dir, key)
    }

    /// Waits until no other process starts machines with this state folder.
    async fn lock(&self) -> Result<File, ProviderError> {
        let machines = folder::machines_dir(&self.state_dir);
        let lock = move || -> io::Result<File> {
            folder::make_dir(&machines)?;
            let file = File::create(machines.join(".lock"))?;
            file.lock()?;
            Ok(file)
        };
        blocking(lock).await.map_err(|error| call("locking the state folder", &error))
    }

    /// Whether the machine is at work: it has processes and has not ended by itself.
    async fn is_alive(&self, key: &MachineKey) -> Result<bool, ProviderError> {
        let state = self.state(key).await?;
        Ok(matches!(state, MachineState::Starting | MachineState::Running))
    }

    async fn state(&self, key: &MachineKey) -> Result<MachineState, ProviderError> {
        let folder = self.folder(key);
        let processes = snapshot().await.map_err(|error| call("listing processes", &error))?;
        let alive = !processes.of(&Selection::Machine(key.clone())).is_empty();
        // In this order: a machine that ends between the two looks has left its exit code.
        let exit = folder::exit_status(&folder)
            .map_err(|error| call(&format!("reading the exit code of {key}"), &error))?;
        Ok(match exit {
            Some(code) => MachineState::Stopped { reason: reason(code) },
            None if alive && folder::has_started(&folder) => MachineState::Running,
            None if alive => MachineState::Starting,
            None if folder.is_dir() => MachineState::Stopped {
                reason: "no exit code: it was killed, or the host has restarted".to_owned(),
            },
            None => MachineState::Gone,
        })
    }

    /// Ends what is left of a machine and removes its folder.
    async fn clear(&self, key: &MachineKey) -> Result<(), ProviderError> {
        let ending = stop(&Selection::Machine(key.clone()), self.stop_grace)
            .await
            .map_err(|error| call(&format!("ending {key}"), &error))?;
        ensure_ended(&ending)?;
        self.remove_folder(key).await
    }

    async fn remove_folder(&self, key: &MachineKey) -> Result<(), ProviderError> {
        let path = self.folder(key);
        blocking(move || folder::remove(&path))
            .await
            .map_err(|error| call(&format!("removing the folder of {key}"), &error))
    }

    /// Starts a machine. The shell that runs it is waited for as long as this process lives;
    /// its exit code is in the folder for whoever asks.
    fn start(&self, key: &MachineKey, plan: &Plan) -> Result<(), ProviderError> {
        let path = self.folder(key);
        let failed = |error: io::Error| call(&format!("starting {key}"), &error);
        let log = folder::make(&path, &plan.user_data).map_err(failed)?;
        let life = plan.max_lifetime.saturating_add(GRACE).saturating_add(KILL_AFTER);
        let expires_at = Timestamp::now().checked_add(life).ok();
        let tag = Tag { key: key.clone(), expires_at };
        let mut child = api::start(&path, &tag, log).map_err(failed)?;
        tokio::spawn(async move {
            match child.wait().await {
                Ok(status) => tracing::debug!(machine = %tag.key, %status, "machine ended"),
                Err(error) => tracing::debug!(machine = %tag.key, %error, "machine not waited for"),
            }
        });
        Ok(())
    }

    /// Makes sure that a planned machine runs. Its key is put into `made` if it did not before.
    async fn provide(
        &self,
        plan: &Plan,
        machine: &PlannedMachine,
        diary: &Diary,
        made: &mut Vec<MachineKey>,
    ) -> Result<Machine, ProviderError> {
        let key = MachineKey::new(&plan.run_id, &machine.name).map_err(|_| {
            call("starting a machine", &format!("{:?} is not a machine name", machine.name))
        })?;
        diary.write(MACHINE, &key.to_string(), JournalStep::Intend).await?;
        if !self.is_alive(&key).await? {
            self.clear(&key).await?;
            made.push(key.clone());
            self.start(&key, plan)?;
        }
        let created = JournalStep::Created { id: key.to_string() };
        diary.write(MACHINE, &key.to_string(), created).await?;
        Ok(Machine {
            id: key.id(),
            name: machine.name.clone(),
            instance_type: machine.instance_type.clone(),
            region: None,
        })
    }

    /// Takes back what was made before something failed.
    async fn take_back(
        &self,
        made: &[MachineKey],
        diary: &Diary,
        cause: ProviderError,
    ) -> ProviderError {
        for key in made {
            if let Err(error) = self.clear(key).await {
                return call(&format!("starting {key}"), &format!("{cause}; after that, {error}"));
            }
            diary.removed(MACHINE, &key.to_string()).await;
        }
        cause
    }

    fn folder_resource(&self, key: &MachineKey) -> Resource {
        Resource {
            provider: self.name.clone(),
            kind: folder::KIND.to_owned(),
            id: self.folder(key).display().to_string(),
            name: key.name.clone(),
            run_id: Some(key.run_id.clone()),
            region: None,
            created_at: folder::made_at(&self.folder(key)),
            expires_at: None,
            per_hour: None,
        }
    }

    /// The processes and the folders that a scope means.
    async fn meant(&self, scope: &Scope) -> Result<(Vec<Process>, Vec<MachineKey>), ProviderError> {
        let processes = snapshot().await.map_err(|error| call("listing processes", &error))?;
        let mut processes = processes.of(&Selection::of_run(scope.run.as_ref()));
        let mut folders = folder::all(&self.state_dir, scope.run.as_ref())
            .map_err(|error| call("listing the folders of machines", &error))?;
        let found = processes.iter().map(Process::resource);
        let found = found.chain(folders.iter().map(|key| self.folder_resource(key)));
        let meant = scope.select(found.collect());
        processes.retain(|process| meant.contains(&process.resource()));
        folders.retain(|key| meant.contains(&self.folder_resource(key)));
        Ok((processes, folders))
    }
}

#[async_trait]
impl Provider for LocalProvider {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn shape(&self, instance_type: &str) -> Result<Shape, ShapeError> {
        naming::shape(instance_type, self.host)
    }

    fn instance_types(&self) -> Vec<(String, Shape, Option<Price>)> {
        vec![(HOST.to_owned(), self.host, None)]
    }

    /// This host needs no account and no key.
    async fn setup(&self) -> Setup {
        Setup::default()
    }

    fn render_user_data(&self, vars: &UserDataVars) -> Result<UserData, RenderError> {
        user_data::render(vars)
    }

    fn plan(&self, request: &ProvisionRequest) -> Result<Plan, PlanError> {
        plan::plan(request, self.host, &self.state_dir)
    }

    async fn preflight(&self, plan: &Plan) -> Result<Preflight, ProviderError> {
        checks::run(&plan.user_data, &self.state_dir).await
    }

    async fn provision(
        &self,
        plan: &Plan,
        journal: Arc<dyn Journal>,
    ) -> Result<Deployment, ProviderError> {
        let _lock = self.lock().await?;
        let diary = Diary::new(journal, self.name.clone(), plan.run_id.clone());
        let mut machines = Vec::new();
        let mut made = Vec::new();
        for machine in &plan.machines {
            match self.provide(plan, machine, &diary, &mut made).await {
                Ok(machine) => machines.push(machine),
                Err(cause) => return Err(self.take_back(&made, &diary, cause).await),
            }
        }
        Ok(Deployment { provider: self.name.clone(), run_id: plan.run_id.clone(), machines })
    }

    async fn status(&self, deployment: &Deployment) -> Result<Vec<MachineStatus>, ProviderError> {
        let mut statuses = Vec::new();
        for machine in &deployment.machines {
            let state = match machine.id.as_str().parse() {
                Ok(key) => self.state(&key).await?,
                // Not an id of ours: no such machine can exist here.
                Err(naming::NotAKey) => MachineState::Gone,
            };
            statuses.push(MachineStatus { id: machine.id.clone(), state });
        }
        Ok(statuses)
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Resource>, ProviderError> {
        let (processes, folders) = self.meant(scope).await?;
        let processes = processes.iter().map(Process::resource);
        Ok(processes.chain(folders.iter().map(|key| self.folder_resource(key))).collect())
    }

    async fn teardown(&self, scope: &Scope) -> Result<Teardown, ProviderError> {
        let selection = match scope.due {
            // Also what starts from now on.
            Due::Any => Selection::of_run(scope.run.as_ref()),
            Due::ExpiredBy(_) | Due::MadeBefore(_) => {
                let (processes, _) = self.meant(scope).await?;
                let machines = processes.into_iter().map(|process| process.tag.key);
                Selection::Machines(machines.collect())
            }
        };
        let ending = stop(&selection, self.stop_grace)
            .await
            .map_err(|error| call("ending machines", &error))?;
        ensure_ended(&ending)?;
        let mut removed: Vec<Resource> = ending.ended.iter().map(Process::resource).collect();
        let (_, folders) = self.meant(scope).await?;
        for key in folders {
            removed.push(self.folder_resource(&key));
            self.remove_folder(&key).await?;
        }
        let left = self.list(scope).await?;
        if left.is_empty() {
            Ok(Teardown { removed })
        } else {
            Err(ProviderError::LeftBehind { provider: provider_name(), resources: left })
        }
    }

    async fn console_log(&self, machine: &MachineId) -> Result<Option<String>, ProviderError> {
        let Ok(key) = machine.as_str().parse() else { return Ok(None) };
        folder::console(&self.folder(&key))
            .map_err(|error| call(&format!("reading the log of {machine}"), &error))
    }

    fn expectations(&self) -> Expectations {
        EXPECTATIONS
    }
}

fn reason(code: i32) -> String {
    match code {
        UNPREPARED => format!("exit code {code}: the host could not be prepared"),
        TIMED_OUT => format!("exit code {code}: the runner outlived its time"),
        code if code > 128 => format!("exit code {code}: ended by signal {}", code - 128),
        code => format!("exit code {code}"),
    }
}

fn ensure_ended(ending: &Ending) -> Result<(), ProviderError> {
    if ending.left.is_empty() {
        return Ok(());
    }
    let resources = ending.left.iter().map(Process::resource).collect();
    Err(ProviderError::LeftBehind { provider: provider_name(), resources })
}

fn call(action: &str, detail: &impl Display) -> ProviderError {
    ProviderError::Call {
        provider: provider_name(),
        action: action.to_owned(),
        detail: detail.to_string(),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
