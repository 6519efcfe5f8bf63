//! The local provider from outside: real processes on this host, all of them tagged with run ids
//! that no one else uses.

// Clippy takes only the bodies of test functions for tests.
#![allow(clippy::unwrap_used)]

mod conformance;
mod crashes;
mod machines;
mod ruby;
mod world;
