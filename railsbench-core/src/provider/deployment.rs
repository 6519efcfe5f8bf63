//! What exists: machines, resources, and what is left after a teardown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{InstanceType, MachineId, ProviderName, RunId};
use crate::money::Usd;

/// A machine that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Its id in the provider's own naming.
    pub id: MachineId,
    /// Its planned name.
    pub name: String,
    /// Its instance type.
    pub instance_type: InstanceType,
    /// Where it is; absent where there are no regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// What a provision made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Where.
    pub provider: ProviderName,
    /// For which run.
    pub run_id: RunId,
    /// The machines.
    pub machines: Vec<Machine>,
}

/// How a machine is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum MachineState {
    /// It starts.
    Starting,
    /// It runs.
    Running,
    /// It has ended by itself.
    Stopped {
        /// How, if known, e.g. `exit code 0`.
        reason: String,
    },
    /// The provider knows it no more.
    Gone,
}

/// A machine and how it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineStatus {
    /// Which.
    pub id: MachineId,
    /// How.
    #[serde(flatten)]
    pub state: MachineState,
}

/// Something that exists and is ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Where.
    pub provider: ProviderName,
    /// What, e.g. `instance`, `security group`, `process`.
    pub kind: String,
    /// Its id in the provider's own naming.
    pub id: String,
    /// Its name or command.
    pub name: String,
    /// The run it belongs to, by its tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// When it was made, by its tag or as the provider tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it may be removed by anyone, by its tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What it costs while it exists as it is now, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_hour: Option<Usd>,
}

/// What a teardown removed; it proved that nothing in scope is left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Teardown {
    /// What was there and is gone.
    pub removed: Vec<Resource>,
}
