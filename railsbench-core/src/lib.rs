//! What is true of a railsbench run without touching the world.
//!
//! Here live the run configuration, the wire protocol, the task and run lifecycle, the
//! [`Provider`](provider::Provider) trait with its vocabulary, the result file formats and the
//! statistics. Nothing here reads a clock, opens a socket or starts a thread: every function is
//! given what it needs, so the server, the simulator and the model checker run the same rules.

pub mod analysis;
pub mod config;
pub mod id;
pub mod lifecycle;
pub mod loopback;
pub mod money;
pub mod protocol;
pub mod provider;
pub mod results;
pub mod workload;
