//! Amazon EC2 as a provider.
//!
//! A machine is an on-demand instance with Debian in the default VPC, behind a security group
//! that lets nothing in and out only TCP 443. It ends itself, and shutting down terminates it,
//! with its disk and address. Tags alone tell what is ours: `list` and `teardown` need to
//! remember nothing. `docs/providers/aws.md` is for those who use it.

mod api;
mod catalog;
mod naming;
mod plan;
mod preflight;
mod provider;
mod provision;
mod quota;
mod removal;
mod setup;
mod tags;
mod user_data;

pub use naming::DEFAULT_REGION;
pub use provider::AwsProvider;
