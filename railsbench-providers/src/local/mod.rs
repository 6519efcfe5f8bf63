//! This machine as a provider: one instance type, `host`.
//!
//! A machine is a process group on this host that runs the rendered start-up script, which finds
//! or installs the Ruby that is asked for and then runs the runner. It is tagged like a cloud's
//! machine is: every process of it carries its name in the environment, so that `list` and
//! `teardown` need to remember nothing. It is the reference that other providers are compared
//! with.

mod api;
mod catalog;
mod checks;
mod folder;
mod naming;
mod plan;
mod provider;
mod stop;
mod user_data;

pub use naming::HOST;
pub use provider::LocalProvider;
