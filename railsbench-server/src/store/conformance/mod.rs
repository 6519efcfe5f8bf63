//! What every [`Store`] must do, as a suite that any implementation can be put through.
//!
//! Each [`Case`] of [`CASES`] starts from an empty store and panics, saying what it found, if a
//! rule is broken. A store that is not ours is tested like this:
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use railsbench_server::store::{MemoryStore, Store, conformance};
//! # async fn all() {
//! for case in conformance::CASES {
//!     println!("{}", case.name);
//!     let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
//!     case.check(&store).await;
//! }
//! # }
//! ```
//!
//! A durable store should run a second time as a [`Subject`] that closes and opens it whenever
//! it is asked for: then every step of every case must have survived.

mod claims;
mod commands;
mod events;
mod fixture;
mod logs;
mod runs;
mod tokens;
mod workload;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;

use super::Store;

/// Something with a store that is put through the suite.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The store, with everything that was acknowledged so far in it. It is asked for anew
    /// before every step, and given back before the next.
    async fn store(&self) -> Arc<dyn Store>;
}

#[async_trait]
impl Subject for Arc<dyn Store> {
    async fn store(&self) -> Arc<dyn Store> {
        Arc::clone(self)
    }
}

/// One rule that is checked.
pub struct Case {
    /// What it proves, as a name.
    pub name: &'static str,
    run: for<'a> fn(&'a dyn Subject) -> BoxFuture<'a, ()>,
}

impl Case {
    /// Runs the case on an empty store.
    ///
    /// # Panics
    /// If the store breaks the rule.
    pub async fn check(&self, subject: &dyn Subject) {
        (self.run)(subject).await;
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

macro_rules! cases {
    ($($module:ident: $($name:ident),+;)+) => {
        &[$($(Case {
            name: stringify!($name),
            run: |subject| Box::pin($module::$name(subject)),
        }),+),+]
    };
}

/// All cases.
pub const CASES: &[Case] = cases! {
    runs:
        a_new_run_has_its_tasks_in_order,
        making_a_run_twice_gives_the_same_run,
        another_configuration_is_refused,
        one_of_many_that_make_the_same_run_makes_it,
        a_run_that_cannot_be_made_leaves_nothing,
        runs_are_paged_newest_first,
        tasks_are_paged_and_filtered,
        what_is_not_there_is_said_so,
        providers_of_others_are_kept,
        values_are_kept_exactly;
    claims:
        the_oldest_task_is_claimed_first,
        a_repeated_claim_gives_the_same_attempt,
        one_of_two_that_race_gets_the_task,
        many_runners_share_many_tasks,
        a_spare_waits_while_a_task_may_come_back,
        a_claim_takes_over_an_expired_lease,
        a_stopped_run_gives_no_work,
        runs_do_not_see_each_other;
    commands:
        heartbeats_renew_the_lease,
        an_expired_task_is_tried_again_until_its_budget_ends,
        leases_are_expired_oldest_first_and_bounded,
        a_late_completion_counts,
        an_older_attempt_is_refused,
        a_refused_command_changes_nothing,
        completing_twice_is_once,
        a_release_costs_no_attempt,
        failures_are_tried_again_if_they_may,
        stopping_cancels_what_is_free_and_tells_who_holds;
    events:
        events_are_paged_without_gaps,
        changes_are_told_once_they_can_be_read;
    logs:
        what_runners_say_is_kept_once_and_in_order,
        only_the_end_of_a_log_is_kept;
    tokens:
        tokens_are_kept_until_they_end,
        a_token_is_taken_once,
        a_token_with_an_owner_is_listed_until_it_is_revoked;
    workload:
        a_random_workload_replays_to_what_is_stored;
};
