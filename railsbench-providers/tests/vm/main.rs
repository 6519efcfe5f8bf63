//! The start-up script of a machine, run from its first line to its last in a real shell, with
//! stand-ins for what only a fresh machine has: docker, shutdown, a network.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod boots;
mod gems;
mod machine;
