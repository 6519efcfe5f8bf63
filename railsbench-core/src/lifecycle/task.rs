//! One task: its state, the commands it takes and the events they cause.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Policy;
use crate::id::{Alias, Attempt, InstanceType, ProviderName, RunnerId, TaskId};
use crate::protocol::{
    Directive, Event, EventKind, Lease, Phase, Requeue, RunnerFacts, TaskStatus, TaskView,
    Telemetry,
};

/// How many ended attempts a task remembers: enough to tell a late caller from a stranger,
/// bounded so that a runner that claims and releases for ever cannot grow it.
const REMEMBERED_ATTEMPTS: usize = 32;

/// Longest message kept from a runner, in characters.
const MESSAGE_LIMIT: usize = 2_000;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptEnd {
    /// Its lease ran out.
    Expired,
    /// It failed.
    Failed,
    /// It was given back.
    Released,
    /// It completed.
    Completed,
    /// It was stopped.
    Cancelled,
}

/// An attempt that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// Its number.
    pub attempt: Attempt,
    /// Who held it.
    pub runner_id: RunnerId,
    /// How it ended.
    pub end: AttemptEnd,
    /// When.
    pub at: Timestamp,
}

/// The stored object that counts as a task's result.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StoredResult {
    /// Its key in the artifact store.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// A task as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Its provider.
    pub provider: ProviderName,
    /// Its instance type.
    pub instance_type: InstanceType,
    /// The operator's name for the type.
    pub alias: Option<Alias>,
    /// 1-based number among the tasks of this instance type.
    pub run_number: u32,
    /// State.
    pub status: TaskStatus,
    /// Fencing number of the newest attempt.
    pub attempt: Attempt,
    /// Attempts that failed or expired.
    pub failures: u32,
    /// Whether the operator wants it stopped.
    pub stop_requested: bool,
    /// Who holds it, or held it last.
    pub runner_id: Option<RunnerId>,
    /// When the lease of the holder ends; absent when nobody holds it.
    pub lease_expires_at: Option<Timestamp>,
    /// Where the newest attempt stands.
    pub phase: Option<Phase>,
    /// How much of it is done, 0 to 100.
    pub progress_pct: Option<f64>,
    /// What runs now.
    pub current_benchmark: Option<String>,
    /// What its runner last said, or why it was requeued or failed.
    pub message: Option<String>,
    /// What the runner told of its machine.
    pub runner: Option<RunnerFacts>,
    /// The result, once completed.
    pub result: Option<StoredResult>,
    /// Key of the newest error archive.
    pub error_key: Option<String>,
    /// Ended attempts, oldest first; the last 32.
    pub attempts: Vec<AttemptRecord>,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Who calls: what a request says of itself. Both parts are optional, because the smallest
/// client sends neither and is known by its token alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The runner's name.
    pub runner_id: Option<RunnerId>,
    /// The attempt it believes to hold.
    pub attempt: Option<Attempt>,
}

/// What can be asked of a task.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// A runner takes it; only through [`super::claim`].
    Claim {
        /// Who.
        runner_id: RunnerId,
        /// What it tells of its machine.
        runner: Option<Box<RunnerFacts>>,
    },
    /// A sign of life. A phase of `error` is a failure of kind `runner_error`.
    Heartbeat {
        /// Who.
        caller: Caller,
        /// Where the attempt stands.
        phase: Phase,
        /// What runs now.
        current_benchmark: Option<String>,
        /// How much is done, 0 to 100.
        progress_pct: Option<f64>,
        /// Anything worth saying.
        message: Option<String>,
        /// State of the machine.
        telemetry: Option<Telemetry>,
    },
    /// The result is stored and has been looked at.
    Complete {
        /// Who.
        caller: Caller,
        /// What is stored.
        result: StoredResult,
    },
    /// The attempt failed.
    Fail {
        /// Who.
        caller: Caller,
        /// A short name.
        error_type: String,
        /// What went wrong.
        error_message: String,
        /// Whether another attempt may do better.
        retryable: bool,
        /// Key of the stored error archive.
        error_key: Option<String>,
    },
    /// The runner gives the task back unharmed.
    Release {
        /// Who.
        caller: Caller,
        /// Why.
        reason: Option<String>,
    },
    /// The operator wants it stopped.
    Stop,
    /// Time has passed: ends a lease that has run out, and does nothing otherwise.
    Expire,
}

