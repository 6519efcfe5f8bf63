//! Who has news: PostgreSQL tells every server, this one too, which run a commit has changed.
//!
//! One connection listens. If it breaks, news may be missed until another one listens; then
//! every run is told of, and whoever waits looks for itself.

use std::time::Duration;

use futures::future::poll_fn;
use railsbench_core::id::RunId;
use tokio::sync::broadcast;
use tokio::time::{sleep, timeout};
use tokio_postgres::{AsyncMessage, Client};
use tokio_util::task::AbortOnDropHandle;

use super::connection::Connector;
use super::failure::{Failure, explain};

/// Where changes are told; the message is the id of the run.
pub(super) const CHANNEL: &str = "railsbench_changes";

/// How often the connection is tried, and how long an answer may take.
const PULSE: Duration = Duration::from_secs(10);

/// The pause before another try to listen.
const PAUSE: Duration = Duration::from_millis(500);

/// A connection that listens.
pub(super) struct Listener {
    client: Client,
    driver: AbortOnDropHandle<Result<(), Failure>>,
}

impl Listener {
    /// When this returns, no later change is missed.
    pub(super) async fn start(
        connector: &Connector,
        changes: broadcast::Sender<RunId>,
    ) -> Result<Self, Failure> {
        let (client, mut connection) = connector.connect().await?;
        let driver = tokio::spawn(async move {
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notification(notice) = message?
                    && let Ok(run) = RunId::new(notice.payload())
                {
                    // Nobody may be listening.
                    let _ = changes.send(run);
                }
            }
            Ok(())
        });
        let listener = Self { client, driver: AbortOnDropHandle::new(driver) };
        listener.client.batch_execute(&format!("LISTEN {CHANNEL}")).await?;
        Ok(listener)
    }

    /// Tells of every run, because anything may have happened to it.
    async fn tell_all(&self, changes: &broadcast::Sender<RunId>) -> Result<(), Failure> {
        for row in self.client.query("SELECT id FROM railsbench.runs", &[]).await? {
            if let Ok(run) = RunId::new(row.try_get::<_, String>(0)?) {
                let _ = changes.send(run);
            }
        }
        Ok(())
    }

    /// Listens until the connection breaks or falls silent.
    async fn listen(mut self) -> Result<(), Failure> {
        loop {
            tokio::select! {
                ended = &mut self.driver => return ended.unwrap_or(Ok(())),
                () = sleep(PULSE) => {}
            }
            let pulse = self.client.batch_execute("");
            timeout(PULSE, pulse).await.map_err(|_| Failure::Silent)??;
        }
    }
}

/// Listens for ever.
pub(super) async fn follow(
    mut listener: Listener,
    connector: Connector,
    changes: broadcast::Sender<RunId>,
) {
    loop {
        let cause = match listener.listen().await {
            Err(Failure::Engine(error)) => explain(&error),
            Err(_) | Ok(()) => "the connection ended".to_owned(),
        };
        tracing::warn!(cause, "the database tells of no changes");
        listener = loop {
            sleep(PAUSE).await;
            let Ok(listener) = Listener::start(&connector, changes.clone()).await else { continue };
            if listener.tell_all(&changes).await.is_ok() {
                break listener;
            }
        };
        tracing::info!("the database tells of changes again");
    }
}
