//! One run of a workload: what is asked of it, and the folder it has to itself.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use railsbench_core::id::TaskId;
use railsbench_core::protocol::TaskSpec;
use railsbench_core::results::{MAX_OUTPUT_BYTES, OUTPUT_CSV, OUTPUT_JSON, OUTPUT_TXT, Output};
use serde::{Deserialize, Serialize};

use super::WorkloadError;
use crate::archive::sha256_hexadecimal;

/// How much of the end of `output.txt` is told, in bytes.
const TAIL_BYTES: u64 = 1500;

/// What a workload is asked: the content of `RAILSBENCH_SPEC`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    /// The task.
    pub task_id: TaskId,
    /// Names of the benchmarks to run; empty means all.
    pub benchmarks: Vec<String>,
    /// A short run, to see that all works.
    pub quick: bool,
    /// Least measured time per benchmark and variant, in seconds.
    pub min_seconds: Option<f64>,
    /// `system` or a version.
    pub ruby_version: String,
    /// CPUs that the workload may use.
    pub vcpus: u32,
    /// The same for every attempt at a task, different for every other task: for workloads that
    /// make up data.
    pub seed: String,
}

impl JobSpec {
    /// What a task asks, on a machine with so many CPUs.
    pub fn of(task: &TaskSpec, vcpus: u32) -> Self {
        Self {
            task_id: task.id.clone(),
            benchmarks: if task.mock { Vec::new() } else { task.workload.benchmarks.clone() },
            quick: task.workload.quick,
            min_seconds: task.workload.min_seconds,
            ruby_version: task.ruby_version.clone(),
            vcpus,
            seed: format!("{}/{}/{}", task.provider, task.instance_type, task.run_number),
        }
    }
}

/// One run of a workload in a folder of its own, which holds:
///
/// | name | is |
/// |---|---|
/// | `spec.json` | the [`JobSpec`] |
/// | `suite/` | the unpacked suite |
/// | `output/` | where the workload writes its figures |
/// | `scratch/` | where it may write what it likes |
/// | `progress` | the pipe for progress lines |
/// | `output.txt` | its standard output and error |
#[derive(Debug, Clone)]
pub struct Job {
    spec: JobSpec,
    folder: PathBuf,
}

impl Job {
    /// A job in `folder`, which is made anew: what was there before is removed.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn create(folder: PathBuf, spec: JobSpec) -> io::Result<Self> {
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let job = Self { spec, folder };
        fs::create_dir_all(job.output_folder())?;
        fs::create_dir(job.scratch_folder())?;
        fs::write(job.spec_file(), serde_json::to_vec_pretty(&job.spec)?)?;
        Ok(job)
    }

    /// What is asked.
    pub fn spec(&self) -> &JobSpec {
        &self.spec
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `spec.json`.
    pub fn spec_file(&self) -> PathBuf {
        self.folder.join("spec.json")
    }

    /// Where a suite is unpacked.
    pub fn suite_folder(&self) -> PathBuf {
        self.folder.join("suite")
    }

    /// Where the workload writes its figures.
    pub fn output_folder(&self) -> PathBuf {
        self.folder.join("output")
    }

    /// Where the workload may write what it likes.
    pub fn scratch_folder(&self) -> PathBuf {
        self.folder.join("scratch")
    }

    /// The pipe for progress lines.
    pub fn progress_pipe(&self) -> PathBuf {
        self.folder.join("progress")
    }

    /// Standard output and error of the workload.
    pub fn output_txt(&self) -> PathBuf {
        self.folder.join(OUTPUT_TXT)
    }

    /// The figures.
    pub fn output_json(&self) -> PathBuf {
        self.output_folder().join(OUTPUT_JSON)
    }

    /// The times, one a line.
    pub fn output_csv(&self) -> PathBuf {
        self.output_folder().join(OUTPUT_CSV)
    }

    /// The end of `output.txt`, without control characters; empty if there is none.
    pub fn output_tail(&self) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = fs::File::open(self.output_txt())?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
            let mut bytes = Vec::new();
            file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().unwrap_or_default();
        String::from_utf8_lossy(&bytes)
            .trim()
            .chars()
            .filter(|character| !character.is_control() || matches!(character, '\n' | '\t'))
            .collect()
    }

    /// Checks that the workload has left what it should, and gives the SHA-256 of its
    /// `output.json`. Blocks while it reads.
    ///
    /// # Errors
    /// [`WorkloadError::Output`] saying what is missing or wrong.
    pub fn check_output(&self) -> Result<String, WorkloadError> {
        let wrong = |problem: String| WorkloadError::Output { problem, tail: self.output_tail() };
        let plain_file = |name: &str, path: &Path| match fs::symlink_metadata(path) {
            Ok(found) if found.is_file() => Ok(found.len()),
            Ok(_) => Err(wrong(format!("{name} is not a plain file"))),
            Err(error) => Err(wrong(format!("{name} cannot be read: {error}"))),
        };
        plain_file(OUTPUT_CSV, &self.output_csv())?;
        let path = self.output_json();
        let size = plain_file(OUTPUT_JSON, &path)?;
        if size > MAX_OUTPUT_BYTES as u64 {
            return Err(wrong(format!("{OUTPUT_JSON} has more than {MAX_OUTPUT_BYTES} bytes")));
        }
        let bytes = fs::read(&path).map_err(WorkloadError::machine("read", &path))?;
        Output::parse(&bytes).map_err(|error| wrong(error.to_string()))?;
        Ok(sha256_hexadecimal(&bytes))
    }

    /// Removes the folder with all that is in it.
    ///
    /// # Errors
    /// If the system does not let it.
    pub fn remove(self) -> io::Result<()> {
        fs::remove_dir_all(self.folder)
    }
}
