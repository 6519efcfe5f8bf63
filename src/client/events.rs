//! Following the events of a run over connections that break.

use std::time::Duration;

use eventsource_stream::{Event, Eventsource};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use railsbench_core::id::RunId;
use railsbench_core::protocol::{EventKind, EventRecord};
use secrecy::ExposeSecret;

use super::OperatorClient;
use super::error::{ClientError, accept};

/// How often a broken event stream is taken up again before the follower gives up.
const RECONNECTS: u32 = 20;

/// Longest wait before a broken event stream is taken up again.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What comes over one connection.
type Messages = BoxStream<'static, Result<Event, String>>;

/// A run's event stream, which is taken up again where it broke.
pub(super) struct Follower {
    client: OperatorClient,
    run_id: RunId,
    last: u64,
    stream: Option<Messages>,
    failures: u32,
    ended: bool,
}

impl Follower {
    /// Follows the events after that of a number.
    pub(super) fn new(client: OperatorClient, run_id: RunId, after: u64) -> Self {
        Self { client, run_id, last: after, stream: None, failures: 0, ended: false }
    }

    pub(super) fn into_stream(self) -> BoxStream<'static, Result<EventRecord, ClientError>> {
        futures::stream::unfold(self, |mut follower| async move {
            follower.next().await.map(|item| (item, follower))
        })
        .boxed()
    }

    async fn open(&mut self) -> Result<Messages, ClientError> {
        let client = &self.client;
        let url = client.address(&["runs", self.run_id.as_str(), "events"])?;
        let response = client
            .http
            .get(url)
            .bearer_auth(client.api_key.expose_secret())
            .header("Last-Event-ID", self.last.to_string())
            .header("Accept", "text/event-stream")
            .send()
            .await
            .map_err(|error| client.unreachable(error))?;
        let response = accept(response, "GET /runs/{id}/events").await?;
        Ok(response.bytes_stream().eventsource().map_err(|error| error.to_string()).boxed())
    }

    async fn next(&mut self) -> Option<Result<EventRecord, ClientError>> {
        loop {
            if self.ended {
                return None;
            }
            if let Some(stream) = &mut self.stream {
                match stream.next().await {
                    Some(Ok(event)) => match self.read(&event.data) {
                        Some(item) => return Some(item),
                        None => continue,
                    },
                    Some(Err(detail)) => {
                        tracing::debug!(detail, "the event stream broke");
                        self.stream = None;
                    }
                    None => self.stream = None,
                }
                self.wait().await;
            }
            match self.open().await {
                Ok(stream) => self.stream = Some(stream),
                Err(error) if error.is_passing() && self.failures < RECONNECTS => {
                    self.wait().await;
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
    }

    /// Counts a failure and waits the longer, the more there were.
    async fn wait(&mut self) {
        let wait = Duration::from_millis(100) * 2u32.saturating_pow(self.failures.min(10));
        self.failures += 1;
        tokio::time::sleep(wait.min(LONGEST_WAIT)).await;
    }

    /// An event, unless it was seen before the stream broke.
    fn read(&mut self, data: &str) -> Option<Result<EventRecord, ClientError>> {
        let record = match serde_json::from_str::<EventRecord>(data) {
            Ok(record) => record,
            Err(error) => {
                self.ended = true;
                return Some(Err(ClientError::Answer {
                    call: "GET /runs/{id}/events".to_owned(),
                    detail: error.to_string(),
                }));
            }
        };
        if record.seq <= self.last {
            return None;
        }
        self.last = record.seq;
        self.failures = 0;
        if let EventKind::RunStatusChanged { status } = &record.event.kind {
            self.ended = status.is_ended();
        }
        Some(Ok(record))
    }
}
