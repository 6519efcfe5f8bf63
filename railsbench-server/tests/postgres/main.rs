//! PostgreSQL, and several servers on one database: what they store, what they tell each other,
//! and what is left of it when connections, servers and the database itself break.
//!
//! Each test starts a PostgreSQL of its own; `railsbench_emulators::postgres` tells where it comes
//! from.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it must be")]

mod balancer;
mod conformance;
mod faults;
mod meddler;
mod program;
mod replicas;
mod schema;
mod sharing;
mod steps;
mod tls;
