//! A workload that is a folder with a `workload.json`: started, watched, and cleared away.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use include_dir::Dir;
use nix::sys::signal::Signal;
use railsbench_core::workload::Suite;
use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::group::ProcessGroup;
use super::progress::ProgressPipe;
use super::{Job, Progress, Workload, WorkloadError};
use crate::config;

/// A workload may take this many times as long as its suite is expected to.
const TIME_FACTOR: u32 = 5;
/// On top of that, for unpacking, preparing and slow disks.
const TIME_FLOOR: Duration = Duration::from_mins(10);
/// What a workload that is not in the table of suites is expected to take.
const UNKNOWN_DURATION: Duration = Duration::from_mins(10);
/// The exit code by which a workload says that it may work elsewhere (`EX_TEMPFAIL`).
const TEMPORARY: i32 = 75;
/// The variable by which a workload's processes are known; its value is new for each job.
const SPEC: &str = "RAILSBENCH_SPEC";

/// `workload.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Name of the suite.
    pub name: String,
    /// What is started; a first word of `{runner}` is the runner itself.
    pub command: Vec<String>,
    /// Names of its benchmarks.
    pub benchmarks: Vec<String>,
}

impl Manifest {
    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, WorkloadError> {
        let wrong = |problem: String| WorkloadError::Manifest { path: path.to_owned(), problem };
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
        if manifest.command.is_empty() {
            return Err(wrong("its command is empty".to_owned()));
        }
        Ok(manifest)
    }
}

/// What a workload may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long it may take; if absent, five times what its suite is expected to, and ten
    /// minutes.
    pub time: Option<Duration>,
    /// Most open files of a process.
    pub open_files: u64,
    /// Largest file that it may write, in bytes.
    pub file_bytes: u64,
}

impl Default for Limits {
    /// No fixed time, 65536 open files, 1 GiB per file.
    fn default() -> Self {
        Self { time: None, open_files: 65_536, file_bytes: 1 << 30 }
    }
}

#[derive(Debug, Clone)]
enum Source {
    Embedded(&'static Dir<'static>),
    Folder(PathBuf),
}

/// A folder with a `workload.json`, in the runner or on disk.
#[derive(Debug, Clone)]
pub struct FolderWorkload {
    source: Source,
    manifest: Manifest,
    runner: PathBuf,
    limits: Limits,
}

impl FolderWorkload {
    /// A workload in a folder on disk, which is used where it is. `runner` is the runner's own
    /// executable.
    ///
    /// # Errors
    /// [`WorkloadError`] if its manifest cannot be read.
    pub fn open(folder: impl Into<PathBuf>, runner: PathBuf) -> Result<Self, WorkloadError> {
        let folder = folder.into();
        let path = folder.join("workload.json");
        let bytes = fs::read(&path).map_err(WorkloadError::machine("read", &path))?;
        let manifest = Manifest::parse(&path, &bytes)?;
        Ok(Self { source: Source::Folder(folder), manifest, runner, limits: Limits::default() })
    }

