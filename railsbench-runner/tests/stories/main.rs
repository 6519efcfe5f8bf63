//! Stories of a runner and a strict stub of the orchestrator, which checks the order and the
//! body of every call.

#![allow(clippy::unwrap_used, reason = "all of this is test code")]

mod claiming;
mod delivery;
mod ending;
mod interruption;
mod program;
mod providers;
mod rules;
mod stub;
mod suites;
mod workloads;
mod world;
