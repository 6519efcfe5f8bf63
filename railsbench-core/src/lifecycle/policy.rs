//! The numbers that the rules are given.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::ProviderName;

/// Bounds for leases and attempts of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Policy {
    /// How long a lease lasts without a heartbeat.
    pub lease: Duration,
    /// How often a runner is asked to send one.
    pub heartbeat: Duration,
    /// How many failures end a task; at least 1.
    pub max_attempts: u32,
    /// How many idle runners per provider and instance type are kept waiting for a task that
    /// may come back.
    pub spares: u32,
    /// How long a waiting runner is told to wait before it asks again.
    pub retry_after: Duration,
}

impl Default for Policy {
    /// A heartbeat every 30 s, a lease of five of them, three attempts, one spare.
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(150),
            heartbeat: Duration::from_secs(30),
            max_attempts: 3,
            spares: 1,
            retry_after: Duration::from_secs(15),
        }
    }
}

impl Policy {
    /// The lease on machines of a provider: three times as long on Heroku, where a dyno may be
    /// restarted daily and is slow to come back. [`super::Task`] does this itself: it is given
    /// the policy of the run.
    #[must_use]
    pub fn for_provider(mut self, provider: &ProviderName) -> Self {
        if provider.as_str() == "heroku" {
            self.lease = self.lease.saturating_mul(3);
        }
        self
    }
}
