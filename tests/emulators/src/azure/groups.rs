//! Resource groups, which take with them what is in them.

use serde_json::{Value, json};

use super::answer::{Answer, Request};
use super::operations::Effect;
use super::resources::checked;
use super::world::{SUBSCRIPTION, World};

impl World {
    /// A page of all groups, among them those whose removal lists do not show yet.
    pub(super) fn listed_groups(&mut self, request: &Request) -> Answer {
        let mut groups: Vec<Value> = self.groups.values().cloned().collect();
        groups.extend(self.ghosts());
        self.advance_groups();
        self.page(request, groups)
    }

    fn ghosts(&mut self) -> Vec<Value> {
        self.ghosts.retain_mut(|(looks, _)| {
            let shown = *looks > 0;
            *looks = looks.saturating_sub(1);
            shown
        });
        self.ghosts.iter().map(|(_, group)| group.clone()).collect()
    }

    /// Groups that are being removed go also if nobody looks at the operation.
    fn advance_groups(&mut self) {
        self.advance(|effect| matches!(effect, Effect::GroupGone(_)));
    }

    pub(super) fn group(&mut self, request: &Request, name: &str, key: &str) -> Answer {
        let found = self.groups.get(key).cloned();
        let leaving = found
            .as_ref()
            .is_some_and(|group| group["properties"]["provisioningState"] == "Deleting");
        match (request.method.as_str(), found) {
            ("GET", Some(group)) => {
                self.advance_groups();
                Answer::json(200, group)
            }
            ("GET" | "DELETE", None) => {
                Answer::error(404, "ResourceGroupNotFound", "There is no such group.")
            }
            ("PUT", _) if leaving => {
                Answer::error(409, "ResourceGroupBeingDeleted", "It is being removed.")
            }
            ("PUT", found) => {
                let mut body = match checked("ResourceGroup", request) {
                    Ok(body) => body,
                    Err(refused) => return refused,
                };
                let fits = |c: char| c.is_ascii_alphanumeric() || "-_().".contains(c);
                if name.len() > 90 || name.ends_with('.') || !name.chars().all(fits) {
                    return Answer::error(400, "InvalidResourceGroup", name);
                }
                if found.as_ref().is_some_and(|group| group["location"] != body["location"]) {
                    return Answer::error(409, "InvalidResourceGroupLocation", name);
                }
                body["id"] = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}").into();
                body["name"] = name.into();
                body["type"] = "Microsoft.Resources/resourceGroups".into();
                body["properties"] = json!({"provisioningState": "Succeeded"});
                self.groups.insert(key.to_owned(), body.clone());
                Answer::json(if found.is_some() { 200 } else { 201 }, body)
            }
            ("DELETE", Some(mut group)) => {
                group["properties"]["provisioningState"] = "Deleting".into();
                self.groups.insert(key.to_owned(), group);
                let number = self.begin(Effect::GroupGone(key.to_owned()));
                Answer::empty(202)
                    .with("location", format!("{}/locations/{number}", self.base))
                    .with("retry-after", "0")
            }
            _ => Answer::error(405, "MethodNotAllowed", &request.path),
        }
    }
}
