//! The lifecycle, model-checked: runners, tasks and an operator over a network that delays,
//! loses and duplicates requests and loses answers, with leases that run out at any moment.
//! Every reachable state within the bounds is visited.
//!
//! Time is abstract: it stands still but for a lease that runs out, which may happen to any held
//! task at any step. The clock's own tricks are for the property tests.

mod world;

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Mutex;

use jiff::Timestamp;
use railsbench_core::id::Attempt;
use railsbench_core::lifecycle::{Claim, Command, Policy, Rejection};
use railsbench_core::protocol::{Directive, Event, EventKind, Phase, Requeue, TaskStatus};
use stateright::{Checker, Expectation, HasDiscoveries, Model, Property};

use world::invariants::{check_state, check_step};
use world::{World, complete, fail, full, heartbeat, release, runner, start};

/// What is explored.
struct Bounds {
    runners: usize,
    tasks: u32,
    max_attempts: u32,
    /// Requests lost, delayed or duplicated, and answers lost, in one history.
    faults: u8,
    /// Tasks given back in one history.
    releases: u8,
    /// Whether the operator may stop the run.
    stop: bool,
    /// Whether a runner that is gone is replaced while a task is pending.
    replace: bool,
    /// Requests on their way at one time.
    in_flight: usize,
    /// The phases that a runner reports, in order.
    phases: &'static [Phase],
    /// How often each outcome was seen.
    seen: Mutex<BTreeMap<&'static str, u64>>,
}

