//! What runs cost: what a configuration is expected to come to, item by item, and what the
//! machines of a run have come to, by what is known of them.
//!
//! Both are estimates from list prices. Only the provider's bill knows what was charged.

mod estimate;
mod ledger;
mod spent;

pub use estimate::{Estimate, GroupEstimate};
pub use ledger::{Ledger, LedgerEntry, LedgerError, LedgerStep, Terms};
pub use spent::{MachineSpent, Spent, spent};

/// A time in seconds, as reports for programs have it.
fn seconds<S: serde::Serializer>(
    time: &std::time::Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}
