//! A Docker daemon as a provider: one container is one machine.
//!
//! The instance type says how large it is (`2c4g`: two CPUs, 4 GiB). A container gets CPUs of its
//! own and its memory as a hard limit, so that a small machine can be measured on a large host; it
//! gets no capability, no writable disk, no way in and no neighbour on its network. It is found
//! again by its labels. The image holds the runner and the gems of the workload, and is built from
//! the official image of a Ruby, or from any other base.

mod api;
mod catalog;
mod checks;
mod container;
mod cpus;
mod daemon;
pub mod image;
mod naming;
mod plan;
mod provider;
mod provision;
mod removal;
mod user_data;

pub use daemon::{Daemon, Facts};
pub use provider::DockerProvider;
