//! Text for people: what plans, runs, resources and figures look like on a terminal.

mod checks;
pub mod cost;
pub mod doctor;
pub mod instance_types;
mod logs;
mod plan;
pub mod providers;
pub mod removal;
mod run;
mod summary;
mod table;
mod tokens;
pub mod units;

pub use logs::LogLines;
pub use plan::{plan, problems};
pub use run::{counts, run, runs};
pub use summary::summary;
pub use tokens::tokens;
