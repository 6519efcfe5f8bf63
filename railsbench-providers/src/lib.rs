//! The clouds and hosts that railsbench can start machines on, each behind the
//! [`Provider`](railsbench_core::provider::Provider) trait.
//!
//! Each provider has a folder with the same file names: `naming.rs` (what its instance types and
//! machines are called), `catalog.rs` (what is known of them), `user_data.sh.hbs` and
//! `user_data.rs` (what a machine runs at its start), `plan.rs`, `api.rs` (the calls that touch
//! the world) and `provider.rs` (the trait). [`conformance`] is the suite that all of them, and
//! those of others, must pass; [`Registry`] holds them; [`FileJournal`] remembers what they were
//! about to create.

pub mod catalog;
pub mod conformance;
mod journal;
#[cfg(feature = "local")]
pub mod local;
mod registry;
#[cfg(feature = "rest")]
pub mod rest;
mod templates;

pub use journal::{FileJournal, MemoryJournal};
#[cfg(feature = "local")]
pub use local::LocalProvider;
pub use registry::Registry;
