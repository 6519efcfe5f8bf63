//! What an instance type is: architecture, vCPUs, memory.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Price;
use crate::id::ProviderName;

/// Processor architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Arch {
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit ARM.
    #[serde(rename = "aarch64")]
    Aarch64,
}

impl Arch {
    /// As the kernel and the Rust compiler name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// As Debian and container images name it.
    pub fn debian(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What an instance type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// Processor architecture.
    pub arch: Arch,
    /// Virtual CPUs that the guest sees; absent where only the cloud knows.
    pub vcpus: Option<u32>,
    /// Memory in bytes; absent where only the cloud knows.
    pub memory_bytes: Option<u64>,
}

/// How an instance type is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShapeSource {
    /// It is in the provider's table of known types.
    Catalog,
    /// Its name alone tells, by the provider's naming grammar.
    Grammar,
}

impl fmt::Display for ShapeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Catalog => "catalog",
            Self::Grammar => "grammar",
        })
    }
}

/// What is known of an instance type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceFacts {
    /// What it is.
    pub shape: Shape,
    /// What it costs; absent where that is not known.
    pub price: Option<Price>,
    /// How this is known.
    pub source: ShapeSource,
}

/// Why an instance type has no shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// No such type.
    #[error("{provider} has no instance type {name:?}{}", did_you_mean(.nearest))]
    Unknown {
        /// The provider.
        provider: ProviderName,
        /// The name.
        name: String,
        /// Names that exist and are close to it, nearest first.
        nearest: Vec<String>,
    },
    /// The name does not say enough.
    #[error("{provider}: {name:?} is ambiguous: {question}")]
    Ambiguous {
        /// The provider.
        provider: ProviderName,
        /// The name.
        name: String,
        /// What has to be said.
        question: String,
    },
}

fn did_you_mean(nearest: &[String]) -> String {
    if nearest.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", nearest.join(", "))
    }
}
