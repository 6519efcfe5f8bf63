//! The rules of runs and tasks: who may do what, when, and what follows.
//!
//! Everything here is a pure function of state, command, time and [`Policy`]. A store loads the
//! state, calls [`Task::apply`] or [`claim`], and saves what comes back together with the events;
//! so SQLite, PostgreSQL, the in-memory model and the model checker cannot disagree. Nothing
//! here reads a clock, draws a random number or does I/O.
//!
//! * [`Task`] is one task; [`Task::apply`] takes a [`Command`] and gives the events it causes.
//!   Events are the only way a task changes: `apply` decides, [`Task::absorb`] changes.
//! * [`Run`] is the run as a whole; it follows the events of its tasks.
//! * [`claim`] decides what a runner that asks for work gets, given its [`Queue`].
//! * [`replay`] rebuilds everything from the event stream.

mod claim;
mod policy;
mod replay;
mod run;
mod task;

pub use claim::{Claim, Idle, Queue, claim};
pub use policy::Policy;
pub use replay::{Replay, ReplayError};
pub use run::Run;
pub use task::{AttemptEnd, AttemptRecord, Caller, Command, Rejection, StoredResult, Task};
