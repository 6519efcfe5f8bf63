//! A store in memory, for tests and models. Nothing survives the process.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use railsbench_core::id::{Attempt, InstanceType, ProviderName, RunId, TaskId, TokenName};
use railsbench_core::lifecycle::{Claim, Command, Idle, Queue, Run, Task, claim};
use railsbench_core::protocol::{Event, EventRecord, LogPart, TaskStatus};
use tokio::sync::broadcast;

use super::{
    CHANGES_KEPT, ClaimCommand, Claimed, Created, NewRun, Store, StoreError, StoredRun,
    StoredToken, TaskFilter, TokenHash, canonical, first_tasks, logs, step,
};

/// A store in memory.
#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<State>,
    changes: broadcast::Sender<RunId>,
}

#[derive(Debug, Default)]
struct State {
    runs: BTreeMap<RunId, RunRecord>,
    runs_of_tasks: HashMap<TaskId, RunId>,
    tokens: HashMap<TokenHash, StoredToken>,
    logs: HashMap<TaskId, Vec<LogPart>>,
}

#[derive(Debug)]
struct RunRecord {
    stored: StoredRun,
    tasks: BTreeMap<TaskId, Task>,
    events: Vec<EventRecord>,
    idle: Vec<(ProviderName, InstanceType, Idle)>,
}

impl RunRecord {
    fn record(&mut self, events: Vec<Event>) {
        for event in events {
            let seq = self.last_seq() + 1;
            let run_id = self.stored.id.clone();
            self.events.push(EventRecord { seq, run_id, event });
        }
    }

    fn last_seq(&self) -> u64 {
        self.events.last().map_or(0, |record| record.seq)
    }

    fn apply(
        &mut self,
        task: &TaskId,
        command: Command,
        now: Timestamp,
    ) -> Result<Task, StoreError> {
        let Some(stored) = self.tasks.get_mut(task) else {
            return Err(StoreError::UnknownTask(task.clone()));
        };
        let policy = self.stored.policy;
        let events = step::apply(&mut self.stored.run, stored, command, now, &policy)?;
        let after = stored.clone();
        self.record(events);
        Ok(after)
    }

    fn claim(&mut self, command: ClaimCommand, now: Timestamp) -> Result<Claimed, StoreError> {
        let in_queue = |task: &&Task| {
            task.provider == command.provider && task.instance_type == command.instance_type
        };
        let due: Vec<TaskId> = self
            .tasks
            .values()
            .filter(in_queue)
            .filter(|task| is_due(task, now))
            .map(|task| task.id.clone())
            .collect();
        for id in due {
            self.apply(&id, Command::Expire, now)?;
        }
        let tasks = || self.tasks.values().filter(in_queue);
        let held = || tasks().filter(|task| task.status.is_held());
        let queue = Queue {
            own: held().find(|task| task.runner_id.as_ref() == Some(&command.runner_id)).cloned(),
            oldest_pending: tasks().find(|task| task.status == TaskStatus::Pending).cloned(),
            held: u32::try_from(held().count()).unwrap_or(u32::MAX),
            idle: self
                .idle
                .iter()
                .filter(|(provider, name, _)| {
                    provider == &command.provider && name == &command.instance_type
                })
                .map(|(.., idle)| idle.clone())
                .collect(),
            stop_requested: self.stored.run.stop_requested,
        };
        let decision = claim(&queue, &command.runner_id, now, &self.stored.policy);
        self.idle.retain(|(provider, name, idle)| {
            provider != &command.provider
                || name != &command.instance_type
                || idle.runner_id != command.runner_id
        });
        match decision {
            Claim::Again(id) => {
                let task = self.tasks.get(&id).cloned().ok_or(StoreError::UnknownTask(id))?;
                Ok(Claimed::Task(Box::new(task)))
            }
            Claim::Take(id) => {
                let runner = command.runner.map(Box::new);
                let take = Command::Claim { runner_id: command.runner_id, runner };
                Ok(Claimed::Task(Box::new(self.apply(&id, take, now)?)))
            }
            Claim::Wait(idle) => {
                let until = idle.until;
                self.idle.push((command.provider, command.instance_type, idle));
                Ok(Claimed::Wait { until })
            }
            Claim::Done => Ok(Claimed::Done),
        }
    }

    fn stop(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let Some(event) = self.stored.run.stop(now) else { return Ok(()) };
        self.record(vec![event]);
        let open = self.tasks.values().filter(|task| !task.status.is_ended());
        let open: Vec<TaskId> = open.map(|task| task.id.clone()).collect();
        for id in open {
            self.apply(&id, Command::Stop, now)?;
        }
        Ok(())
    }
}

fn is_due(task: &Task, now: Timestamp) -> bool {
    task.lease_expires_at.is_some_and(|end| end <= now)
}

