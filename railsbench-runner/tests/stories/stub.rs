//! A strict stub of the orchestrator and its artifact store: everything that a runner may not
//! do is a violation, and a test ends by asserting that there was none.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Json, Response};
use railsbench_core::protocol::{ReleaseRequest, UploadsRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Notify;

pub use crate::rules::{Call, Fault, World};
use crate::rules::{acknowledged, problem};

pub const TOKEN: &str = "run-token-s3cret";
pub const RUN: &str = "r1";

/// The running stub.
#[derive(Clone)]
pub struct Stub {
    world: Arc<Mutex<World>>,
    changed: Arc<Notify>,
    pub address: SocketAddr,
}

impl Stub {
    pub fn start(world: World) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        Self::start_on(listener, world)
    }

    pub fn start_on(listener: std::net::TcpListener, world: World) -> Self {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let stub = Self {
            world: Arc::new(Mutex::new(world)),
            changed: Arc::new(Notify::new()),
            address: listener.local_addr().unwrap(),
        };
        let router = Router::new().fallback(handle).with_state(stub.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        stub
    }

    pub fn url(&self) -> String {
        format!("http://{}/base", self.address)
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Waits until the world is as wanted.
    pub async fn until(&self, what: &str, wanted: impl Fn(&World) -> bool) {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                if wanted(&self.world()) {
                    return;
                }
                changed.await;
            }
        };
        let happened = tokio::time::timeout(Duration::from_mins(1), wait).await.is_ok();
        assert!(happened, "never happened: {what}; calls: {:#?}", self.names());
    }

    /// Names of all calls so far, without heartbeats, whose number depends on time.
    pub fn names(&self) -> Vec<&'static str> {
        self.world()
            .calls
            .iter()
            .map(|call| call.name)
            .filter(|name| *name != "heartbeat")
            .collect()
    }

    pub fn bodies(&self, name: &str) -> Vec<Value> {
        let world = self.world();
        world.calls.iter().filter(|call| call.name == name).map(|call| call.body.clone()).collect()
    }

    pub fn assert_no_violation(&self) {
        let world = self.world();
        assert!(world.violations.is_empty(), "{:#?}\n{:#?}", world.violations, world.calls);
    }
}

/// A heartbeat that is being answered; no two of one attempt may be at once.
struct InFlight {
    stub: Stub,
    attempt: String,
}

impl InFlight {
    fn enter(stub: &Stub, bytes: &Bytes) -> Self {
        let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let attempt = body["attempt"].to_string();
        let mut world = stub.world();
        let count = world.heartbeats_in_flight.entry(attempt.clone()).or_default();
        *count += 1;
        if *count > 1 {
            world.violation("two heartbeats at once");
        }
        drop(world);
        Self { stub: stub.clone(), attempt }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        *self.stub.world().heartbeats_in_flight.get_mut(&self.attempt).unwrap() -= 1;
    }
}

async fn handle(
    State(stub): State<Stub>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let name = match (method.as_str(), segments.as_slice()) {
        ("POST", ["base", "runs", RUN, "tasks", "claim"]) => "claim",
        ("POST", ["base", "tasks", _, "heartbeat"]) => "heartbeat",
        ("POST", ["base", "tasks", _, "uploads"]) => "uploads",
        ("POST", ["base", "tasks", _, "complete"]) => "complete",
        ("POST", ["base", "tasks", _, "fail"]) => "fail",
        ("POST", ["base", "tasks", _, "release"]) => "release",
        ("PUT", ["base", "put", _, "result"]) => "put result",
        ("PUT", ["base", "put", _, "error"]) => "put error",
        _ => {
            stub.world().violation(format!("{method} {uri} is no call"));
            return problem(404, "no such call");
        }
    };
    let in_flight = (name == "heartbeat").then(|| InFlight::enter(&stub, &bytes));
    if in_flight.is_some() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let answer = answer(&stub, name, &segments, &headers, &bytes);
    stub.changed.notify_waiters();
    answer
}

fn answer(
    stub: &Stub,
    name: &'static str,
    segments: &[&str],
    headers: &HeaderMap,
    bytes: &Bytes,
) -> Response {
    let mut world = stub.world();
    let world = &mut *world;
    let is_upload = name.starts_with("put");
    let body = if is_upload { json!(bytes.len()) } else { json_body(world, headers, bytes) };
    world.calls.push(Call { name, body: body.clone() });
    let fault = world.faults.get_mut(name).and_then(VecDeque::pop_front);
    match &fault {
        Some(Fault::Status(status)) => return problem(*status, "a fault of the test"),
        Some(Fault::Garbage(text)) => return text.into_response(),
        Some(Fault::Redirect(place)) => {
            return (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, *place)]).into_response();
        }
        Some(Fault::Expire) => {
            world.expired.insert(segments[2].parse().unwrap());
            return (StatusCode::FORBIDDEN, "<Error><Code>AccessDenied</Code></Error>")
                .into_response();
        }
        Some(Fault::LoseAnswer) | None => {}
    }
    let answer = match name {
        "claim" => {
            let request = typed(world, &body);
            request.map(|request| world.claim(stub.address, request))
        }
        "heartbeat" => typed(world, &body).map(|request| world.heartbeat(segments[2], &request)),
        "uploads" => typed(world, &body).map(|request: UploadsRequest| {
            world.check_holder(name, segments[2], request.runner_id.as_ref(), request.attempt);
            Json(world.urls(stub.address)).into_response()
        }),
        "complete" => typed(world, &body).map(|request| world.complete(segments[2], &request)),
        "fail" => typed(world, &body).map(|request| world.fail(segments[2], &request)),
        "release" => typed(world, &body).map(|request: ReleaseRequest| {
            world.check_holder(name, segments[2], request.runner_id.as_ref(), request.attempt);
            world.active = None;
            Json(acknowledged()).into_response()
        }),
        _ => Some(world.put(segments[2], segments[3], headers, bytes)),
    };
    match (fault, answer) {
        (Some(Fault::LoseAnswer), _) => problem(502, "the answer was lost"),
        (_, Some(answer)) => answer,
        (_, None) => problem(422, "the body is not of its type"),
    }
}

fn json_body(world: &mut World, headers: &HeaderMap, bytes: &Bytes) -> Value {
    let bearer = format!("Bearer {TOKEN}");
    if headers.get(header::AUTHORIZATION).is_none_or(|value| value != bearer.as_str()) {
        world.violation("a call without the token");
    }
    if headers.get(header::CONTENT_TYPE).is_none_or(|value| value != "application/json") {
        world.violation("a call whose body is not called JSON");
    }
    serde_json::from_slice(bytes).unwrap_or_else(|error| {
        world.violation(format!("a body that is not JSON: {error}"));
        Value::Null
    })
}

/// The body as its type; one with other fields than the type has is a violation.
fn typed<T: DeserializeOwned + Serialize>(world: &mut World, body: &Value) -> Option<T> {
    match serde_json::from_value::<T>(body.clone()) {
        Ok(typed) => {
            if serde_json::to_value(&typed).unwrap() != *body {
                world.violation(format!("a body with unknown fields: {body}"));
            }
            Some(typed)
        }
        Err(error) => {
            world.violation(format!("a body of another type: {error} in {body}"));
            None
        }
    }
}
