//! Ends leases that have run out, so that no task waits for a runner that is gone, and sweeps
//! away connectivity probes.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::{Instant, MissedTickBehavior};

use crate::artifacts::{ArtifactError, ArtifactKey};
use crate::http::App;

/// How many leases are ended in one transaction.
const BATCH: u32 = 500;

/// How often old probes are looked for.
const SWEEP_EVERY: Duration = Duration::from_mins(10);

/// How long a probe is kept.
const PROBE_AGE: SignedDuration = SignedDuration::from_hours(1);

/// Reaps until the server drains.
pub(crate) async fn run(app: App, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut swept = Instant::now();
    loop {
        tokio::select! {
            () = app.draining.cancelled() => return,
            _ = ticks.tick() => {}
        }
        expire(&app).await;
        if swept.elapsed() >= SWEEP_EVERY {
            swept = Instant::now();
            if let Err(error) = sweep_probes(&app).await {
                tracing::warn!(%error, "cannot remove old connectivity probes");
            }
        }
    }
}

async fn expire(app: &App) {
    loop {
        match app.store.expire(app.clock.now(), BATCH).await {
            Ok(0) => return,
            Ok(leases) => {
                tracing::info!(leases, "leases ran out");
                app.metrics.count_expired(leases);
                if leases < BATCH {
                    return;
                }
            }
            Err(error) => {
                tracing::error!(%error, "cannot look for expired leases");
                return;
            }
        }
    }
}

async fn sweep_probes(app: &App) -> Result<(), ArtifactError> {
    let now = app.clock.now();
    for probe in app.artifacts.list(&ArtifactKey::new("connectivity")?).await? {
        if now.duration_since(probe.modified_at) > PROBE_AGE {
            app.artifacts.delete(&probe.key).await?;
        }
    }
    Ok(())
}
