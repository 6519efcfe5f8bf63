//! What Azure goes on with after its answer, and how that is looked at.

use serde_json::json;

use super::answer::Answer;
use super::rules::goes_along;
use super::world::World;

/// How often an operation is looked at before it is done.
const LOOKS: u32 = 2;

/// What an operation does when it is done.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    Made(String),
    GroupGone(String),
    Gone(String),
    Failed(String, &'static str, &'static str),
}

#[derive(Debug, Clone)]
pub(super) struct Operation {
    looks_left: u32,
    effect: Effect,
}

impl World {
    pub(super) fn begin(&mut self, effect: Effect) -> u64 {
        self.last_operation += 1;
        self.operations.insert(self.last_operation, Operation { looks_left: LOOKS, effect });
        self.last_operation
    }

    pub(super) fn look(&mut self, number: u64, with_state: bool) -> Answer {
        let Some(operation) = self.operations.get_mut(&number) else {
            return Answer::error(404, "NotFound", "The operation is forgotten.");
        };
        if operation.looks_left > 0 {
            operation.looks_left -= 1;
            return if with_state {
                Answer::json(200, json!({"status": "InProgress"})).with("retry-after", "0")
            } else {
                Answer::empty(202).with("retry-after", "0")
            };
        }
        let effect = operation.effect.clone();
        if !matches!(effect, Effect::Failed(..)) {
            self.operations.remove(&number);
        }
        let mut done = json!({"status": "Succeeded"});
        match effect {
            Effect::Made(id) => {
                if let Some(resource) = self.resources.get_mut(&id) {
                    resource["properties"]["provisioningState"] = "Succeeded".into();
                }
            }
            Effect::Failed(id, code, message) => {
                if let Some(resource) = self.resources.get_mut(&id) {
                    resource["properties"]["provisioningState"] = "Failed".into();
                    resource["trouble"] = json!([code, message]);
                }
                let error = json!({"code": code, "message": message});
                done = json!({"status": "Failed", "error": error});
            }
            Effect::Gone(id) => self.remove(&id),
            Effect::GroupGone(name) => {
                if let Some(group) = self.groups.remove(&name) {
                    let within = format!("{}/", group["id"].as_str().unwrap().to_lowercase());
                    self.resources.retain(|id, _| {
                        let stays = !id.starts_with(&within);
                        if !stays {
                            self.machines.end(id);
                        }
                        stays
                    });
                    if self.lag > 0 {
                        self.ghosts.push((self.lag, group));
                    }
                }
            }
        }
        Answer::json(200, done)
    }

    fn remove(&mut self, id: &str) {
        let is_of_it =
            |effect: &Effect| matches!(effect, Effect::Failed(failed, ..) if failed == id);
        self.operations.retain(|_, operation| !is_of_it(&operation.effect));
        self.machines.end(id);
        if let Some(resource) = self.resources.remove(id) {
            for other in goes_along(&resource) {
                self.remove(&other);
            }
        }
    }

    pub(super) fn advance(&mut self, is_meant: impl Fn(&Effect) -> bool) {
        let numbers: Vec<u64> = self
            .operations
            .iter()
            .filter(|(_, operation)| is_meant(&operation.effect))
            .map(|(number, _)| *number)
            .collect();
        for number in numbers {
            self.look(number, false);
        }
    }
}
