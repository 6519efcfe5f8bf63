//! Every step that the network, the runners, the operator and time can take, and what must hold.

use jiff::Timestamp;
use railsbench_core::id::Attempt;
use railsbench_core::lifecycle::{Command, Policy};
use railsbench_core::protocol::TaskStatus;
use stateright::{Model, Property};

use crate::bounds::{Action, Bounds, Call, Doing, Request, Runner, State};
use crate::world::invariants::check_state;
use crate::world::{World, start};

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
                Self::answered(&mut state, request, &answer);
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
                Self::answered(&mut state, request, &answer);
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
