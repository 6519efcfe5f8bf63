//! The client for clouds that are called by their REST interface, against a server that behaves
//! as clouds do on bad days.

#![cfg(feature = "rest")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod calls;
mod cloud;
mod faults;
