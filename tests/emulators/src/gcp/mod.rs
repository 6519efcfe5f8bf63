//! An emulated Compute Engine: it keeps state, refuses whatever Google's own description of its
//! interface does not allow, and goes wrong on request.

mod faults;
mod lists;
mod offers;
mod schema;
mod world;

use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};

pub use faults::{Death, Fault, Wrong};
pub use schema::{Call, methods};
pub use world::{Thing, World};

/// The token that it takes.
pub const TOKEN: &str = "ya29.a-token";

/// The project that it has.
pub const PROJECT: &str = "bench-1";

/// A refusal: status, reason, message.
pub type Refusal = (u16, &'static str, String);

/// An emulated Compute Engine on a port of its own. It ends with the test's runtime.
#[derive(Clone)]
pub struct Emulator {
    url: String,
    world: Arc<Mutex<World>>,
}

impl Emulator {
    /// Starts one in which there is nothing.
    pub async fn start() -> Self {
        let world = Arc::new(Mutex::new(World::default()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/compute/v1/", listener.local_addr().unwrap());
        let emulator = Self { url, world };
        let router = axum::Router::new().fallback(answer).with_state(emulator.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        emulator
    }

    /// The endpoint of its Compute Engine. Its token and metadata services are on the same host.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What exists.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Lets something go wrong.
    pub fn fault(&self, fault: Fault) {
        self.world().faults.push(fault);
    }

    /// The methods that were called, in order, of those that hold this text.
    pub fn calls(&self, method: &str) -> Vec<String> {
        let calls = self.world().calls.clone();
        calls.into_iter().filter(|call| call.contains(method)).collect()
    }
}

async fn answer(
    State(emulator): State<Emulator>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(answer) = token(&uri, &headers, &body) {
        return answer;
    }
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if authorization != Some(&format!("Bearer {TOKEN}")) {
        return refused((401, "authError", "Invalid Credentials".to_owned()), None);
    }
    let query = uri.query().unwrap_or_default();
    let call = match schema::check(method.as_str(), uri.path(), query, &body) {
        Ok(call) => call,
        Err(problem) => {
            emulator.world().offences.push(problem.clone());
            return refused((400, "invalid", problem), None);
        }
    };
    let number = {
        let mut world = emulator.world();
        world.calls.push(format!("{} {}", call.method, uri.path()));
        world.calls.len()
    };
    let latency = emulator.world().latency;
    tokio::time::sleep(latency).await;
    die(&emulator, number, false).await;
    let wrong = emulator.world().next_fault(&call.method, uri.path());
    let result = match &wrong {
        Some(Wrong::Refused { status, reason, message, retry_after }) => {
            return refused((*status, reason, (*message).to_owned()), *retry_after);
        }
        Some(Wrong::OperationFails(code)) => Ok(emulator.world().failed_operation(&call, code)),
        Some(Wrong::LateAnswer(_)) | None => emulator.world().answer(&call),
    };
    die(&emulator, number, true).await;
    if let Some(Wrong::LateAnswer(late)) = wrong {
        tokio::time::sleep(late).await;
    }
    match result {
        Ok(answer) => Json(answer).into_response(),
        Err(refusal) => refused(refusal, None),
    }
}

/// The services that give tokens: Google's own for a logged-in user, and the metadata server.
fn token(uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Option<Response> {
    let good = match uri.path() {
        "/token" => {
            let asked: Value = serde_json::from_slice(body).unwrap_or_default();
            asked["grant_type"] == "refresh_token" && asked["refresh_token"] == "good"
        }
        "/computeMetadata/v1/instance/service-accounts/default/token" => {
            headers.get("metadata-flavor").is_some_and(|flavor| flavor == "Google")
        }
        _ => return None,
    };
    Some(if good {
        let token = json!({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"});
        Json(token).into_response()
    } else {
        let error = json!({"error": "invalid_grant", "error_description": "it has been revoked"});
        (StatusCode::BAD_REQUEST, Json(error)).into_response()
    })
}

fn refused((status, reason, message): Refusal, retry_after: Option<u64>) -> Response {
    let body = json!({"error": {
        "code": status, "message": message,
        "errors": [{"message": message, "domain": "global", "reason": reason}],
    }});
    let status = StatusCode::from_u16(status).unwrap();
    let mut response = (status, Json::<Value>(body)).into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.to_string().parse().unwrap());
    }
    response
}

/// Kills the process that calls, if its time has come, and never answers it.
async fn die(emulator: &Emulator, number: usize, after_effect: bool) {
    let death = emulator.world().death;
    let due = |death: &Death| death.call == number && death.after_effect == after_effect;
    if let Some(death) = death.filter(due) {
        let process = death.process.to_string();
        std::process::Command::new("kill").args(["-KILL", &process]).status().unwrap();
        std::future::pending::<()>().await;
    }
}
