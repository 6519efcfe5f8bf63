//! The AWS provider from outside, against moto's EC2, STS and SSM.
//!
//! `moto_server` comes with `pip install 'moto[ec2,ssm,sts,server]'`. The tests look for it in the
//! variable `MOTO_SERVER` and then on `PATH`, and fail without it. Between provider and moto is a
//! proxy that does what moto does not (idempotency by client token, Debian's images, quotas) and
//! what only a bad day does (no capacity, throttling, lost answers, death in mid-call).

// Clippy takes only the bodies of test functions for tests.
#![allow(clippy::unwrap_used)]

mod conformance;
mod crashes;
mod faults;
mod moto;
mod preflight;
mod proxy;
mod world;
