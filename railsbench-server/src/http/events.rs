//! The event stream of a run as server-sent events.
//!
//! The store is the only source: the stream asks it for what comes after the last event sent,
//! and sleeps until the store tells of a change. So nothing is lost or sent twice, however the
//! client comes and goes, and a slow client costs no more than one batch.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use futures::stream::unfold;
use railsbench_core::id::RunId;
use railsbench_core::protocol::EventRecord;
use serde::Deserialize;
use tokio::time::sleep;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::auth::Reader;
use super::claims::changed;
use super::extract::{Params, PathId};
use super::problem::ApiError;
use super::runs;
use crate::store::StoreError;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// How many events are read from the store at once.
const BATCH: u32 = 500;

/// How often a quiet stream is given a comment, so that nothing between takes it for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How often the store is asked even if it tells of no change.
const LOOK_EVERY: Duration = Duration::from_secs(5);

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(events))
}

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct From {
    /// Number of the last event already known; `Last-Event-ID` wins over it.
    after: Option<u64>,
}

/// Every event of a run, in order and without gaps, from the first one or the one after
/// `Last-Event-ID`; ends when the run has ended and all is sent. Each message has the event's
/// number as `id`, its name as `event` and an `EventRecord` as `data`.
#[utoipa::path(get, path = "/runs/{id}/events", tag = "runs", security(("bearer" = [])),
    params(("id" = String, Path, description = "The run"),
        ("Last-Event-ID" = Option<u64>, Header, description = "Number of the last event already known"),
        From),
    responses(
        (status = 200, body = EventRecord, content_type = "text/event-stream"),
        (status = 204, description = "The run has ended and all of its events are known"),
        (status = 400, description = "Last-Event-ID is not a number",
            body = railsbench_core::protocol::Problem, content_type = "application/problem+json")))]
async fn events(
    _: Reader,
    State(app): State<App>,
    PathId(run): PathId<RunId>,
    Params(from): Params<From>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let after = match headers.get(&LAST_EVENT_ID) {
        None => from.after.unwrap_or(0),
        Some(value) => {
            let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
            number
                .ok_or_else(|| ApiError::malformed("Last-Event-ID is not a number of an event"))?
        }
    };
    // Ended before, nothing new after: then nothing can come any more.
    let ended = runs::stored(&app, &run).await?.run.status.is_ended();
    let first = app.store.events(&run, after, BATCH).await?;
    if ended && first.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let follower = Follower { app, run, after, ready: first.into() };
    let messages = unfold(follower, |mut follower| async {
        follower.next().await.map(|record| (record, follower))
    })
    .map(|record| Ok::<_, Infallible>(message(&record)));
    Ok(Sse::new(messages).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

fn message(record: &EventRecord) -> Event {
    let data = serde_json::to_string(record)
        .expect("a record has text keys only and no number that JSON cannot hold");
    Event::default().id(record.seq.to_string()).event(record.event.kind.name()).data(data)
}

/// Reads a run's events as they come.
struct Follower {
    app: App,
    run: RunId,
    /// Number of the last event given out.
    after: u64,
    ready: VecDeque<EventRecord>,
}

impl Follower {
    /// The next event; `None` when no more will come, or the server ends.
    async fn next(&mut self) -> Option<EventRecord> {
        loop {
            if self.app.draining.is_cancelled() {
                return None;
            }
            if let Some(record) = self.ready.pop_front() {
                self.after = record.seq;
                return Some(record);
            }
            // Listen before looking: what happens in between is then not missed.
            let mut changes = self.app.store.changes();
            match self.look().await {
                Ok(true) => return None,
                Ok(false) if self.ready.is_empty() => tokio::select! {
                    () = changed(&mut changes, &self.run) => {}
                    () = sleep(LOOK_EVERY) => {}
                    () = self.app.draining.cancelled() => {}
                },
                Ok(false) => {}
                Err(error) => {
                    // The client comes back with the number of its last event.
                    tracing::error!(run = %self.run, %error, "an event stream broke off");
                    return None;
                }
            }
        }
    }

    /// Reads the next batch. Gives whether the stream is at its end.
    async fn look(&mut self) -> Result<bool, StoreError> {
        let run = self.app.store.run(&self.run).await?;
        let ended = run.is_none_or(|stored| stored.run.status.is_ended());
        self.ready = self.app.store.events(&self.run, self.after, BATCH).await?.into();
        Ok(ended && self.ready.is_empty())
    }
}
