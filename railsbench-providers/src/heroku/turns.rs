//! Who may change an app: provisions of one run share it, and come at the same time.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// One turn at a time for each app.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// Waits for the turn at all of these apps, and keeps it until what is given is dropped.
    pub(super) async fn take(&self, apps: &BTreeSet<String>) -> Vec<OwnedMutexGuard<()>> {
        let mut turns = Vec::new();
        // In their order, so that no two wait for each other.
        for app in apps {
            let turn = {
                let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                Arc::clone(all.entry(app.clone()).or_default())
            };
            turns.push(turn.lock_owned().await);
        }
        turns
    }
}
