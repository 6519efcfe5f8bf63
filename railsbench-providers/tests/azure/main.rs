//! The Azure provider from outside, against an emulator of the Resource Manager in this process.

// Clippy takes only the bodies of test functions for tests.
#![allow(clippy::unwrap_used)]

mod conformance;
mod crashes;
mod credentials;
mod faults;
mod leftovers;
mod machines;
mod permissions;
mod plans;
mod preflight;
mod setup;
