//! The Azure provider from outside, against an emulator of the Resource Manager in this process.

// Clippy takes only the bodies of test functions for tests.
#![allow(clippy::unwrap_used)]
// A refusal of the emulator is an answer as it is, and its table of sizes is read in one place.
#![allow(clippy::result_large_err, clippy::type_complexity)]

mod conformance;
mod crashes;
mod credentials;
mod emulator;
mod faults;
mod machines;
mod plans;
mod preflight;
mod setup;