    /// A workload in a folder that the runner carries; each job unpacks it.
    pub(super) fn embedded(
        folder: &'static Dir<'static>,
        runner: PathBuf,
    ) -> Result<Self, WorkloadError> {
        let path = folder.path().join("workload.json");
        let Some(file) = folder.get_file(&path) else {
            return Err(WorkloadError::Manifest { path, problem: "it is missing".to_owned() });
        };
        let manifest = Manifest::parse(&path, file.contents())?;
        Ok(Self { source: Source::Embedded(folder), manifest, runner, limits: Limits::default() })
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Its manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How long a job may take.
    fn time_limit(&self, job: &Job) -> Duration {
        let spec = job.spec();
        self.limits.time.unwrap_or_else(|| {
            let expected = Suite::named(&self.manifest.name).map_or(UNKNOWN_DURATION, |suite| {
                suite.expected_duration(spec.benchmarks.len(), spec.quick, spec.min_seconds)
            });
            expected.saturating_mul(TIME_FACTOR).saturating_add(TIME_FLOOR)
        })
    }

    /// The folder that the command is started in.
    fn unpack(&self, job: &Job) -> Result<PathBuf, WorkloadError> {
        match &self.source {
            Source::Folder(folder) => Ok(folder.clone()),
            Source::Embedded(folder) => {
                let suite = job.suite_folder();
                let unpacked = fs::create_dir(&suite).and_then(|()| folder.extract(&suite));
                unpacked.map_err(WorkloadError::machine("unpack the suite to", &suite))?;
                Ok(suite)
            }
        }
    }

    fn start(&self, job: &Job, folder: &Path) -> Result<Child, WorkloadError> {
        let output = job.output_txt();
        let open = || -> io::Result<(File, File)> {
            let file = File::options().create(true).append(true).open(&output)?;
            Ok((file.try_clone()?, file))
        };
        let (stdout, stderr) = open().map_err(WorkloadError::machine("open", &output))?;
        let mut words = self.manifest.command.iter().peekable();
        let program = words.next_if(|word| *word == "{runner}").map(|_| &self.runner);
        let mut command = Command::new(&self.runner);
        command
            .arg("launch")
            .args(["--parent", &std::process::id().to_string()])
            .args(["--open-files", &self.limits.open_files.to_string()])
            .args(["--file-bytes", &self.limits.file_bytes.to_string()])
            .arg("--")
            .args(program)
            .args(words)
            .current_dir(folder)
            .env_remove(config::API_KEY)
            .env_remove(config::ORCHESTRATOR_URL)
            .env(SPEC, job.spec_file())
            .env("RAILSBENCH_OUTPUT_DIR", job.output_folder())
            .env("RAILSBENCH_SCRATCH_DIR", job.scratch_folder())
            .env("RAILSBENCH_PROGRESS", job.progress_pipe())
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0)
            .kill_on_drop(true);
        command.spawn().map_err(WorkloadError::machine("start", &self.runner))
    }

    fn judge(&self, status: ExitStatus, job: &Job) -> Result<(), WorkloadError> {
        let tail = || job.output_tail();
        match (status.code(), status.signal()) {
            (Some(0), _) => Ok(()),
            (Some(TEMPORARY), _) => Err(WorkloadError::Temporary { tail: tail() }),
            (Some(code), _) => Err(WorkloadError::Failed {
                how: format!("ended with exit code {code}"),
                tail: tail(),
            }),
            (None, signal) => {
                let why = match signal.and_then(|number| Signal::try_from(number).ok()) {
                    Some(Signal::SIGKILL) => {
                        "was killed (SIGKILL), as the kernel does when memory runs out".to_owned()
                    }
                    Some(Signal::SIGXFSZ) => format!(
                        "wrote a file of more than {} bytes (SIGXFSZ)",
                        self.limits.file_bytes
                    ),
                    Some(signal) => format!("was ended by {signal}"),
                    None => "ended without an exit code".to_owned(),
                };
                Err(WorkloadError::Failed { how: why, tail: tail() })
            }
        }
    }
}

/// How watching a workload ended.
enum Watched {
    Ended(io::Result<ExitStatus>),
    TooLong(Duration),
    Stopped,
}

#[async_trait]
impl Workload for FolderWorkload {
    fn name(&self) -> &str {
        &self.manifest.name
    }

    async fn run(
        &self,
        job: &Job,
        progress: &(dyn Fn(Progress) + Send + Sync),
        stop: &CancellationToken,
    ) -> Result<(), WorkloadError> {
        let folder = self.unpack(job)?;
        let pipe = job.progress_pipe();
        let mut lines =
            ProgressPipe::create(&pipe).map_err(WorkloadError::machine("make the pipe", &pipe))?;
        let limit = self.time_limit(job);
        let mut leader = self.start(job, &folder)?;
        let mut group = ProcessGroup::led_by(&leader, SPEC, job.spec_file().into_os_string());
        progress(Progress::Started);

        let deadline = Instant::now() + limit;
        let watched = loop {
            tokio::select! {
                status = leader.wait() => break Watched::Ended(status),
                () = stop.cancelled() => break Watched::Stopped,
                () = tokio::time::sleep_until(deadline) => break Watched::TooLong(limit),
                line = lines.next() => progress(line),
            }
        };
        if let Some(group) = &mut group {
            if !matches!(watched, Watched::Ended(_)) {
                group.stop(&mut leader).await;
            }
            group.sweep().await;
        }
        match watched {
            Watched::Ended(Ok(status)) => self.judge(status, job),
            Watched::Ended(Err(source)) => {
                Err(WorkloadError::Machine { action: "wait for", path: folder, source })
            }
            Watched::TooLong(limit) => {
                Err(WorkloadError::Timeout { limit, tail: job.output_tail() })
            }
            Watched::Stopped => Err(WorkloadError::Stopped),
        }
    }
}