impl State {
    fn run_mut(&mut self, id: &RunId) -> Result<&mut RunRecord, StoreError> {
        self.runs.get_mut(id).ok_or_else(|| StoreError::UnknownRun(id.clone()))
    }

    fn run(&self, id: &RunId) -> Result<&RunRecord, StoreError> {
        self.runs.get(id).ok_or_else(|| StoreError::UnknownRun(id.clone()))
    }

    fn create(&mut self, new: NewRun) -> Result<Created, StoreError> {
        if let Some(existing) = self.runs.get(&new.id) {
            return if canonical(&existing.stored.config)? == canonical(&new.config)? {
                Ok(Created { run: existing.stored.clone(), fresh: false })
            } else {
                Err(StoreError::DifferentConfig(new.id))
            };
        }
        let tasks = first_tasks(&new);
        if let Some(taken) = tasks.iter().find(|task| self.runs_of_tasks.contains_key(&task.id)) {
            return Err(StoreError::Engine {
                action: "make the run",
                detail: format!("task id {} is taken; use another seed", taken.id),
            });
        }
        let events = step::first_events(&new, &tasks);
        for task in &tasks {
            self.runs_of_tasks.insert(task.id.clone(), new.id.clone());
        }
        let stored = StoredRun {
            id: new.id.clone(),
            config: new.config,
            policy: new.policy,
            run: Run::new(u32::try_from(tasks.len()).unwrap_or(u32::MAX)),
            created_at: new.at,
        };
        let mut record = RunRecord {
            stored: stored.clone(),
            tasks: tasks.into_iter().map(|task| (task.id.clone(), task)).collect(),
            events: Vec::new(),
            idle: Vec::new(),
        };
        record.record(events);
        self.runs.insert(new.id, record);
        Ok(Created { run: stored, fresh: true })
    }

