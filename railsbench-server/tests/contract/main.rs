//! The wire contract, asked of a real server on loopback, as its clients ask it.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it must be")]

mod access;
mod acme;
mod authority;
mod certificates;
mod dashboard;
mod document;
mod drain;
mod events;
mod full_client;
mod hostile_archives;
mod leases;
mod logs;
mod minimal_client;
mod operations;
mod runners;
mod start;
mod support;
mod tls;
mod tokens;
mod uploads;
mod validation;
mod waiting;
