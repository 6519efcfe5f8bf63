//! A proxy before moto: writes down each call, does what EC2 does and moto does not, and fails
//! in the ways that a test asks for.

use std::collections::HashMap;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use reqwest::Url;

use super::calls::Call;
use super::effect::refuse;
use crate::Machines;
use crate::moto::http;

/// What a call gets instead of moto's answer.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This status and error code, and no effect.
    Refuse(u16, &'static str),
    /// The effect, and an answer that breaks off.
    LoseAnswer,
    /// No effect, and an answer that breaks off.
    LoseCall,
    /// A list with nothing in it, as after a change that EC2 does not show yet.
    Nothing,
}

type Matches = Box<dyn Fn(&Call) -> bool + Send>;

struct Rule {
    matches: Matches,
    fault: Fault,
    left: usize,
}

/// When to kill a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the call has its effect.
    Before,
    /// After that, and before its answer.
    After,
}

#[derive(Default)]
pub(super) struct Shared {
    calls: Vec<Call>,
    rules: Vec<Rule>,
    /// By region and token: the call that used it first, and the instance it made.
    pub(super) tokens: HashMap<(String, String), (Bytes, String)>,
    /// The zones that offer an instance type, where not moto's own list holds.
    pub(super) offers: HashMap<String, Vec<String>>,
    pub(super) quota: Option<f64>,
    kill: Option<(usize, Moment)>,
    victim: Option<u32>,
    latency: Duration,
    /// By region and id, as `us-east-1/i-0123`.
    pub(super) machines: Machines,
}

pub(super) struct Front {
    pub(super) moto: Url,
    pub(super) http: reqwest::Client,
    pub(super) shared: Mutex<Shared>,
}

/// The running proxy. It ends with the test's runtime.
#[derive(Clone)]
pub struct Proxy {
    /// Where it answers; the endpoint to give to clients.
    pub url: Url,
    proxy: Arc<Front>,
}

impl Proxy {
    /// Starts one before the moto at this URL.
    pub async fn start(moto: Url) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let proxy = Arc::new(Front { moto, http: http(), shared: Mutex::default() });
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&proxy));
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, proxy }
    }

    /// The next `times` calls of this kind fail.
    pub fn fail(
        &self,
        times: usize,
        fault: Fault,
        matches: impl Fn(&Call) -> bool + Send + 'static,
    ) {
        let rule = Rule { matches: Box::new(matches), fault, left: times };
        self.proxy.shared.lock().unwrap().rules.push(rule);
    }

    /// How long each call takes more than it would.
    pub fn set_latency(&self, latency: Duration) {
        self.proxy.shared.lock().unwrap().latency = latency;
    }

    /// What the instances are that are started from now on.
    pub fn set_machines(&self, machines: Machines) {
        self.proxy.shared.lock().unwrap().machines = machines;
    }

    /// How many instances were started as processes of this host.
    pub fn started(&self) -> usize {
        self.proxy.shared.lock().unwrap().machines.started()
    }

    /// Lets an instance type be offered in these zones and no others, whatever moto's release
    /// knows of it.
    pub fn offer(&self, instance_type: &str, zones: &[&str]) {
        let zones = zones.iter().map(ToString::to_string).collect();
        self.proxy.shared.lock().unwrap().offers.insert(instance_type.to_owned(), zones);
    }

    /// Answers questions for the quota of vCPUs with this; without it they are refused.
    pub fn set_quota(&self, vcpus: f64) {
        self.proxy.shared.lock().unwrap().quota = Some(vcpus);
    }

    /// Forgets the calls so far, and kills the process that is named later at the call of this
    /// number, counted from 1.
    pub fn kill_at(&self, number: usize, moment: Moment) {
        let mut shared = self.proxy.shared.lock().unwrap();
        shared.calls.clear();
        shared.victim = None;
        shared.kill = Some((number, moment));
    }

    /// Names the process that [`Self::kill_at`] kills.
    pub fn victim(&self, process: u32) {
        self.proxy.shared.lock().unwrap().victim = Some(process);
    }

    /// Kills nobody from now on.
    pub fn kill_no_more(&self) {
        self.proxy.shared.lock().unwrap().kill = None;
    }

    /// The calls so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.proxy.shared.lock().unwrap().calls.clone()
    }

    /// Forgets the calls so far.
    pub fn forget(&self) {
        self.proxy.shared.lock().unwrap().calls.clear();
    }

    /// How often an action was called.
    pub fn count(&self, action: &str) -> usize {
        self.calls().iter().filter(|call| call.action == action).count()
    }
}

async fn answer(State(proxy): State<Arc<Front>>, headers: HeaderMap, body: Bytes) -> Response {
    let call = Call::read(&headers, &body);
    let (fault, deadly) = {
        let mut shared = proxy.shared.lock().unwrap();
        shared.calls.push(call.clone());
        let number = shared.calls.len();
        let deadly = shared.kill.filter(|(at, _)| *at == number).map(|(_, moment)| moment);
        let rule = shared.rules.iter_mut().find(|rule| rule.left > 0 && (rule.matches)(&call));
        let fault = rule.map(|rule| {
            rule.left -= 1;
            rule.fault.clone()
        });
        (fault, deadly)
    };
    let latency = proxy.shared.lock().unwrap().latency;
    tokio::time::sleep(latency).await;
    if deadly == Some(Moment::Before) {
        proxy.kill().await;
        return broken();
    }
    let answer = match fault {
        Some(Fault::Refuse(status, code)) => refuse(&headers, status, code),
        Some(Fault::LoseAnswer) => {
            proxy.effect(&call, &headers, body).await;
            broken()
        }
        Some(Fault::LoseCall) => broken(),
        Some(Fault::Nothing) => format!("<{0}Response></{0}Response>", call.action).into_response(),
        None => proxy.effect(&call, &headers, body).await,
    };
    if deadly == Some(Moment::After) {
        proxy.kill().await;
    }
    answer
}

impl Front {
    /// Ends the victim, as soon as it is known who that is, and waits until it is dead.
    async fn kill(&self) {
        let victim = loop {
            if let Some(victim) = self.shared.lock().unwrap().victim {
                break victim;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let status = Command::new("kill").args(["-KILL", &victim.to_string()]).status().unwrap();
        assert!(status.success());
    }
}

/// An answer that breaks off before its end.
fn broken() -> Response {
    let lost = futures::stream::iter([
        Ok(Bytes::from_static(b"<")),
        Err(std::io::Error::other("the test breaks off")),
    ]);
    Body::from_stream(lost).into_response()
}
