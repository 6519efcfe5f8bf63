//! What is in groups: machines, networks, addresses, disks.

use serde_json::{Value, json};

use super::answer::{Answer, Request};
use super::lists::summary;
use super::operations::Effect;
use super::rules::{in_use, refusal, schema_of, script_of};
use super::schema;
use super::world::World;

impl World {
    pub(super) fn in_group(
        &mut self,
        request: &Request,
        lower: &[&str],
        failing: Option<(&'static str, &'static str)>,
    ) -> Answer {
        let id = format!("/{}", lower.join("/"));
        match (request.method.as_str(), &lower[4..]) {
            ("GET", ["resources"]) => {
                let within = format!("/{}/", lower[..4].join("/"));
                let items = self.resources.iter().filter(|(id, _)| id.starts_with(&within));
                let items = items.map(|(_, item)| summary(item)).collect();
                self.page(request, items)
            }
            ("GET", ["providers", _, _]) => {
                let within = format!("{id}/");
                let items = self.resources.iter().filter(|(id, _)| id.starts_with(&within));
                let items = items.map(|(_, item)| item.clone()).collect();
                self.page(request, items)
            }
            (
                "POST",
                [
                    "providers",
                    "microsoft.compute",
                    "virtualmachines",
                    name,
                    "retrievebootdiagnosticsdata",
                ],
            ) => {
                let id = id.trim_end_matches("/retrievebootdiagnosticsdata");
                if !self.resources.contains_key(id) {
                    return Answer::error(404, "ResourceNotFound", id);
                }
                let url = format!("{}/blob/{name}?sig=secret", self.base);
                Answer::json(200, json!({"serialConsoleLogBlobUri": url}))
            }
            ("GET", ["providers", _, _, _]) => {
                self.advance(|effect| matches!(effect, Effect::Made(made) | Effect::Failed(made, ..) if *made == id));
                match self.resources.get(&id) {
                    Some(resource) => Answer::json(200, viewed(resource, request)),
                    None => Answer::error(404, "ResourceNotFound", &id),
                }
            }
            ("PUT", ["providers", namespace, kind, name]) => {
                let root = schema_of(&format!("{namespace}/{kind}"));
                let Some(root) = root else {
                    return Answer::error(404, "InvalidResourceType", kind);
                };
                self.make(request, root, &id, lower[3], name, failing)
            }
            ("DELETE", ["providers", _, _, _]) => {
                if !self.resources.contains_key(&id) {
                    return Answer::empty(204);
                }
                if let Some(refused) = in_use(&self.resources, &id) {
                    return refused;
                }
                let number = self.begin(Effect::Gone(id));
                Answer::empty(202)
                    .with("azure-asyncoperation", format!("{}/operations/{number}", self.base))
                    .with("location", format!("{}/locations/{number}", self.base))
                    .with("retry-after", "0")
            }
            _ => Answer::error(404, "NotFound", &request.path),
        }
    }

    fn make(
        &mut self,
        request: &Request,
        root: &str,
        id: &str,
        group: &str,
        name: &str,
        failing: Option<(&'static str, &'static str)>,
    ) -> Answer {
        let mut body = match checked(root, request) {
            Ok(body) => body,
            Err(refused) => return refused,
        };
        if self.groups[group]["properties"]["provisioningState"] == "Deleting" {
            return Answer::error(409, "ResourceGroupBeingDeleted", "It is being removed.");
        }
        if name.len() > 80 || body["location"] != self.groups[group]["location"] {
            return Answer::error(400, "InvalidResourceName", name);
        }
        if let Some(refused) = refusal(&self.resources, id, root, &body) {
            return refused;
        }
        let is_machine = root == "VirtualMachine";
        let earlier = self.resources.get(id).cloned();
        // As it was sent: ids keep the case of the first call.
        let sent = request.path.clone();
        body["id"] = earlier.as_ref().map_or(json!(sent), |earlier| earlier["id"].clone());
        body["name"] = sent.rsplit('/').next().unwrap().into();
        let parts = request.parts();
        body["type"] = format!("{}/{}", parts[5], parts[6]).into();
        let state = earlier.as_ref().map_or(json!("Creating"), |earlier| {
            earlier["properties"]["provisioningState"].clone()
        });
        body["properties"]["provisioningState"] = state;
        if is_machine {
            self.make_disk(request, &mut body);
        }
        self.resources.insert(id.to_owned(), body.clone());
        if is_machine && earlier.is_none() && failing.is_none() {
            self.machines.start(id, &script_of(&body));
        }
        let effect = match failing {
            Some((code, message)) => Effect::Failed(id.to_owned(), code, message),
            None => Effect::Made(id.to_owned()),
        };
        if is_machine {
            // What only the machine may read does not come back.
            body["properties"]["osProfile"].as_object_mut().unwrap().remove("customData");
        }
        if earlier.is_some() {
            return Answer::json(200, body);
        }
        let number = self.begin(effect);
        Answer::json(201, body)
            .with("azure-asyncoperation", format!("{}/operations/{number}", self.base))
            .with("retry-after", "0")
    }

    /// What a machine of this name has printed to its console.
    pub(super) fn console(&self, name: &str) -> String {
        let end = format!("/virtualmachines/{name}");
        let machine = self.resources.keys().find(|id| id.ends_with(&end));
        let log = machine.and_then(|id| self.machines.log(id));
        log.unwrap_or_else(|| format!("railsbench: {name} says hello\n"))
    }

    /// A machine that shuts down is stopped, and stays.
    pub(super) fn note_ended_machines(&mut self) {
        for id in self.machines.ended("") {
            if let Some(machine) = self.resources.get_mut(&id) {
                machine["power"] = "stopped".into();
            }
        }
    }

    fn make_disk(&mut self, request: &Request, machine: &mut Value) {
        let group = request.parts()[..4].join("/");
        let disk = &mut machine["properties"]["storageProfile"]["osDisk"];
        let name = disk["name"].as_str().unwrap().to_owned();
        let id = format!("/{group}/providers/Microsoft.Compute/disks/{name}");
        disk["managedDisk"]["id"] = id.clone().into();
        // It is made by Azure, and without the tags.
        let made = json!({"id": id, "name": name, "type": "Microsoft.Compute/disks",
            "location": machine["location"]});
        self.resources.insert(id.to_lowercase(), made);
    }
}

pub(super) fn checked(root: &str, request: &Request) -> Result<Value, Answer> {
    let body = request.json()?;
    schema::check(root, &body)
        .map_err(|problem| Answer::error(400, "InvalidRequestContent", &problem))?;
    Ok(body)
}

/// A resource as it is shown, with its view of itself if that is asked for.
fn viewed(resource: &Value, request: &Request) -> Value {
    let mut shown = resource.clone();
    if let Some(system) = shown["properties"]["osProfile"].as_object_mut() {
        system.remove("customData");
    }
    if request.query.get("$expand").is_some_and(|expand| expand == "instanceView") {
        let provisioning = resource["properties"]["provisioningState"].as_str().unwrap();
        let mut statuses =
            vec![json!({"code": format!("ProvisioningState/{}", provisioning.to_lowercase())})];
        if let Some(code) = resource["trouble"][0].as_str() {
            statuses[0] = json!({"code": format!("ProvisioningState/failed/{code}"),
                "message": resource["trouble"][1]});
        }
        let power = resource["power"].as_str().unwrap_or("running");
        if provisioning == "Succeeded" {
            statuses.push(json!({"code": format!("PowerState/{power}")}));
        }
        shown["properties"]["instanceView"] = json!({"statuses": statuses});
    }
    shown
}
