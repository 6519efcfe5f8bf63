//! The orchestrator: owns runs and tasks, hands them to runners, keeps their results.
//!
//! The rules are in [`railsbench_core::lifecycle`]; this crate loads state, calls them, persists
//! what comes back, and speaks HTTP. [`Server::start`] runs it inside another program on any
//! address; the `railsbench-server` binary is that and a command line:
//!
//! ```no_run
//! # async fn embedded() -> Result<(), railsbench_server::ServerError> {
//! use railsbench_server::{Server, ServerConfig};
//!
//! let config = ServerConfig::new(([127, 0, 0, 1], 0).into(), "railsbench-data");
//! let server = Server::start(config).await?;
//! println!("{} takes runs of whoever has server.api_key()", server.url());
//! server.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Two seams can be implemented by others, each with a public conformance suite:
//! [`store::Store`] (runs, tasks, events, tokens) and [`artifacts::ArtifactStore`] (archives of
//! results).

pub mod alerts;
pub mod artifacts;
mod backends;
pub mod clock;
mod config;
mod dashboard;
mod data_dir;
mod http;
mod metrics;
mod reaper;
mod runners;
mod server;
pub mod store;
mod tls;

pub use config::{ArtifactsConfig, DatabaseConfig, ServerConfig};
pub use http::openapi_document;
pub use runners::{RunnerFiles, RunnerFilesError};
pub use server::{Parts, Server, ServerError};
#[cfg(feature = "acme")]
pub use tls::{AcmeConfig, LETS_ENCRYPT};
pub use tls::{TlsConfig, TlsError};
