//! An emulator of the Azure Resource Manager: it keeps state, refuses what Azure would refuse,
//! goes on after its answers as Azure does, and fails on demand.

// A refusal is an answer as it is.
#![allow(clippy::result_large_err)]

mod answer;
mod faults;
mod groups;
mod lists;
mod operations;
mod resources;
mod rules;
mod schema;
mod sizes;
mod tokens;
mod world;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Request as HttpRequest, Response};
use serde_json::Value;
use tokio::sync::Notify;

pub use answer::{Answer, Request};
pub use faults::{Fault, Trouble};
pub use rules::Resources;
pub use world::{SUBSCRIPTION, World};

/// Longer than any call is waited for.
const SILENCE: Duration = Duration::from_mins(10);

/// An emulated Resource Manager on a port of its own. It ends with the test's runtime.
#[derive(Clone)]
pub struct Emulator {
    url: String,
    world: Arc<Mutex<World>>,
    halt: Arc<Halt>,
}

/// Where the emulator stops to answer: after how many changing calls, and whether the last of
/// them has its effect.
#[derive(Default)]
struct Halt {
    at: Mutex<Option<(usize, bool)>>,
    reached: Notify,
}

impl Emulator {
    /// Starts one in which there is nothing.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let emulator = Self {
            world: Arc::new(Mutex::new(World::new(url.clone()))),
            url,
            halt: Arc::default(),
        };
        let router = Router::new().fallback(serve).with_state(emulator.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        emulator
    }

    /// Its base URL, also that of its token and metadata services.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What exists.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Lets something go wrong.
    pub fn fails(&self, fault: Fault) {
        self.world().faults.push(fault);
    }

    /// No answer comes from the changing call of this number on, counted from 0; that one has its
    /// effect, or has not.
    pub fn halt_at(&self, number: usize, with_effect: bool) {
        *self.halt.at.lock().unwrap() = Some((number, with_effect));
    }

    /// Waits until it has come to that.
    pub async fn halted(&self) {
        self.halt.reached.notified().await;
    }

    /// Answers again.
    pub fn go_on(&self) {
        *self.halt.at.lock().unwrap() = None;
    }

    /// How often a call was made whose path ends so.
    pub fn count(&self, method: &str, path: &str) -> usize {
        let world = self.world();
        world.calls.iter().filter(|(m, p, _)| m == method && p.ends_with(path)).count()
    }

    /// Whether there is no group and nothing in one.
    pub fn is_empty(&self) -> bool {
        let world = self.world();
        world.groups.is_empty() && world.resources.is_empty()
    }

    /// The machines that are there.
    pub fn machines(&self) -> Vec<Value> {
        let world = self.world();
        let all = world.resources.values();
        all.filter(|item| item["type"] == "Microsoft.Compute/virtualMachines").cloned().collect()
    }

    /// What a machine of [`Self::machines`] was told to run at its start.
    pub fn script(machine: &Value) -> String {
        rules::script_of(machine)
    }

    /// The number of changing calls so far, and that of this one.
    fn halts(&self, request: &Request) -> Option<bool> {
        let changes = matches!(request.method.as_str(), "PUT" | "DELETE")
            && request.path.starts_with("/subscriptions/");
        let at = &mut *self.halt.at.lock().unwrap();
        match at {
            // The process that calls is taken to be dead from here on.
            Some((usize::MAX, _)) => Some(false),
            Some((0, with_effect)) if changes => {
                let with_effect = *with_effect;
                *at = Some((usize::MAX, false));
                Some(with_effect)
            }
            Some((left, _)) if changes => {
                *left -= 1;
                None
            }
            _ => None,
        }
    }
}

async fn serve(State(emulator): State<Emulator>, request: HttpRequest<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let header = |name: &str, headers: &HeaderMap| {
        headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    let query = head.uri.query().unwrap_or_default();
    let request = Request {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: serde_urlencoded::from_str::<HashMap<String, String>>(query).unwrap(),
        bearer: header("authorization", &head.headers)
            .and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned)),
        metadata: header("metadata", &head.headers),
        body: to_bytes(body, 1 << 20).await.unwrap().to_vec(),
    };
    if let Some(with_effect) = emulator.halts(&request) {
        if with_effect {
            let _ = emulator.world().answer(&request);
        }
        emulator.halt.reached.notify_one();
        tokio::time::sleep(SILENCE).await;
    }
    let latency = emulator.world().latency;
    tokio::time::sleep(latency).await;
    let (answer, silent) = emulator.world().answer(&request);
    if silent {
        tokio::time::sleep(SILENCE).await;
    }
    respond(answer)
}

fn respond(answer: Answer) -> Response<Body> {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let body = match (answer.text, answer.body) {
        (Some(text), _) => text,
        (None, Value::Null) => String::new(),
        (None, body) => body.to_string(),
    };
    response.body(Body::from(body)).unwrap()
}
