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
//! * [`claim()`] decides what a runner that asks for work gets, given its [`Queue`].
//! * [`Replay`] rebuilds everything from the event stream.
//!
//! # What is guaranteed
//! 1. A task has at most one live lease, and only its holder can renew or fail it.
//! 2. A task has at most one result, from the attempt that completed; it never changes.
//! 3. Attempt numbers only grow.
//! 4. A task that has not ended and has no live lease can be claimed.
//! 5. No run goes on by itself. When runners stop coming, every held task is given back or ended
//!    by [`Command::Expire`] within one lease; a stopped run ends then, without any runner.
//!    A run that is not stopped waits for a runner as long as it has a pending task, which is
//!    claimed at most [`Policy::max_attempts`] times by runners that vanish or fail. So whoever
//!    gives up on runners must stop the run: nothing here ends a task that nobody has tried.
//! 6. Events replayed from nothing give the stored state.
//! 7. An acknowledged change is durable: that is for the store to hold.
//!
//! States that have ended never change. In particular a task whose last allowed attempt expired
//! has failed, and its late result is refused.
//!
//! # Time
//! `now` may jump. Backwards it can shorten no lease; forwards it may expire leases early, which
//! costs an attempt unless the runner completes before another claims.

mod absorb;
mod claim;
mod command;
mod decide;
mod policy;
mod replay;
mod run;
mod task;

pub use claim::{Claim, Idle, Queue, claim};
pub use command::{Caller, Command, Rejection};
pub use policy::Policy;
pub use replay::{Replay, ReplayError};
pub use run::Run;
pub use task::{AttemptEnd, AttemptRecord, StoredResult, Task};
