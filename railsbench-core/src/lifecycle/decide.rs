//! What a command leads to: the rules of a task. Nothing here changes one.

use jiff::{SignedDuration, Timestamp};

use super::{AttemptEnd, Caller, Command, Policy, Rejection, Task};
use crate::id::{Attempt, RunnerId};
use crate::protocol::{Event, EventKind, Phase, Requeue, RunnerFacts, TaskStatus, Telemetry};

/// Longest message kept from a runner, in characters.
const MESSAGE_LIMIT: usize = 2_000;

/// What a heartbeat says of its attempt.
struct News {
    phase: Phase,
    current_benchmark: Option<String>,
    progress_pct: Option<f64>,
    message: Option<String>,
    telemetry: Option<Telemetry>,
}

/// A failed or expired attempt.
struct Failure {
    reason: Requeue,
    error_type: String,
    error_message: String,
    retryable: bool,
    error_key: Option<String>,
}

impl Task {
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
            Command::Heartbeat {
                caller,
                phase,
                current_benchmark,
                progress_pct,
                message,
                telemetry,
            } => {
                let news = News { phase, current_benchmark, progress_pct, message, telemetry };
                self.decide_heartbeat(&caller, news, now, policy)
            }
            Command::Complete { caller, result } => {
                self.check_caller(&caller, "complete")?;
                match self.status {
                    TaskStatus::Completed => Ok(None),
                    _ if self.is_in_the_hands_of_newest() => Ok(Some(EventKind::TaskCompleted {
                        attempt: self.attempt,
                        result_key: result.key,
                        size: result.size,
                        sha256: result.sha256,
                    })),
                    TaskStatus::Pending => Err(self.lease_lost(&caller)),
                    _ => Err(self.wrong_state("complete")),
                }
            }
            Command::Fail { caller, error_type, error_message, retryable, error_key } => {
                let failure = Failure {
                    reason: Requeue::AttemptFailed,
                    error_type: shorten(&error_type),
                    error_message: shorten(&error_message),
                    retryable,
                    error_key,
                };
                self.decide_failure(&caller, failure, policy)
            }
            Command::Release { caller, reason } => self.decide_release(&caller, reason.as_deref()),
            Command::Stop => Ok(match self.status {
                TaskStatus::Pending => Some(EventKind::TaskCancelled),
                status if status.is_held() && !self.stop_requested => {
                    Some(EventKind::StopRequested)
                }
                _ => None,
            }),
            Command::Expire => {
                let due = self.lease_expires_at.is_some_and(|end| end <= now);
                Ok((due && self.status.is_held()).then(|| {
                    let failure = Failure {
                        reason: Requeue::LeaseExpired,
                        error_type: "lease_expired".to_owned(),
                        error_message: "no heartbeat came before the lease ended".to_owned(),
                        retryable: true,
                        error_key: None,
                    };
                    self.after_failure(failure, policy)
                }))
            }
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

    fn decide_heartbeat(
        &self,
        caller: &Caller,
        news: News,
        now: Timestamp,
        policy: &Policy,
    ) -> Result<Option<EventKind>, Rejection> {
        self.check_caller(caller, "take a heartbeat")?;
        if self.status.is_ended() {
            return Ok(None);
        }
        if news.phase == Phase::Error {
            let failure = Failure {
                reason: Requeue::AttemptFailed,
                error_type: "runner_error".to_owned(),
                error_message: news
                    .message
                    .map_or_else(|| "the runner reported an error".to_owned(), |m| shorten(&m)),
                retryable: true,
                error_key: None,
            };
            return self.decide_failure(caller, failure, policy);
        }
        if !self.status.is_held() {
            return Err(self.lease_lost(caller));
        }
        if self.stop_requested {
            return Ok(Some(EventKind::TaskCancelled));
        }
        let lease_expires_at = self.lease_end(now, policy);
        if let Some(phase) = self.phase.filter(|current| news.phase < *current) {
            // A late, out-of-order heartbeat is a sign of life but no news.
            return Ok(Some(EventKind::Heartbeat {
                phase,
                lease_expires_at,
                current_benchmark: self.current_benchmark.clone(),
                progress_pct: self.progress_pct,
                message: self.message.clone(),
                telemetry: None,
            }));
        }
        Ok(Some(EventKind::Heartbeat {
            phase: news.phase,
            lease_expires_at,
            current_benchmark: news.current_benchmark.map(|text| shorten(&text)),
            progress_pct: news.progress_pct.or(self.progress_pct),
            message: news.message.map(|text| shorten(&text)),
            telemetry: news.telemetry,
        }))
    }

    fn decide_failure(
        &self,
        caller: &Caller,
        failure: Failure,
        policy: &Policy,
    ) -> Result<Option<EventKind>, Rejection> {
        self.check_caller(caller, "fail")?;
        match self.status {
            TaskStatus::Failed => Ok(None),
            TaskStatus::Pending if self.last_end() == Some(AttemptEnd::Failed) => Ok(None),
            TaskStatus::Pending => Err(self.lease_lost(caller)),
            status if status.is_ended() => Err(self.wrong_state("fail")),
            _ => Ok(Some(self.after_failure(failure, policy))),
        }
    }

