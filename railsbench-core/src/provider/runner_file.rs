//! The runner's executable, as a machine can fetch it from the orchestrator.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Arch;

/// What a runner was built for, as the Rust compiler names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RunnerTarget {
    /// 64-bit x86, needing no library: it runs in every image.
    #[serde(rename = "x86_64-unknown-linux-musl")]
    X86Musl,
    /// 64-bit ARM, needing no library: it runs in every image.
    #[serde(rename = "aarch64-unknown-linux-musl")]
    ArmMusl,
    /// 64-bit x86, for images whose GNU C library is no older than the one it was built with.
    #[serde(rename = "x86_64-unknown-linux-gnu")]
    X86Gnu,
    /// 64-bit ARM, for images whose GNU C library is no older than the one it was built with.
    #[serde(rename = "aarch64-unknown-linux-gnu")]
    ArmGnu,
}

impl RunnerTarget {
    /// All of them; those that run everywhere first.
    pub const ALL: [Self; 4] = [Self::X86Musl, Self::ArmMusl, Self::X86Gnu, Self::ArmGnu];

    /// The target triple.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86Musl => "x86_64-unknown-linux-musl",
            Self::ArmMusl => "aarch64-unknown-linux-musl",
            Self::X86Gnu => "x86_64-unknown-linux-gnu",
            Self::ArmGnu => "aarch64-unknown-linux-gnu",
        }
    }

    /// The architecture that it runs on.
    pub fn arch(self) -> Arch {
        match self {
            Self::X86Musl | Self::X86Gnu => Arch::X86_64,
            Self::ArmMusl | Self::ArmGnu => Arch::Aarch64,
        }
    }

    /// The target to build for machines of an architecture: the one that runs in every image.
    pub fn preferred(arch: Arch) -> Self {
        match arch {
            Arch::X86_64 => Self::X86Musl,
            Arch::Aarch64 => Self::ArmMusl,
        }
    }

    /// Where the orchestrator has it.
    pub fn path(self) -> String {
        format!("/runner/{self}")
    }
}

impl fmt::Display for RunnerTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no target of the runner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no runner for {0:?}; use x86_64-unknown-linux-musl, aarch64-unknown-linux-musl, \
     x86_64-unknown-linux-gnu or aarch64-unknown-linux-gnu"
)]
pub struct UnknownTarget(pub String);

impl FromStr for RunnerTarget {
    type Err = UnknownTarget;

    fn from_str(text: &str) -> Result<Self, UnknownTarget> {
        Self::ALL
            .into_iter()
            .find(|target| target.as_str() == text)
            .ok_or_else(|| UnknownTarget(text.to_owned()))
    }
}

/// A runner that the orchestrator hands out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunnerFile {
    /// What it was built for.
    pub target: RunnerTarget,
    /// SHA-256 of the file, 64 lower-case hexadecimal digits. A machine runs nothing else.
    pub sha256: String,
}

impl RunnerFile {
    /// The one of `files` that suits an architecture best: one that needs no library, if any.
    pub fn for_arch(files: &[Self], arch: Arch) -> Option<&Self> {
        files.iter().filter(|file| file.target.arch() == arch).min_by_key(|file| file.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_back_and_have_one_spelling() {
        for target in RunnerTarget::ALL {
            assert_eq!(target.as_str().parse(), Ok(target));
            assert_eq!(serde_json::to_string(&target).unwrap(), format!("\"{target}\""));
            assert_eq!(RunnerTarget::preferred(target.arch()).arch(), target.arch());
        }
        let error = "../x86_64-unknown-linux-musl".parse::<RunnerTarget>().unwrap_err();
        assert!(error.to_string().contains("aarch64-unknown-linux-gnu"), "{error}");
        assert_eq!(RunnerTarget::ArmMusl.path(), "/runner/aarch64-unknown-linux-musl");
    }

    #[test]
    fn a_runner_that_needs_no_library_is_preferred() {
        let file = |target| RunnerFile { target, sha256: "0".repeat(64) };
        let files = [file(RunnerTarget::X86Gnu), file(RunnerTarget::X86Musl)];
        assert_eq!(RunnerFile::for_arch(&files, Arch::X86_64), Some(&files[1]));
        assert_eq!(RunnerFile::for_arch(&files[..1], Arch::X86_64), Some(&files[0]));
        assert_eq!(RunnerFile::for_arch(&files, Arch::Aarch64), None);
    }
}
