//! The Docker provider against a real daemon: the one that `DOCKER_HOST` names, or this host's.
//! `bin/test docker` starts one and makes the images that are needed.

// Clippy takes only the bodies of test functions for tests.
#![allow(clippy::unwrap_used)]

mod conformance;
mod crashes;
mod fixture;
mod images;
mod machines;
mod preflight;
mod proxy;
mod script;
