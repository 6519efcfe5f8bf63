//! The run configuration: what the operator wants measured, where, and within which bounds.
//!
//! [`RunConfig::parse`] accepts both spellings (`runs_per_instance_type` or
//! `per_instance_type`; an instance type as text or as an object with an alias), refuses keys it
//! does not know, and reports every problem at once as [`FieldError`]s. Whether an instance type
//! exists is for its provider to say; here only its characters are checked.

mod json;
mod machines;
mod parse;
mod problems;
mod suggest;
mod workload;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use crate::id::{Alias, ImageName, InstanceType, ProviderName};
use crate::money::Usd;
use crate::workload::{MOCK, RAILS, Suite};

pub use suggest::nearest;

/// The providers that railsbench ships.
pub const PROVIDERS: [&str; 6] = ["aws", "azure", "gcp", "heroku", "docker", "local"];

/// Most tasks that one run may have.
pub const MAX_TASKS: u32 = 100_000;

/// One thing wrong with a configuration: where, what, and how to put it right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// Path of the field, e.g. `aws[0].alias`; empty for the document as a whole.
    pub field: String,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub fix: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = if self.field.is_empty() { "config" } else { &self.field };
        write!(f, "{field}: {}; {}", self.problem, self.fix)
    }
}

/// A configuration that cannot be used, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError {
    /// At least one.
    pub errors: Vec<FieldError>,
}

/// Which Ruby runs the workload.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RubyVersion {
    /// The `ruby` that the machine's own packages give.
    System,
    /// A version, e.g. `3.3.0`, or `3.3` for the newest 3.3.
    Version(String),
}

impl fmt::Display for RubyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("system"),
            Self::Version(version) => f.write_str(version),
        }
    }
}

impl std::str::FromStr for RubyVersion {
    type Err = &'static str;

    /// `system`, or a version of two to four numbers with an optional suffix
    /// (`3.3`, `3.3.0`, `3.5.0-preview1`), with or without a leading `ruby-`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "system" {
            return Ok(Self::System);
        }
        let version = text.strip_prefix("ruby-").unwrap_or(text);
        let (numbers, suffix) = version.split_once('-').unwrap_or((version, "0"));
        let parts: Vec<&str> = numbers.split('.').collect();
        let numeric =
            |part: &&str| (1..=4).contains(&part.len()) && part.chars().all(|c| c.is_ascii_digit());
        let suffix_ok =
            (1..=16).contains(&suffix.len()) && suffix.chars().all(|c| c.is_ascii_alphanumeric());
        if (2..=4).contains(&parts.len()) && parts.iter().all(numeric) && suffix_ok {
            Ok(Self::Version(version.to_owned()))
        } else {
            Err("it is neither \"system\" nor a version")
        }
    }
}

/// One instance type that the run measures.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MachineRequest {
    /// Which cloud or host.
    pub provider: ProviderName,
    /// Its name there.
    pub instance_type: InstanceType,
    /// The operator's own name for it.
    pub alias: Option<Alias>,
}

impl MachineRequest {
    /// The alias, or else the instance type: what results are filed under.
    pub fn label(&self) -> &str {
        self.alias.as_ref().map_or(self.instance_type.as_str(), Alias::as_str)
    }
}

/// What each task runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkloadConfig {
    /// Name of the suite.
    pub suite: String,
    /// Names of the benchmarks to run; empty means all of the suite.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub benchmarks: Vec<String>,
    /// A short run: enough to see that all works, too short for a verdict.
    #[serde(default)]
    pub quick: bool,
    /// Least measured time per benchmark and variant, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_seconds: Option<f64>,
}

impl Default for WorkloadConfig {
    fn default() -> Self {
        Self {
            suite: RAILS.name.to_owned(),
            benchmarks: Vec::new(),
            quick: false,
            min_seconds: None,
        }
    }
}

/// A checked run configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct RunConfig {
    /// Which Ruby runs the workload.
    pub ruby_version: RubyVersion,
    /// What is measured; never empty, in the order of the configuration.
    pub machines: Vec<MachineRequest>,
    /// How many tasks each instance type gets, at least 1.
    pub tasks_per_type: u32,
    /// How many machines of each instance type share those tasks, at least 1.
    pub instances_per_type: u32,
    /// Run the mock suite instead of the configured one.
    pub mock: bool,
    /// What each task runs.
    pub workload: WorkloadConfig,
    /// Image of the container that cloud machines run the workload in; the official Ruby image
    /// of `ruby_version` if absent.
    pub runner_image: Option<ImageName>,
    /// Region per provider, where the provider's default is not wanted.
    pub regions: BTreeMap<ProviderName, String>,
    /// Refuse to start what could cost more if every machine lives as long as it may, and start no
    /// replacement that could.
    pub max_cost: Option<Usd>,
    /// No machine lives longer than this.
    pub max_lifetime: Duration,
    /// How often a task may fail or lose its runner before it counts as failed, at least 1.
    pub max_attempts: u32,
}

impl RunConfig {
    /// The suite the tasks run: the mock one if `mock` is set.
    pub fn suite(&self) -> &'static Suite {
        if self.mock { &MOCK } else { Suite::named(&self.workload.suite).unwrap_or(&RAILS) }
    }

    /// How long one task is expected to take.
    pub fn expected_task_duration(&self) -> Duration {
        let benchmarks = if self.mock { 0 } else { self.workload.benchmarks.len() };
        self.suite().expected_duration(benchmarks, self.workload.quick, self.workload.min_seconds)
    }

    /// All tasks of the run, in order: every instance type's first, then every second, …
    pub fn task_count(&self) -> u32 {
        let types = u32::try_from(self.machines.len()).unwrap_or(u32::MAX);
        self.tasks_per_type.saturating_mul(types)
    }
}

impl Serialize for RunConfig {
    /// The canonical spelling, which [`RunConfig::parse`] reads back to an equal value.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Machine<'a> {
            instance_type: &'a InstanceType,
            #[serde(skip_serializing_if = "Option::is_none")]
            alias: Option<&'a Alias>,
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("ruby_version", &self.ruby_version.to_string())?;
        let mut providers: Vec<&ProviderName> = Vec::new();
        for machine in &self.machines {
            if !providers.contains(&&machine.provider) {
                providers.push(&machine.provider);
            }
        }
        for provider in providers {
            let machines: Vec<Machine<'_>> = self
                .machines
                .iter()
                .filter(|machine| &machine.provider == provider)
                .map(|m| Machine { instance_type: &m.instance_type, alias: m.alias.as_ref() })
                .collect();
            map.serialize_entry(provider.as_str(), &machines)?;
        }
        map.serialize_entry(
            "per_instance_type",
            &BTreeMap::from([
                ("tasks", self.tasks_per_type),
                ("instances", self.instances_per_type),
            ]),
        )?;
        map.serialize_entry("mock", &self.mock)?;
        map.serialize_entry("workload", &self.workload)?;
        if let Some(image) = &self.runner_image {
            map.serialize_entry("runner_image", image)?;
        }
        if !self.regions.is_empty() {
            map.serialize_entry("regions", &self.regions)?;
        }
        if let Some(cost) = self.max_cost {
            map.serialize_entry("max_cost_usd", &cost)?;
        }
        map.serialize_entry("max_lifetime_minutes", &(self.max_lifetime.as_secs() / 60))?;
        map.serialize_entry("max_attempts", &self.max_attempts)?;
        map.end()
    }
}
