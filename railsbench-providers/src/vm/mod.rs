//! What all clouds with virtual machines share: the start-up script of a Debian machine, tags,
//! costs, and the plan that follows from these.
//!
//! Every machine boots the same Debian release and runs the runner in a container, so that clouds
//! differ and the system does not. A cloud adds what only it can know: its template of a few
//! lines, its prices, its limits and its calls.

mod cost;
#[cfg(test)]
mod fixture;
mod plan;
mod script;
pub mod tags;

pub use cost::{VmPrices, cost, hour_of_month};
pub use plan::VmPlan;
pub use script::{StartupScript, image};
pub use tags::Tags;
