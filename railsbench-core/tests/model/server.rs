//! What the server does with a request, and what a runner makes of the answer.

use railsbench_core::id::Attempt;
use railsbench_core::lifecycle::{Claim, Command, Rejection};
use railsbench_core::protocol::{Directive, Event, EventKind, Requeue, TaskStatus};

use crate::bounds::{Answer, Bounds, Call, Doing, Request, State};
use crate::world::invariants::check_step;
use crate::world::{World, complete, fail, full, heartbeat, release, runner, start};

impl Bounds {
    fn count(&self, what: &'static str) {
        *self.seen.lock().unwrap().entry(what).or_default() += 1;
    }

    fn count_events(&self, before: &World, events: &[Event]) {
        for event in events {
            let task = event.task_id.as_ref().map(|id| &before.tasks[before.index_of(id)]);
            let pending = task.is_some_and(|task| task.status == TaskStatus::Pending);
            self.count(match &event.kind {
                EventKind::TaskClaimed { attempt: Attempt(1), .. } => "first claim",
                EventKind::TaskClaimed { .. } => "claim after a lost or failed attempt",
                EventKind::Heartbeat { .. } => "heartbeat",
                EventKind::TaskRequeued { reason: Requeue::Released, .. } => "release",
                EventKind::TaskRequeued { reason: Requeue::LeaseExpired, .. } => "expiry",
                EventKind::TaskRequeued { reason: Requeue::AttemptFailed, .. } => "retry",
                EventKind::TaskCompleted { .. } if pending => "late completion",
                EventKind::TaskCompleted { .. } => "completion",
                EventKind::TaskFailed { .. } => "failure for good",
                EventKind::TaskCancelled if pending => "cancelled at once",
                EventKind::TaskCancelled => "cancelled while held",
                _ => "of the run",
            });
        }
    }

    /// The server takes a request.
    pub fn serve(&self, state: &mut State, request: Request) -> Answer {
        let before = state.world.clone();
        let runner_id = runner(request.runner);
        let world = &mut state.world;
        let (answer, events) = match request.call {
            Call::Claim => {
                let (decision, events) = world.claim(0, &runner_id, start());
                let answer = match decision {
                    Claim::Again(id) | Claim::Take(id) => {
                        let index = world.index_of(&id);
                        Answer::Assigned(index, world.tasks[index].attempt)
                    }
                    Claim::Wait(_) => Answer::Wait,
                    Claim::Done => Answer::Done,
                };
                if matches!(answer, Answer::Assigned(..)) && events.is_empty() {
                    self.count("claim answered again");
                }
                (answer, events)
            }
            Call::Heartbeat(index, attempt, phase) => {
                if world.tasks[index].phase > Some(self.phases[phase]) {
                    self.count("late heartbeat");
                }
                let command = heartbeat(full(&runner_id, attempt), self.phases[phase]);
                self.apply(world, index, command)
            }
            Call::Complete(index, attempt) => {
                let id = world.tasks[index].id.clone();
                self.apply(world, index, complete(full(&runner_id, attempt), &id, attempt))
            }
            Call::Fail(index, attempt) => {
                self.apply(world, index, fail(full(&runner_id, attempt), true))
            }
            Call::Release(index, attempt) => {
                self.apply(world, index, release(full(&runner_id, attempt)))
            }
        };
        self.after_step(&before, &events, state);
        answer
    }

    fn apply(&self, world: &mut World, index: usize, command: Command) -> (Answer, Vec<Event>) {
        let ends = !matches!(command, Command::Heartbeat { .. });
        match world.apply(index, command, start()) {
            Ok(events) => {
                if events.is_empty() {
                    self.count("said before, or too late to matter");
                }
                let stops = world.tasks[index].directive() == Directive::Stop;
                (if ends || stops { Answer::Ended } else { Answer::Continue }, events)
            }
            Err(rejection) => {
                self.count(match rejection {
                    Rejection::LeaseLost { .. } => "lease lost",
                    Rejection::WrongState { .. } => "wrong state",
                    Rejection::WrongRunner { .. } => "wrong runner",
                });
                (Answer::Ended, Vec::new())
            }
        }
    }

    pub fn after_step(&self, before: &World, events: &[Event], state: &mut State) {
        self.count_events(before, events);
        if let Err(broken) = check_step(before, events, &state.world) {
            state.broken = Some(broken);
        }
    }

    /// A runner gets an answer, and decides what to do next.
    pub fn answered(state: &mut State, request: Request, answer: &Answer) {
        let runner = &mut state.runners[request.runner];
        if runner.waits_for != Some(request.call) {
            return;
        }
        runner.waits_for = None;
        runner.doing = match (answer, request.call) {
            (Answer::Assigned(task, attempt), _) => {
                Doing::Working { task: *task, attempt: *attempt, reported: 0 }
            }
            (Answer::Wait, _) => Doing::Spare,
            (Answer::Continue, Call::Heartbeat(task, attempt, phase)) => {
                Doing::Working { task, attempt, reported: phase + 1 }
            }
            (Answer::Done, _) | (_, Call::Release(..)) => Doing::Gone,
            _ => Doing::Asking,
        };
    }

    pub fn calls(&self, state: &State, number: usize) -> Vec<Call> {
        match state.runners[number].doing {
            Doing::Asking => vec![Call::Claim],
            // A long poll: it is answered when there is something new to say.
            Doing::Spare => {
                let counts = &state.world.run.counts;
                let news = counts.pending > 0 || counts.claimed + counts.running == 0;
                if news || state.world.run.stop_requested { vec![Call::Claim] } else { Vec::new() }
            }
            Doing::Working { task, attempt, reported } => {
                let mut calls = vec![Call::Complete(task, attempt), Call::Fail(task, attempt)];
                if reported < self.phases.len() {
                    calls.push(Call::Heartbeat(task, attempt, reported));
                }
                if state.releases < self.releases {
                    calls.push(Call::Release(task, attempt));
                }
                calls
            }
            Doing::Gone => Vec::new(),
        }
    }
}
