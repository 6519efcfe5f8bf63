//! Reading the results folder of a run.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use railsbench_core::id::MachineId;
use railsbench_core::protocol::{RunView, TaskStatus, TaskView};
use railsbench_core::provider::Price;
use railsbench_core::results::{
    MAX_METADATA_BYTES, MAX_OUTPUT_BYTES, METADATA_JSON, Metadata, OUTPUT_JSON, Output, folder_name,
};
use sha2::{Digest as _, Sha256};

use super::{RUN_JSON, ReportError};

/// Largest `run.json` that is read, in bytes.
const MAX_RUN_BYTES: usize = 64 << 20;

/// What one completed task left.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskResult {
    /// Alias or instance type.
    pub label: String,
    /// 1-based number among the tasks of the label.
    pub number: u32,
    /// Where and how it ran.
    pub metadata: Metadata,
    /// Its figures.
    pub output: Output,
}

impl TaskResult {
    /// The machine it ran on, as far as is known. Tasks that may have shared a machine are
    /// taken to have done so, as too few machines only make a report more careful.
    pub(super) fn machine(&self) -> MachineId {
        let facts = &self.metadata;
        let shared_host = matches!(facts.provider.as_str(), "local" | "docker");
        let named = match (&facts.machine, &facts.runner_id) {
            (Some(machine), _) => return machine.clone(),
            (None, Some(runner)) if !shared_host => runner.as_str().to_owned(),
            _ => format!("{}/{}", facts.provider, facts.instance_type),
        };
        let named = if shared_host { facts.provider.as_str().to_owned() } else { named };
        MachineId::new(named).expect("ids are graphic ASCII of at most 128 characters")
    }
}

/// A completed task whose files cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Folder of the task.
    pub folder: String,
    /// Why.
    pub problem: String,
}

/// All that a report is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    /// The run as it ended.
    pub run: RunView,
    /// What its completed tasks left.
    pub tasks: Vec<TaskResult>,
    /// Completed tasks whose files cannot be used.
    pub unreadable: Vec<Unreadable>,
    /// Hourly price by label, where known. [`Inputs::load`] leaves it empty.
    pub prices: BTreeMap<String, Price>,
}

impl Inputs {
    /// Reads `run.json` and the task folders in the results folder of one run.
    ///
    /// A task whose files are missing or damaged does not spoil the rest: it is in
    /// [`Inputs::unreadable`], and the report says so.
    ///
    /// # Errors
    /// [`ReportError::Read`] or [`ReportError::Run`] if `run.json` is not there or not whole.
    pub fn load(folder: &Path) -> Result<Self, ReportError> {
        let path = folder.join(RUN_JSON);
        let bytes = read_limited(&path, MAX_RUN_BYTES)
            .map_err(|source| ReportError::Read { path: path.clone(), source })?;
        let run: RunView = serde_json::from_slice(&bytes)
            .map_err(|error| ReportError::Run { path, problem: error.to_string() })?;
        let (mut tasks, mut unreadable) = (Vec::new(), Vec::new());
        for view in run.tasks.iter().filter(|view| view.status == TaskStatus::Completed) {
            let label = label(view).to_owned();
            let name = folder_name(&label, view.run_number);
            match read_task(&folder.join(&name)) {
                Ok((metadata, output)) => {
                    tasks.push(TaskResult { label, number: view.run_number, metadata, output });
                }
                Err(problem) => unreadable.push(Unreadable { folder: name, problem }),
            }
        }
        Ok(Self { run, tasks, unreadable, prices: BTreeMap::new() })
    }
}

/// Alias or instance type of a task.
pub(super) fn label(task: &TaskView) -> &str {
    task.alias.as_ref().map_or(task.instance_type.as_str(), |alias| alias.as_str())
}

fn read_task(folder: &Path) -> Result<(Metadata, Output), String> {
    let read = |name: &str, limit| {
        read_limited(&folder.join(name), limit).map_err(|error| format!("{name}: {error}"))
    };
    let output_bytes = read(OUTPUT_JSON, MAX_OUTPUT_BYTES)?;
    let metadata = Metadata::parse(&read(METADATA_JSON, MAX_METADATA_BYTES)?)
        .map_err(|error| error.to_string())?;
    if let Some(expected) = &metadata.checksum {
        let found = sha256_hex(&output_bytes);
        if *expected != found {
            return Err(format!(
                "{OUTPUT_JSON} is not the file that {METADATA_JSON} names: SHA-256 {found} \
                 instead of {expected}; fetch the results again"
            ));
        }
    }
    let output = Output::parse(&output_bytes).map_err(|error| error.to_string())?;
    Ok((metadata, output))
}

/// SHA-256 in lower-case hexadecimal digits.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    format!("{:x}", bytes::Bytes::copy_from_slice(&Sha256::digest(bytes)))
}

/// Reads a file, but at most one byte more than `limit`: enough to see that it is too large.
fn read_limited(path: &Path, limit: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
