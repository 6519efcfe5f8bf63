//! The clouds and hosts that railsbench can start machines on, each behind the
//! [`Provider`](railsbench_core::provider::Provider) trait.
//!
//! Each provider has a folder with the same file names: `naming.rs` (what its instance types and
//! machines are called), `catalog.rs` (what is known of them), `user_data.sh.hbs` and
//! `user_data.rs` (what a machine runs at its start), `plan.rs`, `api.rs` (the calls that touch
//! the world) and `provider.rs` (the trait). [`conformance`] is the suite that all of them, and
//! those of others, must pass; [`Registry`] holds them; [`FileJournal`] remembers what they were
//! about to create. What several of them share: [`catalog`] (tables of known types), `rest` (the
//! client for clouds without a kit of their own), [`vm`] (start-up script, tags and costs of Debian
//! machines), [`names`] and [`orchestrator_url`]. [`testing`] is for the tests of those who write
//! providers or embed railsbench.

#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "azure")]
pub mod azure;
pub mod catalog;
pub mod conformance;
#[cfg(any(
    feature = "aws",
    feature = "azure",
    feature = "docker",
    feature = "gcp",
    feature = "heroku",
    feature = "local"
))]
mod diary;
#[cfg(feature = "docker")]
pub mod docker;
#[cfg(any(feature = "aws", feature = "gcp"))]
mod firmware;
#[cfg(feature = "gcp")]
pub mod gcp;
#[cfg(feature = "heroku")]
pub mod heroku;
mod journal;
#[cfg(feature = "local")]
pub mod local;
pub mod names;
pub mod orchestrator_url;
mod registry;
#[cfg(feature = "rest")]
pub mod rest;
mod templates;
pub mod testing;
pub mod vm;

#[cfg(feature = "aws")]
pub use aws::AwsProvider;
#[cfg(feature = "azure")]
pub use azure::AzureProvider;
#[cfg(feature = "docker")]
pub use docker::DockerProvider;
#[cfg(feature = "gcp")]
pub use gcp::GcpProvider;
#[cfg(feature = "heroku")]
pub use heroku::HerokuProvider;
pub use journal::{FileJournal, MemoryJournal};
#[cfg(feature = "local")]
pub use local::LocalProvider;
pub use registry::{BUILT_IN, BuiltIn, Registry};
