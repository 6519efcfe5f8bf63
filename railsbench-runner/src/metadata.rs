//! `metadata.json`: what the runner knows of a measurement, beside its figures.

use jiff::Timestamp;
use railsbench_core::protocol::{Lease, TaskSpec, TaskStatus};
use railsbench_core::results::Metadata;
use serde::Serialize;

use crate::machine::Machine;
use crate::telemetry::{Sample, noise};

/// What was seen around one run of a workload.
pub(crate) struct Observation {
    start_time: Timestamp,
    before: Sample,
    after: Option<(Timestamp, Sample)>,
    own_load: bool,
}

impl Observation {
    /// A workload is about to start. `own_load` says that another one has just ended.
    pub(crate) fn begin(before: Sample, own_load: bool) -> Self {
        Self { start_time: Timestamp::now(), before, after: None, own_load }
    }

    /// The workload has ended.
    pub(crate) fn end(&mut self, after: Sample) {
        self.after = Some((Timestamp::now(), after));
    }
}

/// The file's content. `checksum` is that of `output.json`, if there is a good one.
pub(crate) fn metadata_json(
    task: &TaskSpec,
    lease: &Lease,
    machine: &Machine,
    observation: &Observation,
    status: TaskStatus,
    checksum: Option<String>,
) -> Vec<u8> {
    /// Facts beyond those that the results know by name.
    #[derive(Serialize)]
    struct Written<'a> {
        #[serde(flatten)]
        metadata: Metadata,
        runner_version: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        clock_source: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        smt: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        numa_nodes: Option<u32>,
    }
    let Observation { start_time, before, after, own_load } = observation;
    let milliseconds = |time: &Timestamp| Timestamp::from_millisecond(time.as_millisecond()).ok();
    let metadata = Metadata {
        task_id: task.id.clone(),
        provider: task.provider.clone(),
        instance_type: task.instance_type.clone(),
        alias: task.alias.clone(),
        run: task.run_number,
        ruby_version: Some(task.ruby_version.clone()),
        start_time: milliseconds(start_time),
        end_time: after.as_ref().and_then(|(time, _)| milliseconds(time)),
        status,
        runner_id: Some(lease.runner_id.clone()),
        attempt: Some(lease.attempt),
        machine: machine.id.clone(),
        arch: Some(machine.arch.clone()),
        vcpus: machine.vcpus,
        memory_bytes: machine.memory_bytes,
        cpu_model: machine.cpu_model.clone(),
        microcode: machine.microcode.clone(),
        kernel: machine.kernel.clone(),
        os: machine.os.clone(),
        region: None,
        zone: None,
        image: machine.image.clone(),
        steal_percent: after.as_ref().and_then(|(_, after)| after.steal_percent_since(before)),
        governor: machine.governor.clone(),
        noise: after
            .as_ref()
            .map(|(_, after)| noise(machine, before, after, *own_load))
            .unwrap_or_default(),
        checksum,
    };
    let written = Written {
        metadata,
        runner_version: env!("CARGO_PKG_VERSION"),
        clock_source: machine.clock_source.as_deref(),
        smt: machine.smt,
        numa_nodes: machine.numa_nodes,
    };
    serde_json::to_vec_pretty(&written)
        .expect("text keys and plain values, finite by construction, are JSON")
}