/// Why a command is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Another attempt has the task, or the lease ran out and the task went back.
    #[error("lease lost: attempt {attempt} no longer holds task {task}; stop working on it")]
    LeaseLost {
        /// The task.
        task: TaskId,
        /// The attempt that called.
        attempt: Attempt,
    },
    /// The task is held under another runner id.
    #[error("Invalid runner_id: task {task} is held by another runner")]
    WrongRunner {
        /// The task.
        task: TaskId,
    },
    /// The task cannot take this command in its state.
    #[error("task {task} is {}: it cannot {wanted}", .status.as_str())]
    WrongState {
        /// The task.
        task: TaskId,
        /// Its state.
        status: TaskStatus,
        /// What was asked of it.
        wanted: &'static str,
    },
}

impl Task {
    /// A new task, free to be claimed.
    pub fn new(
        id: TaskId,
        provider: ProviderName,
        instance_type: InstanceType,
        alias: Option<Alias>,
        run_number: u32,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            provider,
            instance_type,
            alias,
            run_number,
            status: TaskStatus::Pending,
            attempt: Attempt(0),
            failures: 0,
            stop_requested: false,
            runner_id: None,
            lease_expires_at: None,
            phase: None,
            progress_pct: None,
            current_benchmark: None,
            message: None,
            runner: None,
            result: None,
            error_key: None,
            attempts: Vec::new(),
            updated_at: now,
        }
    }

    /// Applies a command at a time: changes the task and gives the events that say how.
    ///
    /// No events means that nothing changed, e.g. completing twice.
    ///
    /// # Errors
    /// [`Rejection`] if the caller may not, or the state forbids it; the task is unchanged.
    pub fn apply(
        &mut self,
        command: Command,
        now: Timestamp,
        policy: &Policy,
    ) -> Result<Vec<Event>, Rejection> {
        let events: Vec<Event> = self
            .decide(command, now, policy)?
            .into_iter()
            .map(|kind| Event { at: now, task_id: Some(self.id.clone()), kind })
            .collect();
        for event in &events {
            self.absorb(event);
        }
        Ok(events)
    }

    fn decide(
        &self,
        command: Command,
        now: Timestamp,
        policy: &Policy,
    ) -> Result<Option<EventKind>, Rejection> {
        match command {
            Command::Claim { runner_id, runner } => {
                self.decide_claim(runner_id, runner, now, policy)
            }
            Command::Heartbeat { caller, phase: Phase::Error, message, .. } => self.decide_failure(
                &caller,
                "runner_error".to_owned(),
                message.unwrap_or_else(|| "the runner reported an error".to_owned()),
                true,
                None,
                policy,
            ),
            Command::Heartbeat {
                caller,
                phase,
                current_benchmark,
                progress_pct,
                message,
                telemetry,
            } => {
                self.check_caller(&caller, "take a heartbeat")?;
                if self.status.is_ended() {
                    return Ok(None);
                }
                if !self.status.is_held() {
                    return Err(self.lease_lost(&caller));
                }
                if self.stop_requested {
                    return Ok(Some(EventKind::TaskCancelled));
                }
                // A late, out-of-order heartbeat is a sign of life but no news.
                let late = self.phase.is_some_and(|current| phase < current);
                let news = |value: Option<String>, known: &Option<String>| {
                    if late { known.clone() } else { value.map(|text| shorten(&text)) }
                };
                Ok(Some(EventKind::Heartbeat {
                    phase: if late { self.phase.unwrap_or(phase) } else { phase },
                    lease_expires_at: self.lease_end(now, policy),
                    current_benchmark: news(current_benchmark, &self.current_benchmark),
                    progress_pct: if late {
                        self.progress_pct
                    } else {
                        progress_pct.or(self.progress_pct)
                    },
                    message: news(message, &self.message),
                    telemetry,
                }))
            }
            Command::Complete { caller, result } => {
                self.check_caller(&caller, "complete")?;
                match self.status {
                    TaskStatus::Completed => return Ok(None),
                    status if status.is_held() => {}
                    // Hours of benchmark are not thrown away because a heartbeat was late.
                    TaskStatus::Pending if self.last_end() == Some(AttemptEnd::Expired) => {}
                    TaskStatus::Pending => return Err(self.lease_lost(&caller)),
                    _ => return Err(self.wrong_state("complete")),
                }
                Ok(Some(EventKind::TaskCompleted {
                    attempt: self.attempt,
                    result_key: result.key,
                    size: result.size,
                    sha256: result.sha256,
                }))
            }
            Command::Fail { caller, error_type, error_message, retryable, error_key } => self
                .decide_failure(&caller, error_type, error_message, retryable, error_key, policy),
            Command::Release { caller, reason } => {
                self.check_caller(&caller, "be released")?;
                match self.status {
                    status if status.is_ended() => Ok(None),
                    TaskStatus::Pending if self.last_end() == Some(AttemptEnd::Released) => {
                        Ok(None)
                    }
                    TaskStatus::Pending => Err(self.lease_lost(&caller)),
                    _ if self.stop_requested => Ok(Some(EventKind::TaskCancelled)),
                    _ => Ok(Some(EventKind::TaskRequeued {
                        reason: Requeue::Released,
                        message: shorten(reason.as_deref().unwrap_or("released by its runner")),
                        failures: self.failures,
                    })),
                }
            }
            Command::Stop => Ok(match self.status {
                TaskStatus::Pending => Some(EventKind::TaskCancelled),
                status if status.is_held() && !self.stop_requested => {
                    Some(EventKind::StopRequested)
                }
                _ => None,
            }),
            Command::Expire => Ok(self
                .lease_expires_at
                .filter(|end| self.status.is_held() && *end <= now)
                .map(|_| {
                    self.after_failure(
                        "lease_expired".to_owned(),
                        "no heartbeat came before the lease ended".to_owned(),
                        Requeue::LeaseExpired,
                        true,
                        None,
                        policy,
                    )
                })),
        }
    }

    fn decide_claim(
        &self,
        runner_id: RunnerId,
        runner: Option<Box<RunnerFacts>>,
        now: Timestamp,
        policy: &Policy,
    ) -> Result<Option<EventKind>, Rejection> {
        if self.status != TaskStatus::Pending {
            return Err(self.wrong_state("be claimed"));
        }
        Ok(Some(EventKind::TaskClaimed {
            runner_id,
            attempt: self.attempt.next(),
            lease_expires_at: self.lease_end(now, policy),
            runner,
        }))
    }

    fn decide_failure(
        &self,
        caller: &Caller,
        error_type: String,
        error_message: String,
        retryable: bool,
        error_key: Option<String>,
        policy: &Policy,
    ) -> Result<Option<EventKind>, Rejection> {
        self.check_caller(caller, "fail")?;
        match self.status {
            TaskStatus::Failed => Ok(None),
            TaskStatus::Pending if self.last_end() == Some(AttemptEnd::Failed) => Ok(None),
            TaskStatus::Pending => Err(self.lease_lost(caller)),
            status if status.is_ended() => Err(self.wrong_state("fail")),
            _ => Ok(Some(self.after_failure(
                shorten(&error_type),
                shorten(&error_message),
                Requeue::AttemptFailed,
                retryable,
                error_key,
                policy,
            ))),
        }
    }

    /// What a failed or expired attempt leads to: cancelled if stopped, tried again while the
    /// budget lasts, failed otherwise.
    fn after_failure(
        &self,
        error_type: String,
        error_message: String,
        reason: Requeue,
        retryable: bool,
        error_key: Option<String>,
        policy: &Policy,
    ) -> EventKind {
        let failures = self.failures.saturating_add(1);
        if self.stop_requested {
            EventKind::TaskCancelled
        } else if retryable && failures < policy.max_attempts {
            let message = format!("{error_type}: {error_message}");
            EventKind::TaskRequeued { reason, message, failures }
        } else {
            EventKind::TaskFailed { error_type, error_message, failures, error_key }
        }
    }

    /// Changes the task as an event says. Events are facts: this never refuses, and ignores
    /// events of other tasks and of the run.
    pub fn absorb(&mut self, event: &Event) {
        if event.task_id.as_ref() != Some(&self.id) {
            return;
        }
        self.updated_at = event.at;
        match &event.kind {
            EventKind::TaskClaimed { runner_id, attempt, lease_expires_at, runner } => {
                self.status = TaskStatus::Claimed;
                self.attempt = *attempt;
                self.runner_id = Some(runner_id.clone());
                self.lease_expires_at = Some(*lease_expires_at);
                self.runner = runner.as_deref().cloned();
                self.phase = None;
                self.progress_pct = None;
                self.current_benchmark = None;
                self.message = None;
            }
            EventKind::Heartbeat {
                phase,
                lease_expires_at,
                current_benchmark,
                progress_pct,
                message,
                ..
            } => {
                self.lease_expires_at = Some(*lease_expires_at);
                self.phase = Some(*phase);
                self.current_benchmark.clone_from(current_benchmark);
                self.progress_pct = *progress_pct;
                self.message.clone_from(message);
                if *phase >= Phase::Running {
                    self.status = TaskStatus::Running;
                }
            }
            EventKind::TaskRequeued { reason, message, failures } => {
                let end = match reason {
                    Requeue::LeaseExpired => AttemptEnd::Expired,
                    Requeue::AttemptFailed => AttemptEnd::Failed,
                    Requeue::Released => AttemptEnd::Released,
                };
                self.end_attempt(end, event.at);
                self.status = TaskStatus::Pending;
                self.failures = *failures;
                self.message = Some(message.clone());
                self.phase = None;
                self.progress_pct = None;
                self.current_benchmark = None;
            }
            EventKind::TaskCompleted { result_key, size, sha256, .. } => {
                self.end_attempt(AttemptEnd::Completed, event.at);
                self.status = TaskStatus::Completed;
                self.phase = Some(Phase::Finished);
                self.progress_pct = Some(100.0);
                self.current_benchmark = None;
                self.result = Some(StoredResult {
                    key: result_key.clone(),
                    size: *size,
                    sha256: sha256.clone(),
                });
            }
            EventKind::TaskFailed { error_type, error_message, failures, error_key } => {
                self.end_attempt(AttemptEnd::Failed, event.at);
                self.status = TaskStatus::Failed;
                self.failures = *failures;
                self.phase = Some(Phase::Error);
                self.message = Some(format!("{error_type}: {error_message}"));
                self.error_key.clone_from(error_key);
            }
            EventKind::TaskCancelled => {
                if self.status.is_held() {
                    self.end_attempt(AttemptEnd::Cancelled, event.at);
                }
                self.status = TaskStatus::Cancelled;
            }
            EventKind::StopRequested => self.stop_requested = true,
            EventKind::RunCreated
            | EventKind::RunStatusChanged { .. }
            | EventKind::TaskCreated { .. } => {}
        }
    }

    fn end_attempt(&mut self, end: AttemptEnd, at: Timestamp) {
        self.lease_expires_at = None;
        if let Some(runner_id) = self.runner_id.clone() {
            if self.attempts.len() >= REMEMBERED_ATTEMPTS {
                self.attempts.remove(0);
            }
            self.attempts.push(AttemptRecord { attempt: self.attempt, runner_id, end, at });
        }
    }

    /// Refuses a caller that is not of the newest attempt.
    fn check_caller(&self, caller: &Caller, wanted: &'static str) -> Result<(), Rejection> {
        if self.attempt == Attempt(0) {
            return Err(self.wrong_state(wanted));
        }
        if caller.attempt.is_some_and(|attempt| attempt != self.attempt) {
            return Err(self.lease_lost(caller));
        }
        match &caller.runner_id {
            Some(runner) if Some(runner) != self.runner_id.as_ref() => {
                let held_it = self.attempts.iter().any(|record| &record.runner_id == runner);
                Err(if held_it {
                    self.lease_lost(caller)
                } else {
                    Rejection::WrongRunner { task: self.id.clone() }
                })
            }
            _ => Ok(()),
        }
    }

    /// Checks that the caller may ask for upload URLs now: its attempt is the newest and holds
    /// the task, or lost it by time alone.
    ///
    /// # Errors
    /// As for [`Command::Complete`].
    pub fn check_upload(&self, caller: &Caller) -> Result<(), Rejection> {
        self.check_caller(caller, "take an upload")?;
        match self.status {
            status if status.is_held() => Ok(()),
            TaskStatus::Pending if self.last_end() == Some(AttemptEnd::Expired) => Ok(()),
            TaskStatus::Pending => Err(self.lease_lost(caller)),
            _ => Err(self.wrong_state("take an upload")),
        }
    }

    fn lease_lost(&self, caller: &Caller) -> Rejection {
        Rejection::LeaseLost {
            task: self.id.clone(),
            attempt: caller.attempt.unwrap_or(self.attempt),
        }
    }

    fn wrong_state(&self, wanted: &'static str) -> Rejection {
        Rejection::WrongState { task: self.id.clone(), status: self.status, wanted }
    }

    fn last_end(&self) -> Option<AttemptEnd> {
        self.attempts
            .last()
            .filter(|record| record.attempt == self.attempt)
            .map(|record| record.end)
    }

    fn lease_end(&self, now: Timestamp, policy: &Policy) -> Timestamp {
        let lease = policy.for_provider(&self.provider).lease;
        SignedDuration::try_from(lease)
            .ok()
            .and_then(|lease| now.checked_add(lease).ok())
            .unwrap_or(Timestamp::MAX)
    }

    /// The lease of the runner that holds the task now.
    pub fn lease(&self, policy: &Policy) -> Option<Lease> {
        Some(Lease {
            runner_id: self.runner_id.clone()?,
            attempt: self.attempt,
            expires_at: self.lease_expires_at?,
            heartbeat_seconds: u32::try_from(policy.heartbeat.as_secs().max(1)).unwrap_or(u32::MAX),
        })
    }

    /// What the holder is told at a heartbeat.
    pub fn directive(&self) -> Directive {
        if self.status.is_held() && !self.stop_requested {
            Directive::Continue
        } else {
            Directive::Stop
        }
    }

    /// The task as operators see it.
    pub fn view(&self) -> TaskView {
        TaskView {
            id: self.id.clone(),
            provider: self.provider.clone(),
            instance_type: self.instance_type.clone(),
            alias: self.alias.clone(),
            run_number: self.run_number,
            status: self.status,
            attempt: self.attempt,
            failures: self.failures,
            phase: self.phase,
            progress_pct: self.progress_pct,
            current_benchmark: self.current_benchmark.clone(),
            message: self.message.clone(),
            runner_id: self.runner_id.clone(),
            lease_expires_at: self.lease_expires_at,
            runner: self.runner.clone(),
            updated_at: self.updated_at,
        }
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_LIMIT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
