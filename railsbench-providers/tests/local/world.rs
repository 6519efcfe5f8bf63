//! A state folder, a run id of its own, and stand-ins for the runner.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use railsbench_core::id::RunId;
use railsbench_core::provider::{
    Deployment, MachineState, Plan, Provider, ProvisionRequest, Scope, UserDataVars,
};
use railsbench_providers::{LocalProvider, MemoryJournal, testing};
use tempfile::TempDir;

/// The token of every run in these tests.
pub const TOKEN: &str = "rbt_5ecret";

/// Longest to wait for anything; tests end as soon as it happens.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A runner that runs until it is asked to end.
pub const PATIENT: &str = "trap 'exit 0' TERM; while :; do sleep 0.1; done";

/// A runner that does not listen.
pub const STUBBORN: &str = "trap '' TERM; while :; do sleep 0.1; done";

pub struct World {
    folder: TempDir,
    pub run_id: RunId,
}

impl World {
    pub fn new() -> Self {
        let id = ulid::Ulid::generate().to_string();
        let run_id = RunId::new(format!("test-{id}")).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), run_id }
    }

    /// For a test that continues in another process.
    pub fn state_dir(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// A place for what stand-ins write.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Each call is a new one that remembers nothing, as in another process.
    pub fn provider(&self) -> LocalProvider {
        LocalProvider::new(self.state_dir()).with_stop_grace(Duration::from_millis(500))
    }

    /// Writes an executable shell script and gives its path.
    pub fn script(&self, name: &str, body: &str) -> PathBuf {
        let path = self.path(name);
        write_script(&path, body);
        path
    }

    /// A request for the host with this shell script as the runner. In it, `note NAME` keeps the
    /// number of the shell's process for [`noted`](Self::noted).
    pub fn request(&self, runner: &str) -> ProvisionRequest {
        let notes = self.path("notes");
        std::fs::create_dir_all(&notes).unwrap();
        let note =
            format!("export NOTES='{}'\nnote() {{ echo $$ >\"$NOTES/$1\"; }}", notes.display());
        let runner = self.script("runner", &format!("{note}\n{runner}"));
        request(&self.run_id, &runner)
    }

    pub fn plan(&self, runner: &str) -> Plan {
        self.provider().plan(&self.request(runner)).unwrap()
    }

    pub async fn provision(&self, plan: &Plan) -> Deployment {
        self.provider().provision(plan, Arc::new(MemoryJournal::default())).await.unwrap()
    }

    pub async fn state(&self, deployment: &Deployment) -> MachineState {
        self.provider().status(deployment).await.unwrap().remove(0).state
    }

    /// Waits until the machine has ended by itself, and gives the reason.
    pub async fn stopped(&self, deployment: &Deployment) -> String {
        let mut last = None;
        for _ in 0..PATIENCE.as_millis() / 50 {
            match self.state(deployment).await {
                MachineState::Stopped { reason } => return reason,
                other => last = Some(other),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("still {last:?}");
    }

    /// Waits for a note and gives the number of the process that left it.
    pub async fn noted(&self, name: &str) -> u32 {
        let path = self.path("notes").join(name);
        until(&format!("the note {name}"), || {
            std::fs::read_to_string(&path).ok()?.trim().parse().ok()
        })
        .await
    }

    pub async fn teardown(&self) -> usize {
        let scope = Scope::run(self.run_id.clone());
        let removed = self.provider().teardown(&scope).await.unwrap().removed.len();
        assert_eq!(self.provider().list(&scope).await.unwrap(), []);
        removed
    }
}

impl Drop for World {
    /// A test that failed leaves nothing either.
    fn drop(&mut self) {
        let provider = self.provider().with_stop_grace(Duration::ZERO);
        let scope = Scope::run(self.run_id.clone());
        // A runtime cannot be started on a thread that already has one.
        let cleaner = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(provider.teardown(&scope)).unwrap();
        });
        if cleaner.join().is_err() {
            eprintln!("processes of {} may be left", self.run_id);
        }
    }
}

pub fn request(run_id: &RunId, runner: &Path) -> ProvisionRequest {
    let vars = UserDataVars {
        orchestrator_url: "http://127.0.0.1:9/".to_owned(),
        run_id: run_id.clone(),
        api_key: TOKEN.to_owned().into(),
        max_lifetime: Duration::from_mins(1),
        runner: Some(runner.display().to_string()),
        ..testing::vars("local", "host")
    };
    testing::request(vars, 1)
}

pub fn write_script(path: &Path, body: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Waits until there is something.
pub async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..PATIENCE.as_millis() / 20 {
        if let Some(found) = look() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what} did not come");
}

/// Whether a process runs, by the kernel's word. One that has ended but that nobody has waited
/// for does not.
pub fn runs(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap_or_default().starts_with(['Z', 'X']))
}
