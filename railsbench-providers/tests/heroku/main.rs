//! The Heroku provider from outside, against an emulated Heroku on this host.
#![cfg(feature = "heroku")]
// Clippy takes only the bodies of test functions for tests.
#![allow(clippy::unwrap_used)]

mod conformance;
mod crashes;
mod emulator;
mod faults;
mod fixture;
mod machines;
mod preflight;
mod release;
