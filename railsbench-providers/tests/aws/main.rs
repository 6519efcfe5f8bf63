//! The AWS provider from outside, against moto's EC2, STS and SSM.
//!
//! `railsbench_emulators` starts moto, and tells where it comes from, and puts a proxy before it
//! that does what EC2 does and moto does not.

// Clippy takes only the bodies of test functions for tests.
#![allow(clippy::unwrap_used)]

mod conformance;
mod crashes;
mod faults;
mod leftovers;
mod permissions;
mod preflight;
mod world;