impl Default for Bounds {
    /// Two runners, two tasks, each tried at most twice, one fault.
    fn default() -> Self {
        Self {
            runners: 2,
            tasks: 2,
            max_attempts: 2,
            faults: 1,
            releases: 0,
            stop: false,
            replace: false,
            in_flight: 2,
            phases: &[],
            seen: Mutex::default(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Doing {
    /// It has nothing and asks for work.
    Asking,
    /// It was told to wait.
    Spare,
    /// It believes to hold this attempt, and has reported so many phases.
    Working { task: usize, attempt: Attempt, reported: usize },
    /// It was told to stop, or ended, or crashed.
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Call {
    Claim,
    Heartbeat(usize, Attempt, usize),
    Complete(usize, Attempt),
    Fail(usize, Attempt),
    Release(usize, Attempt),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Request {
    runner: usize,
    call: Call,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Runner {
    doing: Doing,
    /// The call whose answer it waits for.
    waits_for: Option<Call>,
}

#[derive(Debug, Clone, PartialEq)]
struct State {
    world: World,
    runners: Vec<Runner>,
    in_flight: Vec<Request>,
    faults: u8,
    releases: u8,
    /// What a step broke, if one did.
    broken: Option<String>,
}

impl Hash for State {
    /// All that decides what can happen next, and so no texts and no time of the last change.
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let World { run, tasks, idle, .. } = &self.world;
        (run.status, run.stop_requested).hash(hasher);
        for task in tasks {
            (task.status, task.attempt, task.failures, task.stop_requested).hash(hasher);
            (task.lease_expires_at, task.phase, &task.result).hash(hasher);
            if task.status.is_held() || task.status == TaskStatus::Pending {
                (&task.runner_id, &task.attempts).hash(hasher);
            }
        }
        idle.hash(hasher);
        (&self.runners, &self.in_flight, self.faults, self.releases).hash(hasher);
        self.broken.hash(hasher);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Send(Request),
    /// The server handles a request and its answer arrives.
    Deliver(Request),
    /// … and its answer is lost.
    LoseAnswer(Request),
    /// … and will get it once more.
    Duplicate(Request),
    Lose(Request),
    /// A runner gives up on a request that is still on its way.
    Delay(usize),
    Crash(usize),
    Replace(usize),
    RunOut(usize),
    Stop,
}

enum Answer {
    Assigned(usize, Attempt),
    Wait,
    Done,
    Continue,
    Ended,
}

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
    fn serve(&self, state: &mut State, request: Request) -> Answer {
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

    fn after_step(&self, before: &World, events: &[Event], state: &mut State) {
        self.count_events(before, events);
        if let Err(broken) = check_step(before, events, &state.world) {
            state.broken = Some(broken);
        }
    }

    /// A runner gets an answer, and decides what to do next.
    fn answered(&self, state: &mut State, request: Request, answer: &Answer) {
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

    fn calls(&self, state: &State, number: usize) -> Vec<Call> {
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

impl Model for Bounds {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let policy = Policy { max_attempts: self.max_attempts, ..Policy::default() };
        let runner = Runner { doing: Doing::Asking, waits_for: None };
        vec![State {
            world: World::new(&[("local", "host")], self.tasks, policy),
            runners: vec![runner; self.runners],
            in_flight: Vec::new(),
            faults: 0,
            releases: 0,
            broken: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let may_fail = state.faults < self.faults;
        for (number, runner) in state.runners.iter().enumerate() {
            if runner.doing == Doing::Gone {
                if self.replace && state.world.run.counts.pending > 0 {
                    actions.push(Action::Replace(number));
                }
                continue;
            }
            if matches!(runner.doing, Doing::Working { .. }) {
                actions.push(Action::Crash(number));
            }
            if let Some(call) = runner.waits_for {
                if may_fail && state.in_flight.contains(&Request { runner: number, call }) {
                    actions.push(Action::Delay(number));
                }
            } else if state.in_flight.len() < self.in_flight {
                let calls = self.calls(state, number).into_iter();
                actions.extend(calls.map(|call| Action::Send(Request { runner: number, call })));
            }
        }
        let mut requests = state.in_flight.clone();
        requests.dedup();
        for request in requests {
            actions.push(Action::Deliver(request));
            if may_fail {
                actions.push(Action::Lose(request));
                actions.push(Action::Duplicate(request));
                if state.runners[request.runner].waits_for == Some(request.call) {
                    actions.push(Action::LoseAnswer(request));
                }
            }
        }
        for (index, task) in state.world.tasks.iter().enumerate() {
            if task.status.is_held() {
                actions.push(Action::RunOut(index));
            }
        }
        let run = &state.world.run;
        if self.stop && !run.stop_requested && !run.status.is_ended() {
            actions.push(Action::Stop);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        let take = |state: &mut State, request: Request| {
            let place = state.in_flight.iter().position(|other| *other == request).unwrap();
            state.in_flight.remove(place);
        };
        let give_up = |state: &mut State, request: Request| {
            let runner = &mut state.runners[request.runner];
            if runner.waits_for == Some(request.call) {
                runner.waits_for = None;
            }
        };
        match action {
            Action::Send(request) => {
                state.runners[request.runner].waits_for = Some(request.call);
                if matches!(request.call, Call::Release(..)) {
                    state.releases += 1;
                }
                state.in_flight.push(request);
                state.in_flight.sort_unstable();
            }
            Action::Deliver(request) => {
                take(&mut state, request);
                let answer = self.serve(&mut state, request);
                self.answered(&mut state, request, &answer);
            }
            Action::LoseAnswer(request) => {
                state.faults += 1;
                take(&mut state, request);
                self.serve(&mut state, request);
                give_up(&mut state, request);
            }
            Action::Duplicate(request) => {
                state.faults += 1;
                let answer = self.serve(&mut state, request);
                self.answered(&mut state, request, &answer);
            }
            Action::Lose(request) => {
                state.faults += 1;
                take(&mut state, request);
                give_up(&mut state, request);
            }
            Action::Delay(number) => {
                state.faults += 1;
                state.runners[number].waits_for = None;
            }
            Action::Crash(number) => {
                state.runners[number] = Runner { doing: Doing::Gone, waits_for: None };
            }
            Action::Replace(number) => state.runners[number].doing = Doing::Asking,
            Action::RunOut(index) => {
                let before = state.world.clone();
                let end: Timestamp = before.tasks[index].lease_expires_at.unwrap();
                let events = state.world.apply(index, Command::Expire, end);
                self.after_step(&before, &events.expect("expiry is never refused"), &mut state);
            }
            Action::Stop => {
                let before = state.world.clone();
                let events = state.world.stop(start());
                self.after_step(&before, &events, &mut state);
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no step breaks a rule", |_, state: &State| state.broken.is_none()),
            Property::always("every state keeps the invariants", |_, state: &State| {
                check_state(&state.world).is_ok()
            }),
            Property::always("claims are bounded", |model: &Self, state: &State| {
                let most = model.max_attempts + u32::from(model.releases);
                state.world.tasks.iter().all(|task| task.attempt.0 <= most)
            }),
            Property::eventually("the run ends", |_, state: &State| {
                state.world.run.status.is_ended()
            }),
            Property::sometimes("a late completion is accepted", |_, state: &State| {
                let late = |status, failures, attempt: Attempt| {
                    status == TaskStatus::Completed && failures == attempt.0
                };
                let mut tasks = state.world.tasks.iter();
                tasks.any(|task| late(task.status, task.failures, task.attempt))
            }),
            Property::sometimes("a runner works on after it lost its lease", |_, state: &State| {
                state.runners.iter().any(|runner| match runner.doing {
                    Doing::Working { task, attempt, .. } => {
                        attempt < state.world.tasks[task].attempt
                    }
                    _ => false,
                })
            }),
            Property::sometimes("all tasks complete", |_, state: &State| {
                state.world.run.counts.completed == state.world.run.counts.total
            }),
            Property::sometimes("a spare waits", |_, state: &State| {
                state.runners.iter().any(|runner| runner.doing == Doing::Spare)
            }),
        ]
    }
}

/// Visits every state within the bounds and gives how often each outcome was seen.
fn explore(name: &str, bounds: Bounds) -> BTreeMap<&'static str, u64> {
    let began = std::time::Instant::now();
    let checker =
        bounds.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let seen = checker.model().seen.lock().unwrap().clone();
    println!(
        "{name}: {} states, {} steps, depth {}, {:.1} s; {seen:#?}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        began.elapsed().as_secs_f64(),
    );
    for (property, path) in checker.discoveries() {
        if checker.model().property(property).expectation == Expectation::Sometimes {
            continue;
        }
        let state = path.last_state();
        let broken = state.broken.clone().or_else(|| check_state(&state.world).err());
        for action in path.into_actions() {
            println!("  {action:?}");
        }
        panic!("{name}: not so: {property}: {}", broken.unwrap_or_default());
    }
    checker.assert_properties();
    assert!(checker.is_done());
    seen
}

fn assert_seen(seen: &BTreeMap<&'static str, u64>, outcomes: &[&'static str]) {
    for outcome in outcomes {
        assert!(seen.contains_key(outcome), "never seen: {outcome}");
    }
}

/// The operator may stop at any step, and does in the end, so every history must end with the
/// run ended, whatever became of the runners.
#[test]
fn two_runners_two_tasks_and_a_stop_keep_all_invariants() {
    let bounds = Bounds { releases: 1, stop: true, ..Bounds::default() };
    let seen = explore("with stop", bounds);
    assert_seen(
        &seen,
        &[
            "first claim",
            "claim after a lost or failed attempt",
            "claim answered again",
            "release",
            "expiry",
            "retry",
            "completion",
            "late completion",
            "failure for good",
            "cancelled at once",
            "cancelled while held",
            "said before, or too late to matter",
            "lease lost",
            "wrong state",
        ],
    );
}

/// Without a stop, a run ends as long as lost runners are replaced: each lost one uses up an
/// attempt, so that even runners that all vanish bring every task to an end.
#[test]
fn a_run_whose_runners_are_replaced_ends_without_a_stop() {
    let seen = explore("with replacement", Bounds { replace: true, ..Bounds::default() });
    assert_seen(&seen, &["expiry", "late completion", "failure for good", "lease lost"]);
}

/// Heartbeats of two phases, which may overtake each other and everything else.
const PHASES: &[Phase] = &[Phase::Provision, Phase::Running];

#[test]
fn heartbeats_out_of_order_keep_all_invariants() {
    let bounds = Bounds { tasks: 1, faults: 2, phases: PHASES, replace: true, ..Bounds::default() };
    let seen = explore("with heartbeats", bounds);
    assert_seen(&seen, &["heartbeat", "late heartbeat", "late completion", "lease lost"]);
}

#[test]
#[ignore = "3 million states, several minutes: run with --ignored"]
fn heartbeats_out_of_order_on_two_tasks_keep_all_invariants() {
    let bounds = Bounds { phases: PHASES, replace: true, ..Bounds::default() };
    let seen = explore("with heartbeats on two tasks", bounds);
    assert_seen(&seen, &["heartbeat", "late heartbeat", "late completion", "lease lost"]);
}
