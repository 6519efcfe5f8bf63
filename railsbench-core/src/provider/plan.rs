//! What is asked of a provider, and what it would make of it.

use std::time::Duration;

use serde::Serialize;

use super::{CostRange, Shape, UserData, UserDataVars};
use crate::id::{InstanceType, ProviderName, RunId};

/// What a machine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It runs benchmarks.
    Runner,
    /// It hosts the orchestrator.
    Orchestrator,
}

/// Machines of one instance type, asked of one provider.
#[derive(Debug, Clone)]
pub struct ProvisionRequest {
    /// What they are for.
    pub role: Role,
    /// For which run.
    pub run_id: RunId,
    /// Their type.
    pub instance_type: InstanceType,
    /// What results are filed under; also part of machine names.
    pub label: String,
    /// How many; at least 1.
    pub count: u32,
    /// Number of the first of them among the machines of this type in this run: 1 for the first
    /// provision, more for replacements, so that names never clash.
    pub first: u32,
    /// Where; the provider's default if absent.
    pub region: Option<String>,
    /// How long each is expected to work.
    pub expected_work: Duration,
    /// No machine lives longer.
    pub max_lifetime: Duration,
    /// What goes into the user data.
    pub vars: UserDataVars,
}

impl ProvisionRequest {
    /// What goes into the user data of a provider's machines: run, instance type and lifetime are
    /// those of the request.
    pub fn user_data_vars(&self, provider: ProviderName) -> UserDataVars {
        UserDataVars {
            run_id: self.run_id.clone(),
            provider,
            instance_type: self.instance_type.clone(),
            max_lifetime: self.max_lifetime,
            ..self.vars.clone()
        }
    }
}

/// A machine that would be made.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedMachine {
    /// Its name, within the provider's limits.
    pub name: String,
    /// Its type.
    pub instance_type: InstanceType,
    /// What that is.
    #[serde(flatten)]
    pub shape: Shape,
    /// Where it will be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// Anything else that would be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedResource {
    /// What, e.g. `security group`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What it is for, in words.
    pub detail: String,
}

/// Which way traffic goes, seen from the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To the machine.
    Ingress,
    /// From the machine.
    Egress,
}

/// Traffic that is let through; everything else is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FirewallRule {
    /// Which way.
    pub direction: Direction,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// To which port.
    pub port: u16,
}

/// What would exist, and what it would cost. Serialises without secrets.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// Where.
    pub provider: ProviderName,
    /// For which run.
    pub run_id: RunId,
    /// What the machines are for.
    pub role: Role,
    /// The machines.
    pub machines: Vec<PlannedMachine>,
    /// What else is made.
    pub resources: Vec<PlannedResource>,
    /// What may pass.
    pub firewall: Vec<FirewallRule>,
    /// Software that will be installed on the machines, where missing.
    pub installs: Vec<String>,
    /// How long each machine is expected to live.
    #[serde(serialize_with = "seconds", rename = "expected_seconds")]
    pub expected: Duration,
    /// No machine lives longer.
    #[serde(serialize_with = "seconds", rename = "max_lifetime_seconds")]
    pub max_lifetime: Duration,
    /// What all of it costs.
    pub cost: CostRange,
    /// What each machine runs at its start.
    #[serde(skip)]
    pub user_data: UserData,
    /// What the user data was made of.
    #[serde(skip)]
    pub vars: UserDataVars,
}

fn seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}
