//! What an instance type is: architecture, vCPUs, memory.

use std::fmt;

use serde::{Deserialize, Serialize};

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
