//! The rules of the stub: what an orchestrator and its artifact store know, and what a runner
//! may do when.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::Read;
use std::net::SocketAddr;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use jiff::{SignedDuration, Timestamp};
use railsbench_core::id::{Attempt, RunnerId};
use railsbench_core::protocol::{
    Acknowledged, ClaimAnswer, ClaimRequest, CompleteRequest, Directive, FailRequest,
    HeartbeatAnswer, HeartbeatRequest, Lease, Phase, Problem, TaskSpec, UploadUrls,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What the next call of a kind meets instead of, or after, its answer.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The call is refused with this status and has no effect.
    Status(u16),
    /// The call has its effect, but the answer is lost.
    LoseAnswer,
    /// The call is answered with 200 and this text, and has no effect.
    Garbage(&'static str),
    /// The call is redirected to another address.
    Redirect(&'static str),
    /// The upload URL has ended.
    Expire,
}

/// One call as it came in.
#[derive(Debug, Clone)]
pub struct Call {
    pub name: &'static str,
    pub body: Value,
}

/// An archive that was completed or named at fail: file name to content.
pub type Files = HashMap<String, Vec<u8>>;

#[derive(Default)]
pub struct World {
    pub tasks: VecDeque<TaskSpec>,
    /// How often `wait` is answered before `done`.
    pub waits: u32,
    pub faults: HashMap<&'static str, VecDeque<Fault>>,
    pub directive: Option<Directive>,
    pub lease_lost: bool,
    pub max_bytes: Option<u64>,
    pub calls: Vec<Call>,
    pub violations: Vec<String>,
    pub results: Vec<Files>,
    pub error_archives: Vec<Files>,
    pub active: Option<Active>,
    pub attempts: u32,
    pub serial: u32,
    pub expired: HashSet<u32>,
    pub stored: HashMap<String, Vec<u8>>,
    pub heartbeats_in_flight: HashMap<String, u32>,
}

pub struct Active {
    task: TaskSpec,
    runner_id: RunnerId,
    attempt: Attempt,
    phase: Phase,
}

impl World {
    pub fn with_tasks(tasks: impl IntoIterator<Item = TaskSpec>) -> Self {
        Self { tasks: tasks.into_iter().collect(), ..Self::default() }
    }

    pub fn fault(mut self, call: &'static str, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.faults.entry(call).or_default().extend(faults);
        self
    }

    pub fn has_heartbeat(&self, wanted: impl Fn(&HeartbeatRequest) -> bool) -> bool {
        self.calls
            .iter()
            .filter(|call| call.name == "heartbeat")
            .filter_map(|call| serde_json::from_value(call.body.clone()).ok())
            .any(|request| wanted(&request))
    }

    pub fn is_running(&self) -> bool {
        self.has_heartbeat(|request| request.heartbeat_status == Phase::Running)
    }

    pub fn violation(&mut self, text: impl Into<String>) {
        self.violations.push(text.into());
    }

    pub fn urls(&mut self, address: SocketAddr) -> UploadUrls {
        self.serial += 1;
        let serial = self.serial;
        let url =
            |kind: &str| format!("http://{address}/base/put/{serial}/{kind}?signature=s3cret");
        UploadUrls {
            result_upload_url: url("result"),
            error_upload_url: url("error"),
            result_key: format!("{serial}/result"),
            error_key: format!("{serial}/error"),
            expires_at: Timestamp::now(),
            max_bytes: self.max_bytes.unwrap_or(1 << 20),
        }
    }

    fn lease(&self) -> Lease {
        let active = self.active.as_ref().unwrap();
        Lease {
            runner_id: active.runner_id.clone(),
            attempt: active.attempt,
            expires_at: Timestamp::now() + SignedDuration::from_secs(5),
            heartbeat_seconds: 1,
        }
    }

    /// Checks that a call comes from the holder of the active task.
    pub fn check_holder(
        &mut self,
        call: &str,
        task: &str,
        runner_id: Option<&RunnerId>,
        attempt: Option<Attempt>,
    ) -> bool {
        let Some(active) = &self.active else { return false };
        let right = active.task.id.as_str() == task
            && runner_id == Some(&active.runner_id)
            && attempt == Some(active.attempt);
        if !right {
            self.violation(format!("{call} by a stranger"));
        }
        right
    }

    pub fn claim(&mut self, address: SocketAddr, request: ClaimRequest) -> Response {
        let Some(runner_id) = request.runner_id else {
            self.violation("claim without a runner id");
            return problem(422, "no runner id");
        };
        let facts = request.runner.unwrap_or_default();
        if facts.arch.is_none() || facts.version.is_none() || facts.boot_seconds.is_none() {
            self.violation("claim without facts");
        }
        if request.wait_seconds != Some(30) {
            self.violation("claim without a long poll");
        }
        if self.active.is_none() {
            let Some(task) = self.tasks.pop_front() else {
                if self.waits > 0 {
                    self.waits -= 1;
                    return Json(ClaimAnswer::Wait { retry_after_seconds: 0, runner_id })
                        .into_response();
                }
                return Json(ClaimAnswer::Done).into_response();
            };
            self.attempts += 1;
            let attempt = Attempt(self.attempts);
            self.active = Some(Active { task, runner_id, attempt, phase: Phase::Boot });
        }
        // A claim that is repeated begins the attempt anew.
        self.active.as_mut().unwrap().phase = Phase::Boot;
        let urls = self.urls(address);
        let lease = self.lease();
        let task = self.active.as_ref().unwrap().task.clone();
        Json(ClaimAnswer::Assigned {
            task_id: task.id.clone(),
            upload_url: urls.result_upload_url.clone(),
            run_number: task.run_number,
            task: Box::new(task),
            presigned_urls: Box::new(urls),
            lease,
        })
        .into_response()
    }

    pub fn heartbeat(&mut self, task: &str, request: &HeartbeatRequest) -> Response {
        if self.lease_lost {
            self.active = None;
            return problem(409, "lease_lost");
        }
        if !self.check_holder("heartbeat", task, request.runner_id.as_ref(), request.attempt) {
            return Json(heartbeat_answer(None, Directive::Stop)).into_response();
        }
        if request.telemetry.is_none() {
            self.violation("heartbeat without telemetry");
        }
        if request.heartbeat_status == Phase::Error {
            self.violation("heartbeat of an error, which would end the attempt");
        }
        let before =
            std::mem::replace(&mut self.active.as_mut().unwrap().phase, request.heartbeat_status);
        if request.heartbeat_status < before {
            self.violation(format!("phase {} after {before}", request.heartbeat_status));
        }
        let directive = self.directive.unwrap_or(Directive::Continue);
        let lease = (directive == Directive::Continue).then(|| self.lease());
        if directive == Directive::Stop {
            self.active = None;
        }
        Json(heartbeat_answer(lease, directive)).into_response()
    }

    pub fn put(
        &mut self,
        serial: &str,
        kind: &str,
        headers: &HeaderMap,
        bytes: &Bytes,
    ) -> Response {
        if headers.contains_key(header::AUTHORIZATION) {
            self.violation("the token was sent to the artifact store");
        }
        if headers.get(header::CONTENT_TYPE).is_none_or(|value| value != "application/gzip") {
            self.violation("upload without its content type");
        }
        let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        if length != Some(bytes.len().to_string().as_str()) {
            self.violation(format!("upload with content length {length:?}"));
        }
        if self.active.is_none() {
            self.violation("upload without a task");
        }
        if serial.parse().is_ok_and(|serial| self.expired.contains(&serial)) {
            self.violation("an upload URL that has ended was used again");
        }
        self.stored.insert(format!("{serial}/{kind}"), bytes.to_vec());
        StatusCode::OK.into_response()
    }

    pub fn complete(&mut self, task: &str, request: &CompleteRequest) -> Response {
        if !self.check_holder("complete", task, request.runner_id.as_ref(), request.attempt) {
            return Json(acknowledged()).into_response();
        }
        let key = request.s3_result_key.clone().unwrap_or_default();
        let Some(bytes) = self.stored.get(&key).cloned() else {
            self.violation(format!("complete with {key:?}, where nothing is"));
            return problem(422, "nothing is stored");
        };
        let sha256 = hex::encode(Sha256::digest(&bytes));
        if request.sha256.as_ref() != Some(&sha256) || request.size != Some(bytes.len() as u64) {
            self.violation("complete with a wrong hash or size");
        }
        self.results.push(unpack(&bytes));
        self.active = None;
        Json(acknowledged()).into_response()
    }

    pub fn fail(&mut self, task: &str, request: &FailRequest) -> Response {
        if self.check_holder("fail", task, request.runner_id.as_ref(), request.attempt) {
            if let Some(key) = &request.s3_error_key {
                match self.stored.get(key).map(|bytes| unpack(bytes)) {
                    Some(files) => self.error_archives.push(files),
                    None => self.violation(format!("fail with {key:?}, where nothing is")),
                }
            }
            self.active = None;
        }
        Json(acknowledged()).into_response()
    }
}

pub fn acknowledged() -> Acknowledged {
    Acknowledged { message: "ok".to_owned() }
}

fn heartbeat_answer(lease: Option<Lease>, directive: Directive) -> HeartbeatAnswer {
    HeartbeatAnswer { message: "Heartbeat received".to_owned(), lease, directive }
}

pub fn problem(status: u16, detail: &str) -> Response {
    let problem = Problem { status, detail: detail.to_owned(), ..Problem::default() };
    let status = StatusCode::from_u16(status).unwrap();
    (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(problem)).into_response()
}

fn unpack(bytes: &[u8]) -> Files {
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
    tar.entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.path().unwrap().display().to_string(), content)
        })
        .collect()
}
