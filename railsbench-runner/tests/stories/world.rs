//! What the stories are made of: tasks, small workloads of shell script, and a runner.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use railsbench_core::config::WorkloadConfig;
use railsbench_core::id::{InstanceType, ProviderName, RunId, RunnerId, TaskId};
use railsbench_core::protocol::TaskSpec;
use railsbench_runner::agent::{Agent, AgentError, Ending};
use railsbench_runner::config::RunnerConfig;
use railsbench_runner::workload::{FolderWorkload, Limits, Workload};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::stub::{RUN, Stub, TOKEN};

/// Shell commands that leave a good result.
pub const GOOD: &str = r#"
printf '%s' '{"raw_data": {"interp": {"b": {"bench": [0.5, 0.25]}}}}' > "$RAILSBENCH_OUTPUT_DIR/output.json"
printf 'variant,benchmark,phase,iteration,seconds\n' > "$RAILSBENCH_OUTPUT_DIR/output.csv"
"#;

/// The real executable, which starts workloads.
pub const RUNNER: &str = env!("CARGO_BIN_EXE_railsbench-runner");

pub fn task(number: u32) -> TaskSpec {
    TaskSpec {
        id: TaskId::from_parts(number.into(), number.into()),
        provider: ProviderName::new("local").unwrap(),
        instance_type: InstanceType::new("host").unwrap(),
        alias: None,
        run_number: number,
        ruby_version: "system".to_owned(),
        mock: false,
        workload: WorkloadConfig { suite: "script".to_owned(), ..WorkloadConfig::default() },
    }
}

/// A workload of shell commands, and a folder that it and its test share as `$SHARED`.
pub struct Script {
    folder: TempDir,
    limits: Limits,
}

impl Script {
    pub fn new(commands: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let manifest = serde_json::json!({
            "name": "script", "command": ["sh", "run.sh"], "benchmarks": ["b"],
        });
        fs::write(folder.path().join("workload.json"), manifest.to_string()).unwrap();
        let shared = format!("set -e\nSHARED='{}'\n", folder.path().display());
        fs::write(folder.path().join("run.sh"), shared + commands).unwrap();
        Self { folder, limits: Limits::default() }
    }

    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    pub fn with_time_limit(self, time: Duration) -> Self {
        let limits = Limits { time: Some(time), ..self.limits };
        self.with_limits(limits)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Lets commands go on that wait for it: `while [ ! -e "$SHARED/gate" ]; do sleep 0.02; done`.
    pub fn open_gate(&self) {
        fs::write(self.path("gate"), "").unwrap();
    }

    pub fn workload(&self) -> Arc<dyn Workload> {
        let workload = FolderWorkload::open(self.folder.path(), PathBuf::from(RUNNER)).unwrap();
        Arc::new(workload.with_limits(self.limits))
    }

    /// Asserts that a process whose number the commands wrote to a file is gone.
    pub fn assert_gone(&self, file: &str) {
        assert_gone(self.read(file).trim());
    }
}

pub fn assert_gone(process: &str) {
    let state = fs::read_to_string(format!("/proc/{process}/stat"))
        .ok()
        .and_then(|stat| stat.rsplit_once(") ")?.1.chars().next());
    assert!(matches!(state, None | Some('Z')), "process {process} lives: {state:?}");
}

/// A runner in this process.
pub struct Running {
    pub shutdown: CancellationToken,
    task: JoinHandle<Result<Ending, AgentError>>,
    workdir: TempDir,
}

pub fn config(orchestrator_url: &str) -> RunnerConfig {
    RunnerConfig {
        orchestrator_url: orchestrator_url.parse().unwrap(),
        api_key: TOKEN.to_owned().into(),
        run_id: RunId::new(RUN).unwrap(),
        provider: ProviderName::new("local").unwrap(),
        instance_type: InstanceType::new("host").unwrap(),
        runner_id: RunnerId::new("runner-1").unwrap(),
        max_lifetime: None,
        workdir: None,
        image: None,
        ca_certificate: None,
    }
}

impl Running {
    pub fn start(stub: &Stub, workloads: Vec<Arc<dyn Workload>>) -> Self {
        Self::start_with(config(&stub.url()), workloads)
    }

    pub fn start_with(mut config: RunnerConfig, workloads: Vec<Arc<dyn Workload>>) -> Self {
        let workdir = tempfile::tempdir().unwrap();
        config.workdir = Some(workdir.path().to_owned());
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(Agent::new(config, workloads).run(shutdown.clone()));
        Self { shutdown, task, workdir }
    }

    /// Waits for its end, and asserts that it leaves no file.
    pub async fn end(self) -> Result<Ending, AgentError> {
        let end = tokio::time::timeout(Duration::from_mins(1), self.task).await;
        let end = end.expect("the runner ends").expect("the runner does not panic");
        assert_eq!(files_in(self.workdir.path()), Vec::<PathBuf>::new());
        end
    }

    pub async fn done(self) {
        assert_eq!(self.end().await.unwrap(), Ending::Done);
    }
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}