    fn expire(&mut self, now: Timestamp, limit: u32) -> Result<u32, StoreError> {
        let mut due: Vec<(Option<Timestamp>, TaskId, RunId)> = self
            .runs
            .values()
            .flat_map(|run| run.tasks.values().map(move |task| (run, task)))
            .filter(|(_, task)| is_due(task, now))
            .map(|(run, task)| (task.lease_expires_at, task.id.clone(), run.stored.id.clone()))
            .collect();
        due.sort();
        let mut expired = 0;
        for ((_, task, run), number) in due.into_iter().zip(1..=limit) {
            self.run_mut(&run)?.apply(&task, Command::Expire, now)?;
            expired = number;
        }
        for run in self.runs.values_mut() {
            run.idle.retain(|(.., idle)| idle.until > now);
        }
        self.tokens.retain(|_, token| token.expires_at > now);
        Ok(expired)
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self { state: Mutex::default(), changes: broadcast::channel(CHANGES_KEPT).0 }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and tells which runs have new events.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let lengths = |state: &State| -> HashMap<RunId, u64> {
            state.runs.iter().map(|(id, run)| (id.clone(), run.last_seq())).collect()
        };
        let mut state = self.state();
        let before = lengths(&state);
        let outcome = change(&mut state);
        let after = lengths(&state);
        drop(state);
        for (id, seq) in after {
            if before.get(&id) != Some(&seq) {
                // Nobody may be listening.
                let _ = self.changes.send(id);
            }
        }
        outcome
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn create_run(&self, run: NewRun) -> Result<Created, StoreError> {
        self.change(|state| state.create(run))
    }

    async fn run(&self, id: &RunId) -> Result<Option<StoredRun>, StoreError> {
        Ok(self.state().runs.get(id).map(|run| run.stored.clone()))
    }

    async fn runs(
        &self,
        after: Option<(Timestamp, RunId)>,
        limit: u32,
    ) -> Result<Vec<StoredRun>, StoreError> {
        let state = self.state();
        let mut runs: Vec<&StoredRun> = state
            .runs
            .values()
            .map(|run| &run.stored)
            .filter(|run| {
                after.as_ref().is_none_or(|(at, id)| (run.created_at, &run.id) < (*at, id))
            })
            .collect();
        runs.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        Ok(runs.into_iter().take(count(limit)).cloned().collect())
    }

    async fn tasks(
        &self,
        run: &RunId,
        filter: &TaskFilter,
        after: Option<&TaskId>,
        limit: u32,
    ) -> Result<Vec<Task>, StoreError> {
        let state = self.state();
        let tasks = state.run(run)?.tasks.values();
        Ok(tasks
            .filter(|task| after.is_none_or(|after| &task.id > after) && filter.accepts(task))
            .take(count(limit))
            .cloned()
            .collect())
    }

    async fn task(&self, id: &TaskId) -> Result<Option<(StoredRun, Task)>, StoreError> {
        let state = self.state();
        let Some(run) = state.runs_of_tasks.get(id) else { return Ok(None) };
        let run = state.run(run)?;
        Ok(run.tasks.get(id).map(|task| (run.stored.clone(), task.clone())))
    }

    async fn claim(&self, claim: ClaimCommand, now: Timestamp) -> Result<Claimed, StoreError> {
        self.change(|state| state.run_mut(&claim.run_id)?.claim(claim, now))
    }

    async fn apply(
        &self,
        task: &TaskId,
        command: Command,
        now: Timestamp,
    ) -> Result<Task, StoreError> {
        self.change(|state| {
            let Some(run) = state.runs_of_tasks.get(task).cloned() else {
                return Err(StoreError::UnknownTask(task.clone()));
            };
            state.run_mut(&run)?.apply(task, command, now)
        })
    }

    async fn stop(&self, run: &RunId, now: Timestamp) -> Result<StoredRun, StoreError> {
        self.change(|state| {
            let run = state.run_mut(run)?;
            run.stop(now)?;
            Ok(run.stored.clone())
        })
    }

    async fn expire(&self, now: Timestamp, limit: u32) -> Result<u32, StoreError> {
        self.change(|state| state.expire(now, limit))
    }

    async fn events(
        &self,
        run: &RunId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<EventRecord>, StoreError> {
        let state = self.state();
        let events = state.run(run)?.events.iter();
        Ok(events.filter(|record| record.seq > after).take(count(limit)).cloned().collect())
    }

    async fn append_log(&self, task: &TaskId, part: LogPart) -> Result<(), StoreError> {
        let mut state = self.state();
        if !state.runs_of_tasks.contains_key(task) {
            return Err(StoreError::UnknownTask(task.clone()));
        }
        let log = state.logs.entry(task.clone()).or_default();
        let attempt = part.attempt;
        let end = log.iter().filter(|part| part.attempt == attempt).map(LogPart::end).max();
        if let Some(part) = logs::news(part, end) {
            let outdated = logs::outdated(part.end());
            log.retain(|old| {
                (old.attempt != attempt || old.end() > outdated)
                    && old.attempt.0.saturating_add(logs::ATTEMPTS) > attempt.0
            });
            log.push(part);
            log.sort_by_key(|part| (part.attempt, part.offset));
        }
        Ok(())
    }

    async fn log(
        &self,
        task: &TaskId,
        after: Option<(Attempt, u64)>,
    ) -> Result<Vec<LogPart>, StoreError> {
        let state = self.state();
        if !state.runs_of_tasks.contains_key(task) {
            return Err(StoreError::UnknownTask(task.clone()));
        }
        let log = state.logs.get(task).into_iter().flatten();
        let later = log.filter(|part| after.is_none_or(|after| (part.attempt, part.end()) > after));
        Ok(later.cloned().collect())
    }

    fn changes(&self) -> broadcast::Receiver<RunId> {
        self.changes.subscribe()
    }

    async fn add_token(&self, token: StoredToken) -> Result<(), StoreError> {
        let mut state = self.state();
        if let Some(owner) = &token.owner {
            let same = |other: &StoredToken| {
                other.owner.as_ref().is_some_and(|other| other.name == owner.name)
            };
            if state.tokens.values().any(|other| same(other) && other.expires_at > owner.created_at)
            {
                return Err(StoreError::TokenNameTaken(owner.name.clone()));
            }
            state.tokens.retain(|_, other| !same(other));
        }
        state.tokens.insert(token.hash, token);
        Ok(())
    }

    async fn owned_tokens(&self, now: Timestamp) -> Result<Vec<StoredToken>, StoreError> {
        let state = self.state();
        let owned = state.tokens.values().filter(|token| token.owner.is_some());
        let mut tokens: Vec<_> = owned.filter(|token| token.expires_at > now).cloned().collect();
        tokens.sort_by(|a, b| {
            a.owner.as_ref().map(|a| &a.name).cmp(&b.owner.as_ref().map(|b| &b.name))
        });
        Ok(tokens)
    }

    async fn revoke_token(&self, owner: &TokenName) -> Result<bool, StoreError> {
        let mut state = self.state();
        let before = state.tokens.len();
        state.tokens.retain(|_, token| token.owner.as_ref().is_none_or(|own| &own.name != owner));
        Ok(state.tokens.len() < before)
    }

    async fn token(
        &self,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<StoredToken>, StoreError> {
        Ok(self.state().tokens.get(hash).filter(|token| token.expires_at > now).cloned())
    }

    async fn take_token(
        &self,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<StoredToken>, StoreError> {
        Ok(self.state().tokens.remove(hash).filter(|token| token.expires_at > now))
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

fn count(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
