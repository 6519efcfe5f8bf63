//! An emulated Heroku on this host: it keeps state, takes only requests that the published
//! interface allows, gives only answers that it promises, and fails as it is told to.

mod answer;
mod builds;
mod dynos;
mod faults;
mod rules;
mod schema;
mod world;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

pub use answer::Refused;
use answer::refused;
pub use builds::Build;
pub use faults::{Fault, Kind};
pub use rules::sha256;
use schema::Link;
pub use world::{App, Dyno, OPERATOR, World};

/// The emulated Heroku.
#[derive(Clone)]
pub struct Emulator {
    shared: Arc<Shared>,
}

struct Shared {
    world: Mutex<World>,
    faults: Mutex<Vec<Fault>>,
    /// Method and path of every call so far.
    calls: Mutex<Vec<String>>,
    /// What railsbench did that Heroku would not take.
    mistakes: Mutex<Vec<String>>,
    base: String,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Emulator {
    /// Starts one where dynos are up for as long as nobody says otherwise.
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// Starts one whose dynos are processes of this host, with their files in `folder`.
    pub async fn start_with_processes(folder: &Path) -> Self {
        Self::start_with(Some(folder)).await
    }

    async fn start_with(folder: Option<&Path>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let world = World {
            apps: BTreeMap::new(),
            ghosts: BTreeMap::new(),
            uploads: BTreeMap::new(),
            verified: true,
            calls_left: 4500,
            build_looks: 1,
            build_output: None,
            lag: 0,
            keeps: false,
            page: 1000,
            latency: Duration::ZERO,
            folder: folder.map(Path::to_owned),
            base: base.clone(),
            next: 0,
        };
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            faults: Mutex::default(),
            calls: Mutex::default(),
            mistakes: Mutex::default(),
            base,
        });
        let router = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { shared }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        self.shared.base.clone()
    }

    /// What exists.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.shared.world)
    }

    /// Lets something go wrong.
    pub fn break_with(&self, fault: Fault) {
        lock(&self.shared.faults).push(fault);
    }

    /// Lets nothing go wrong any more.
    pub fn mend(&self) {
        lock(&self.shared.faults).clear();
    }

    /// Method and path of every call so far.
    pub fn calls(&self) -> Vec<String> {
        lock(&self.shared.calls).clone()
    }

    /// Fails if railsbench did what Heroku would not take.
    pub fn assert_no_mistakes(&self) {
        let mistakes = lock(&self.shared.mistakes);
        assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
    }
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let method = parts.method.as_str().to_owned();
    let path = parts.uri.path().to_owned();
    let body = axum::body::to_bytes(body, 1 << 24).await.unwrap();
    let latency = lock(&shared.world).latency;
    tokio::time::sleep(latency).await;
    lock(&shared.calls).push(format!("{method} {path}"));
    let struck = lock(&shared.faults)
        .iter_mut()
        .find_map(|fault| fault.strikes(&method, &path).then(|| fault.kind.clone()));
    match struck {
        Some(Kind::Refuse { status, id, message, retry_after }) => {
            let mut answer = respond(Err(refused(status, id, message)), 0);
            if let Some(seconds) = retry_after {
                answer.headers_mut().insert("retry-after", seconds.into());
            }
            answer
        }
        Some(Kind::Swallow) => silence(),
        Some(Kind::KillBefore(process)) => {
            kill(process);
            silence()
        }
        Some(Kind::LoseAnswer) => {
            handle(&shared, &method, &path, &parts.uri.to_string(), &parts.headers, &body);
            silence()
        }
        Some(Kind::KillAfter(process)) => {
            handle(&shared, &method, &path, &parts.uri.to_string(), &parts.headers, &body);
            kill(process);
            silence()
        }
        None => handle(&shared, &method, &path, &parts.uri.to_string(), &parts.headers, &body),
    }
}

/// Breaks the connection without an answer.
fn silence() -> ! {
    std::panic::resume_unwind(Box::new("no answer"))
}

fn kill(process: u32) {
    // The killed process is found by whoever waits for it.
    let status = std::process::Command::new("kill").args(["-KILL", &process.to_string()]).status();
    assert!(status.unwrap().success(), "kill of {process}");
}

