//! How the dynos of an app are.
//!
//! Whoever follows a run asks again every few seconds, for every machine, and Heroku grants an
//! account 75 calls a minute. So an answer serves all who ask about an app for a while.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use railsbench_core::provider::{MachineState, ProviderError};

use super::api::{Api, Dyno, ProcessType};
use super::naming::DynoKey;

/// What was seen of an app.
#[derive(Debug)]
pub(super) struct Seen {
    formation: Vec<ProcessType>,
    dynos: Vec<Dyno>,
}

/// Looks at apps, and not too often.
#[derive(Debug)]
pub(super) struct Watch {
    /// For how long a look is as good as another.
    pub(super) good_for: Duration,
    seen: Mutex<HashMap<String, (Instant, Arc<Seen>)>>,
}

impl Watch {
    pub(super) fn new(good_for: Duration) -> Self {
        Self { good_for, seen: Mutex::default() }
    }

    /// How an app is; absent if there is none.
    pub(super) async fn look(
        &self,
        api: &Api,
        app: &str,
    ) -> Result<Option<Arc<Seen>>, ProviderError> {
        let now = Instant::now();
        if let Some((at, seen)) = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(app)
            && now.duration_since(*at) < self.good_for
        {
            return Ok(Some(Arc::clone(seen)));
        }
        let formation = api.formation(app).await?;
        let dynos = api.dynos(app).await?;
        let (Some(formation), Some(dynos)) = (formation, dynos) else {
            self.forget(app);
            return Ok(None);
        };
        let seen = Arc::new(Seen { formation, dynos });
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(app.to_owned(), (now, Arc::clone(&seen)));
        Ok(Some(seen))
    }

    /// The next look at an app is a fresh one: it was changed.
    pub(super) fn forget(&self, app: &str) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(app);
    }
}

impl Seen {
    /// How a dyno is. Heroku's words are not in its published interface; those that it uses are
    /// `starting`, `up`, `idle`, `crashed` and `down`.
    pub(super) fn state(&self, key: &DynoKey) -> MachineState {
        let name = key.dyno();
        let stopped = |reason: String| MachineState::Stopped { reason };
        match self.dynos.iter().find(|dyno| dyno.name == name).map(|dyno| dyno.state.as_str()) {
            Some("up") => MachineState::Running,
            Some("crashed" | "complete") => stopped(format!("the runner on {name} ended")),
            Some("idle") => stopped(format!("Heroku has put {name} to sleep")),
            Some(_) => MachineState::Starting,
            None => match quantity(&self.formation, &key.process_type) {
                quantity if quantity >= key.number => MachineState::Starting,
                quantity => stopped(format!("{} is scaled to {quantity}", key.process_type)),
            },
        }
    }

    /// The process types that have dynos, all of which ended.
    pub(super) fn ended(&self) -> HashSet<String> {
        let ended = |process_type: &&ProcessType| {
            let prefix = format!("{}.", process_type.name);
            let mut ended = 0;
            for dyno in self.dynos.iter().filter(|dyno| dyno.name.starts_with(&prefix)) {
                if !matches!(dyno.state.as_str(), "crashed" | "complete") {
                    return false;
                }
                ended += 1;
            }
            process_type.quantity > 0 && ended >= process_type.quantity
        };
        self.formation.iter().filter(ended).map(|process_type| process_type.name.clone()).collect()
    }
}

/// How many dynos a process type has.
pub(super) fn quantity(formation: &[ProcessType], process_type: &str) -> u32 {
    let found = formation.iter().find(|found| found.name == process_type);
    found.map_or(0, |found| found.quantity)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formation(quantity: u32) -> Vec<ProcessType> {
        let process_type = |name: &str, quantity| ProcessType {
            name: name.to_owned(),
            quantity,
            size: "Standard-1X".to_owned(),
        };
        vec![process_type("standard-1x", quantity), process_type("standard-2x", 0)]
    }

    fn dynos(states: &[&str]) -> Vec<Dyno> {
        let dyno = |(index, state): (usize, &&str)| Dyno {
            name: format!("standard-1x.{}", index + 1),
            state: (*state).to_owned(),
        };
        states.iter().enumerate().map(dyno).collect()
    }

    fn seen(states: &[&str], quantity: u32) -> Seen {
        Seen { formation: formation(quantity), dynos: dynos(states) }
    }

    #[test]
    fn dynos_are_as_heroku_says() {
        let key: DynoKey = "railsbencher-runner-r1/standard-1x.2".parse().unwrap();
        let cases: [(&[&str], u32, &str); 8] = [
            (&["up", "up"], 2, "Running"),
            (&["up", "starting"], 2, "Starting"),
            (&["up", "down"], 2, "Starting"),
            (&["up", "a new word"], 2, "Starting"),
            (&["up", "crashed"], 2, "Stopped { reason: \"the runner on standard-1x.2 ended\" }"),
            (&["up", "idle"], 2, "Stopped { reason: \"Heroku has put standard-1x.2 to sleep\" }"),
            (&["up"], 2, "Starting"),
            (&[], 0, "Stopped { reason: \"standard-1x is scaled to 0\" }"),
        ];
        for (states, quantity, expected) in cases {
            let found = seen(states, quantity).state(&key);
            assert_eq!(format!("{found:?}"), expected);
        }
    }

    #[test]
    fn a_process_type_has_ended_when_all_of_its_dynos_have() {
        for (states, quantity, expected) in [
            (&["crashed", "crashed"][..], 2, true),
            (&["crashed", "up"], 2, false),
            (&["crashed", "starting"], 2, false),
            (&["crashed"], 2, false),
            (&[], 2, false),
            (&[], 0, false),
        ] {
            let ended = seen(states, quantity).ended();
            assert_eq!(ended.contains("standard-1x"), expected, "{states:?}");
            assert!(!ended.contains("standard-2x"));
        }
    }
}
