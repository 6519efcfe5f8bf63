//! The railsbench agent: it runs on the machine that is measured.
//!
//! [`agent::Agent`] claims a task, runs its [`workload`], packs what that leaves
//! ([`archive`]), uploads it and asks for the next. While a benchmark runs it sleeps but for a
//! heartbeat. It knows nothing of clouds and nothing of Ruby.
//!
//! | module | is about |
//! |---|---|
//! | [`config`] | the five environment variables |
//! | [`client`], [`retry`] | calling the orchestrator, and doing so again |
//! | [`agent`] | the loop, and one task in it |
//! | [`workload`] | starting, watching and clearing away what is measured |
//! | [`log`] | what is told of what it says |
//! | [`machine`], [`telemetry`] | facts about the machine, and what may spoil the figures |
//! | [`archive`] | the files that are sent |

pub mod agent;
pub mod archive;
pub mod client;
pub mod config;
pub mod log;
pub mod machine;
pub mod retry;
pub mod telemetry;
pub mod workload;

mod delivery;
mod heartbeat;
mod metadata;
mod task;
mod upload;
