//! The Google provider from outside, against an emulated Compute Engine on this host.
#![cfg(feature = "gcp")]
// Clippy takes only the bodies of test functions for tests.
#![allow(clippy::unwrap_used)]

mod catalog;
mod conformance;
mod crashes;
mod credentials;
mod faults;
mod fixture;
mod leftovers;
mod machines;
mod permissions;
mod preflight;
