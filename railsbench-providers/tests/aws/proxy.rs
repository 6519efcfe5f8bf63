//! A proxy before moto: writes down each call, does what EC2 does and moto does not, and fails
//! in the ways that a test asks for.

use std::collections::HashMap;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use reqwest::Url;

use crate::moto::http;

/// The image that stands for Debian's newest of an architecture.
pub fn debian(arch: &str) -> String {
    format!("ami-0debian12{arch}")
}

/// A call that was made.
#[derive(Debug, Clone)]
pub struct Call {
    pub action: String,
    pub region: String,
    pub values: HashMap<String, String>,
}

impl Call {
    fn read(headers: &HeaderMap, body: &Bytes) -> Self {
        let text = |name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        // Credential=KEY/DATE/REGION/SERVICE/aws4_request
        let region = text("authorization").split('/').nth(2).unwrap_or_default().to_owned();
        let target = text("x-amz-target");
        if let Some((_, action)) = target.split_once('.') {
            let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
            let values = json.as_object().into_iter().flatten();
            let values =
                values.map(|(key, value)| (key.clone(), value.as_str().unwrap_or("").to_owned()));
            return Self { action: action.to_owned(), region, values: values.collect() };
        }
        let values: HashMap<String, String> =
            serde_urlencoded::from_bytes(body).unwrap_or_default();
        Self { action: values.get("Action").cloned().unwrap_or_default(), region, values }
    }

    pub fn value(&self, key: &str) -> &str {
        self.values.get(key).map_or("", String::as_str)
    }
}

/// What a call gets instead of moto's answer.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This error, and no effect.
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
    Before,
    After,
}

#[derive(Default)]
struct Shared {
    calls: Vec<Call>,
    rules: Vec<Rule>,
    /// By region and token: the call that used it first, and the instance it made.
    tokens: HashMap<(String, String), (Bytes, String)>,
    quota: Option<f64>,
    kill: Option<(usize, Moment)>,
    victim: Option<u32>,
}

struct Proxy {
    moto: Url,
    http: reqwest::Client,
    shared: Mutex<Shared>,
}

/// The way to the running proxy.
#[derive(Clone)]
pub struct Handle {
    pub url: Url,
    proxy: Arc<Proxy>,
}

impl Handle {
    pub async fn start(moto: Url) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let proxy = Arc::new(Proxy { moto, http: http(), shared: Mutex::default() });
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

    pub fn victim(&self, process: u32) {
        self.proxy.shared.lock().unwrap().victim = Some(process);
    }

    pub fn kill_no_more(&self) {
        self.proxy.shared.lock().unwrap().kill = None;
    }

    pub fn calls(&self) -> Vec<Call> {
        self.proxy.shared.lock().unwrap().calls.clone()
    }

    pub fn forget(&self) {
        self.proxy.shared.lock().unwrap().calls.clear();
    }

    /// How often an action was called.
    pub fn count(&self, action: &str) -> usize {
        self.calls().iter().filter(|call| call.action == action).count()
    }
}

async fn answer(State(proxy): State<Arc<Proxy>>, headers: HeaderMap, body: Bytes) -> Response {
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

impl Proxy {
    async fn effect(&self, call: &Call, headers: &HeaderMap, body: Bytes) -> Response {
        match call.action.as_str() {
            "GetParameter" if call.value("Name").starts_with("/aws/service/debian/release/12/") => {
                let arch = call.value("Name").rsplit('/').next().unwrap_or_default();
                let parameter = serde_json::json!({"Parameter": {
                    "Name": call.value("Name"), "Type": "String", "Value": debian(arch), "Version": 1,
                }});
                json(StatusCode::OK, &parameter)
            }
            "GetServiceQuota" => match self.shared.lock().unwrap().quota {
                Some(value) => {
                    json(StatusCode::OK, &serde_json::json!({"Quota": {"Value": value}}))
                }
                None => refuse(headers, 400, "AccessDeniedException"),
            },
            "RunInstances" if call.value("DryRun") != "true" => {
                self.run_instances(call, headers, body).await
            }
            _ => self.forward(headers, body).await,
        }
    }

    /// moto starts an instance each time; EC2 does so once for each client token.
    async fn run_instances(&self, call: &Call, headers: &HeaderMap, body: Bytes) -> Response {
        let key = (call.region.clone(), call.value("ClientToken").to_owned());
        assert!((1..=64).contains(&key.1.len()), "{:?} is no client token", key.1);
        let before = self.shared.lock().unwrap().tokens.get(&key).cloned();
        if let Some((first, instance)) = before {
            if first != body {
                return refuse(headers, 400, "IdempotentParameterMismatch");
            }
            let describe =
                format!("Action=DescribeInstances&Version=2016-11-15&InstanceId.1={instance}");
            let (status, text) = self.ask(headers, describe.into()).await;
            let (start, end) = ("<reservationSet><item>", "</item></reservationSet>");
            let inner = text.split_once(start).and_then(|(_, rest)| rest.split_once(end));
            let inner = inner.unwrap_or_else(|| panic!("{text}")).0;
            let xml = "<RunInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">";
            return (status, format!("{xml}{inner}</RunInstancesResponse>")).into_response();
        }
        let (status, text) = self.ask(headers, body.clone()).await;
        if status.is_success() {
            let id = text.split_once("<instanceId>").and_then(|(_, rest)| rest.split_once('<'));
            let made = (body, id.unwrap().0.to_owned());
            self.shared.lock().unwrap().tokens.insert(key, made);
        }
        (status, text).into_response()
    }

    async fn forward(&self, headers: &HeaderMap, body: Bytes) -> Response {
        self.ask(headers, body).await.into_response()
    }

    async fn ask(&self, headers: &HeaderMap, body: Bytes) -> (StatusCode, String) {
        let mut request = self.http.post(self.moto.clone()).body(body);
        for name in ["authorization", "content-type", "x-amz-target", "x-amz-date"] {
            if let Some(value) = headers.get(name) {
                request = request.header(name, value);
            }
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

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

fn json(status: StatusCode, value: &serde_json::Value) -> Response {
    let headers = [("content-type", "application/x-amz-json-1.1")];
    (status, headers, value.to_string()).into_response()
}

/// An error in the form of the service that was called.
fn refuse(headers: &HeaderMap, status: u16, code: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    let message = format!("the test says {code}");
    if headers.contains_key("x-amz-target") {
        return json(status, &serde_json::json!({"__type": code, "message": message}));
    }
    let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
    let text = if authorization.is_some_and(|value| value.contains("/sts/")) {
        format!("<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>")
    } else {
        format!("<Response><Errors>{error}</Errors><RequestID>1</RequestID></Response>")
    };
    (status, text).into_response()
}

/// An answer that breaks off before its end.
fn broken() -> Response {
    let lost = futures::stream::iter([
        Ok(Bytes::from_static(b"<")),
        Err(std::io::Error::other("the test breaks off")),
    ]);
    Body::from_stream(lost).into_response()
}
