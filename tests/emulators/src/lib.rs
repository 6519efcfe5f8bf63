//! Emulated clouds, for tests that need more of a cloud than a canned answer.
//!
//! Each keeps state, refuses what the cloud's own published description does not allow, and goes
//! wrong on request: refusals, lost answers, lack of room, lists that are behind the times, the
//! death of the process that calls. All of them listen on loopback only.
//!
//! | module | the cloud | what requests are checked by |
//! |---|---|---|
//! | [`aws`] | moto's EC2, STS and SSM behind a proxy that does what moto does not | moto |
//! | [`azure`] | the Resource Manager, the token and the metadata service | the model metadata of Azure's Python packages |
//! | [`gcp`] | Compute Engine, the token and the metadata service | Google's discovery document |
//! | [`heroku`] | the Platform API, its source store and its log streams | Heroku's hyper-schema |
//!
//! By default machines are only written down. [`Machines`] makes them processes of this host
//! that run what they are told to.
//!
//! `schemas/` holds those descriptions, reduced to what railsbench calls; each names its source
//! and version. [`moto`] starts moto's server for whoever needs S3 or EC2, [`postgres`] a database.
//!
//! This is test code as a crate: what must not happen panics, and so fails the test.

#![allow(clippy::unwrap_used, reason = "an emulator that cannot go on fails its test")]

pub mod aws;
pub mod azure;
pub mod gcp;
pub mod heroku;
mod machines;
pub mod moto;
pub mod postgres;
mod process;

pub use machines::Machines;
pub use process::Process;