    /// What a failed or expired attempt leads to: cancelled if stopped, tried again while the
    /// budget lasts, failed otherwise.
    fn after_failure(&self, failure: Failure, policy: &Policy) -> EventKind {
        let Failure { reason, error_type, error_message, retryable, error_key } = failure;
        let failures = self.failures.saturating_add(1);
        if self.stop_requested {
            EventKind::TaskCancelled
        } else if retryable && failures < policy.max_attempts {
            let message = format!("{error_type}: {error_message}");
            EventKind::TaskRequeued { reason, message, failures, error_key }
        } else {
            EventKind::TaskFailed { error_type, error_message, failures, error_key }
        }
    }

    fn decide_release(
        &self,
        caller: &Caller,
        reason: Option<&str>,
    ) -> Result<Option<EventKind>, Rejection> {
        self.check_caller(caller, "be released")?;
        match self.status {
            status if status.is_ended() => Ok(None),
            TaskStatus::Pending if self.last_end() == Some(AttemptEnd::Released) => Ok(None),
            TaskStatus::Pending => Err(self.lease_lost(caller)),
            _ if self.stop_requested => Ok(Some(EventKind::TaskCancelled)),
            _ => Ok(Some(EventKind::TaskRequeued {
                reason: Requeue::Released,
                message: shorten(reason.unwrap_or("released by its runner")),
                failures: self.failures,
                error_key: None,
            })),
        }
    }

    /// Checks that the caller may ask for upload URLs now: its attempt is the newest and holds
    /// the task, or lost it by time alone, so that it may still complete.
    ///
    /// # Errors
    /// As for [`Command::Complete`].
    pub fn check_upload(&self, caller: &Caller) -> Result<(), Rejection> {
        self.check_caller(caller, "take an upload")?;
        match self.status {
            _ if self.is_in_the_hands_of_newest() => Ok(()),
            TaskStatus::Pending => Err(self.lease_lost(caller)),
            _ => Err(self.wrong_state("take an upload")),
        }
    }

    /// Whether the newest attempt may still bring a result: it holds the task, or lost it by
    /// time alone. Hours of benchmark are not thrown away because a heartbeat was late.
    fn is_in_the_hands_of_newest(&self) -> bool {
        let lost_by_time =
            self.status == TaskStatus::Pending && self.last_end() == Some(AttemptEnd::Expired);
        self.status.is_held() || lost_by_time
    }

    /// Refuses a caller that is not of the newest attempt: a stranger as such, an earlier holder
    /// because it lost its lease.
    fn check_caller(&self, caller: &Caller, wanted: &'static str) -> Result<(), Rejection> {
        if self.attempt == Attempt(0) {
            return Err(self.wrong_state(wanted));
        }
        let is_newest = caller.runner_id.is_none() || caller.runner_id == self.runner_id;
        if !is_newest && !self.may_have_been_held_by(caller) {
            return Err(Rejection::WrongRunner { task: self.id.clone() });
        }
        if !is_newest || caller.attempt.is_some_and(|attempt| attempt != self.attempt) {
            return Err(self.lease_lost(caller));
        }
        Ok(())
    }

    /// Whether the caller held the task before, as far as is remembered.
    fn may_have_been_held_by(&self, caller: &Caller) -> bool {
        let remembered =
            self.attempts.iter().any(|record| Some(&record.runner_id) == caller.runner_id.as_ref());
        let forgotten = self
            .attempts
            .first()
            .zip(caller.attempt)
            .is_some_and(|(oldest, attempt)| Attempt(0) < attempt && attempt < oldest.attempt);
        remembered || forgotten
    }

    fn lease_lost(&self, caller: &Caller) -> Rejection {
        let last_of_runner = || {
            let mut newest_first = self.attempts.iter().rev();
            newest_first
                .find(|record| Some(&record.runner_id) == caller.runner_id.as_ref())
                .map(|record| record.attempt)
        };
        Rejection::LeaseLost {
            task: self.id.clone(),
            attempt: caller.attempt.or_else(last_of_runner).unwrap_or(self.attempt),
        }
    }

    fn wrong_state(&self, wanted: &'static str) -> Rejection {
        Rejection::WrongState { task: self.id.clone(), status: self.status, wanted }
    }

    /// When a lease that is given or renewed now ends. A clock that went back shortens none.
    fn lease_end(&self, now: Timestamp, policy: &Policy) -> Timestamp {
        let lease = policy.for_provider(&self.provider).lease;
        let end = SignedDuration::try_from(lease)
            .ok()
            .and_then(|lease| now.checked_add(lease).ok())
            .unwrap_or(Timestamp::MAX);
        self.lease_expires_at.map_or(end, |current| current.max(end))
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_LIMIT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
