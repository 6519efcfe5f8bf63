//! The step between the runner and a workload's command: `railsbench-runner launch`.
//!
//! Limits of a process can only be set from within it, before its program starts. So the runner
//! starts itself anew; that process limits itself and then becomes the command.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, getppid};

/// A command and the limits it runs under.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Launch {
    /// Process that must be the parent; the command gets SIGTERM when its thread ends.
    #[arg(long)]
    pub parent: i32,
    /// Most open files.
    #[arg(long)]
    pub open_files: u64,
    /// Largest file that may be written, in bytes.
    #[arg(long)]
    pub file_bytes: u64,
    /// The command and its arguments.
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
}

/// Why a command could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// There is no command.
    #[error("no command was given")]
    Empty,
    /// The runner that wanted it is gone.
    #[error("the runner (process {0}) has ended")]
    Orphaned(i32),
    /// A limit cannot be set.
    #[error("cannot set the limit on {what}: {source}")]
    Limit {
        /// On what.
        what: &'static str,
        /// What the system said.
        source: nix::Error,
    },
    /// The program does not start.
    #[error("cannot start {program:?}: {source}; is it installed and on PATH?")]
    Start {
        /// Its name.
        program: String,
        /// What the system said.
        source: io::Error,
    },
}

impl LaunchError {
    /// The exit code that shells use: 127 if the program was not found, 126 otherwise.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Start { source, .. } if source.kind() == io::ErrorKind::NotFound => 127,
            _ => 126,
        }
    }
}

impl Launch {
    /// Sets the limits and becomes the command; returns only if that fails.
    pub fn execute(&self) -> LaunchError {
        let Some((program, arguments)) = self.command.split_first() else {
            return LaunchError::Empty;
        };
        if let Err(error) = self.prepare() {
            return error;
        }
        let source = Command::new(program).args(arguments).exec();
        LaunchError::Start { program: program.clone(), source }
    }

    fn prepare(&self) -> Result<(), LaunchError> {
        set_pdeathsig(Signal::SIGTERM)
            .map_err(|source| LaunchError::Limit { what: "outliving the runner", source })?;
        // It may have ended before the line above.
        if getppid() != Pid::from_raw(self.parent) {
            return Err(LaunchError::Orphaned(self.parent));
        }
        limit(Resource::RLIMIT_CORE, 0, "core files")?;
        limit(Resource::RLIMIT_NOFILE, self.open_files, "open files")?;
        limit(Resource::RLIMIT_FSIZE, self.file_bytes, "file size")?;
        umask(Mode::S_IWGRP | Mode::S_IWOTH);
        Ok(())
    }
}

/// Sets both limits to `value`, or to the hard limit if that is less.
fn limit(resource: Resource, value: u64, what: &'static str) -> Result<(), LaunchError> {
    getrlimit(resource)
        .and_then(|(_, hard)| setrlimit(resource, value.min(hard), value.min(hard)))
        .map_err(|source| LaunchError::Limit { what, source })
}
