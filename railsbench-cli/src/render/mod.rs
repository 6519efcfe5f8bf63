//! Text for people: what plans, runs, resources and figures look like on a terminal.

mod listing;
mod plan;
mod run;
mod summary;
mod table;
pub mod units;

pub use listing::{instance_types, providers, removed, resources};
pub use plan::{plan, problems};
pub use run::{counts, run, runs};
pub use summary::summary;
