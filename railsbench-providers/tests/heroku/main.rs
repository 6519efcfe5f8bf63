//! The Heroku provider from outside, against an emulated Heroku on this host.
#![cfg(feature = "heroku")]
// Clippy takes only the bodies of test functions for tests.
#![allow(clippy::unwrap_used)]

mod conformance;
mod crashes;
mod faults;
mod fixture;
mod leftovers;
mod machines;
mod permissions;
mod preflight;
mod release;