fn handle(
    shared: &Shared,
    method: &str,
    path: &str,
    uri: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> Response {
    let mut world = lock(&shared.world);
    if let Some(answer) = storage(&mut world, method, path, uri, headers, body) {
        return answer;
    }
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let mistake = |what: String| {
        lock(&shared.mistakes).push(format!("{method} {path}: {what}"));
        respond(Err(refused(400, "bad_request", &what)), 0)
    };
    if header("accept") != Some("application/vnd.heroku+json; version=3") {
        return mistake(format!("accept is {:?}", header("accept")));
    }
    if header("authorization") != Some(&format!("Bearer {OPERATOR}")) {
        return respond(Err(refused(401, "unauthorized", "Invalid credentials provided.")), 0);
    }
    let body: Value =
        if body.is_empty() { Value::Null } else { serde_json::from_slice(body).unwrap() };
    let link = match Link::find(method, path) {
        Ok(link) => link,
        Err(problem) => return mistake(problem),
    };
    if let Err(problem) = link.check_request(&body) {
        return mistake(problem);
    }
    world.calls_left = world.calls_left.saturating_sub(1);
    let left = world.calls_left;
    let answer = answer(&mut world, method, path, &body);
    if let Ok(answer) = &answer
        && let Err(problem) = link.check_answer(answer)
    {
        return mistake(format!("the emulator's own answer: {problem}"));
    }
    match answer {
        Ok(Value::Array(list)) if path.ends_with("apps") => {
            page(&list, world.page, header("range"), left)
        }
        answer => respond(answer, left),
    }
}

fn answer(world: &mut World, method: &str, path: &str, body: &Value) -> Result<Value, Refused> {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match (method, parts.as_slice()) {
        ("GET", ["account"]) => Ok(json!({
            "id": "01234567-89ab-cdef-0123-456789abcdef",
            "email": "me@example.com",
            "verified": world.verified,
            "suspended_at": null,
            "delinquent_at": null,
        })),
        ("GET", ["apps"]) => Ok(world.list(None).into()),
        ("GET", ["teams", team, "apps"]) => Ok(world.list(Some(team)).into()),
        ("POST", ["apps"] | ["teams", "apps"]) => world.create(body),
        ("GET", ["apps", app]) => {
            world.app(app)?;
            Ok(world.show(app))
        }
        ("DELETE", ["apps", app]) => world.delete(app),
        ("GET", ["apps", app, "config-vars"]) => Ok(json!(world.app(app)?.vars)),
        ("PATCH", ["apps", app, "config-vars"]) => world.set_vars(app, body),
        ("POST", ["apps", app, "sources"]) => world.source(app),
        ("POST", ["apps", app, "builds"]) => world.start_build(app, body),
        ("GET", ["apps", app, "builds"]) => {
            let ids: Vec<String> =
                world.app(app)?.builds.iter().map(|build| build.id.clone()).collect();
            ids.iter().map(|id| world.show_build(app, id)).collect()
        }
        ("GET", ["apps", app, "builds", build]) => {
            world.advance_builds(app)?;
            world.show_build(app, build)
        }
        ("GET", ["apps", app, "formation"]) => world.formation(app),
        ("PATCH", ["apps", app, "formation"]) => world.scale(app, body),
        ("GET", ["apps", app, "dynos"]) => world.dynos(app),
        ("POST", ["apps", app, "log-sessions"]) => {
            world.app(app)?;
            let dyno = body["dyno_name"].as_str().unwrap_or_default();
            let url = format!("{}/streams/log/{app}/{dyno}?token=secret", world.base);
            Ok(json!({"id": "01234567-89ab-cdef-0123-456789abcdef", "logplex_url": url}))
        }
        ("GET", ["dyno-sizes", size]) => facts(size),
        ("GET", ["stacks", "heroku-24"]) => Ok(json!({"name": "heroku-24", "state": "public"})),
        ("GET", ["regions"]) => {
            Ok(["us", "eu", "virginia"].map(|name| json!({"name": name})).to_vec().into())
        }
        ("GET", ["regions", region @ ("us" | "eu" | "virginia")]) => {
            Ok(json!({"name": region, "private_capable": *region == "virginia"}))
        }
        ("GET", ["teams", "crew"]) => Ok(json!({"name": "crew", "role": "admin"})),
        ("GET", ["teams", "guests"]) => Ok(json!({"name": "guests", "role": "collaborator"})),
        ("GET", ["spaces", space @ ("quiet" | "vault" | "young")]) => Ok(json!({
            "name": space,
            "state": if *space == "young" { "allocating" } else { "allocated" },
            "shield": *space == "vault",
        })),
        _ => Err(refused(404, "not_found", "Couldn't find that.")),
    }
}

fn facts(size: &str) -> Result<Value, Refused> {
    let known =
        ["eco", "basic", "standard-1x", "standard-2x", "performance-l", "private-s", "shield-s"];
    if !known.contains(&size) {
        return Err(refused(404, "not_found", "Couldn't find that dyno size."));
    }
    Ok(json!({"name": size, "architecture": "amd64", "memory": 0.5}))
}

/// The store for sources, and the streams of builds and logs: no part of the interface.
fn storage(
    world: &mut World,
    method: &str,
    path: &str,
    uri: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> Option<Response> {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let answer = match (method, parts.as_slice()) {
        ("PUT", ["storage", _]) => {
            assert!(headers.get("content-type").is_none(), "the signature is for no content type");
            let url = format!("{}{uri}", world.base);
            world.uploads.insert(url, body.to_vec());
            "".into_response()
        }
        ("GET", ["streams", "build", _]) => world.build_output.unwrap_or_default().into_response(),
        ("GET", ["streams", "log", app, dyno]) => {
            world.log(app, dyno).unwrap_or_default().into_response()
        }
        _ => return None,
    };
    assert!(headers.get("authorization").is_none(), "the operator's token went to {path}");
    Some(answer)
}

fn page(list: &[Value], size: usize, range: Option<&str>, left: u32) -> Response {
    let start = range
        .and_then(|range| range.strip_prefix("name ]"))
        .and_then(|range| range.split("..").next())
        .map_or(0, |last| {
            list.iter().position(|app| app["name"] == last).map_or(list.len(), |place| place + 1)
        });
    let end = list.len().min(start + size);
    let more = end < list.len();
    let shown = list[start..end].to_vec();
    let next = shown
        .last()
        .and_then(|app| app["name"].as_str())
        .map(|name| format!("name ]{name}..; max={size}"));
    let mut answer = respond(Ok(shown.into()), left);
    if let Some(next) = next.filter(|_| more) {
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
        answer.headers_mut().insert("next-range", next.parse().unwrap());
    }
    answer
}

fn respond(answer: Result<Value, Refused>, left: u32) -> Response {
    let (status, body) = match answer {
        Ok(body) => (200, body),
        Err(refused) => (refused.status, refused.body),
    };
    let mut response = (StatusCode::from_u16(status).unwrap(), body.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert("content-type", "application/json".parse().unwrap());
    headers.insert("ratelimit-remaining", left.into());
    response
}
