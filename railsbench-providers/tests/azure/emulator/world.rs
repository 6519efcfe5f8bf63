//! The state of the emulated Azure, and what calls do to it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answer::{Answer, Request};
use super::faults::{Fault, Trouble};
use super::rules::{Resources, goes_along, in_use, refusal, schema_of};
use super::{schema, sizes};

pub const SUBSCRIPTION: &str = "0b1f6471-1bf0-4dda-aec3-cb9272f09590";

/// How often an operation is looked at before it is done.
const LOOKS: u32 = 2;

/// How many items a page has.
const PAGE: usize = 2;

/// What an operation does when it is done.
#[derive(Debug, Clone)]
enum Effect {
    Made(String),
    GroupGone(String),
    Gone(String),
    Failed(String, &'static str, &'static str),
}

#[derive(Debug, Clone)]
struct Operation {
    looks_left: u32,
    effect: Effect,
}

/// The emulated Azure.
pub struct World {
    /// Where it is.
    pub base: String,
    /// Groups by their names in small letters.
    pub groups: BTreeMap<String, Value>,
    pub resources: Resources,
    operations: BTreeMap<u64, Operation>,
    next: u64,
    pub faults: Vec<Fault>,
    /// Methods, paths and statuses of what was called.
    pub calls: Vec<(String, String, u16)>,
    /// What the token service takes and gives.
    pub tokens: Vec<String>,
    /// What the subscription may have no more of: vCPUs that are free.
    pub free_vcpus: u64,
    pub registered: bool,
    pub subscription_state: &'static str,
    /// How many lists still show what was there before the last removal of a group.
    pub lag: u32,
    ghosts: Vec<(u32, Value)>,
}

impl World {
    pub fn new(base: String) -> Self {
        Self {
            base,
            groups: BTreeMap::new(),
            resources: Resources::new(),
            operations: BTreeMap::new(),
            next: 0,
            faults: Vec::new(),
            calls: Vec::new(),
            tokens: vec!["given".to_owned()],
            free_vcpus: 100,
            registered: true,
            subscription_state: "Enabled",
            lag: 0,
            ghosts: Vec::new(),
        }
    }

    /// Answers a call; whether the answer is to be kept back is told with it.
    pub fn answer(&mut self, request: &Request) -> (Answer, bool) {
        let fault = self.faults.iter_mut().find(|fault| fault.meets(request));
        let trouble = fault.map(|fault| {
            fault.times -= 1;
            fault.trouble.clone()
        });
        let (answer, silent) = match trouble {
            Some(Trouble::Refuse(answer)) => (answer, false),
            Some(Trouble::Silence) => (self.serve(request, None), true),
            Some(Trouble::FailLater(code, message)) => {
                (self.serve(request, Some((code, message))), false)
            }
            None => (self.serve(request, None), false),
        };
        self.calls.push((request.method.clone(), request.path.clone(), answer.status));
        (answer, silent)
    }

    fn serve(
        &mut self,
        request: &Request,
        failing: Option<(&'static str, &'static str)>,
    ) -> Answer {
        let parts = request.parts();
        if request.method == "POST" && parts.ends_with(&["oauth2", "v2.0", "token"]) {
            return self.application_token(request);
        }
        if parts == ["metadata", "identity", "oauth2", "token"] {
            return self.identity_token(request);
        }
        if parts.first() == Some(&"blob") {
            return if request.bearer.is_some() {
                Answer::error(400, "InvalidAuthenticationInfo", "a token and a signature")
            } else {
                Answer::text(format!("railsbench: {} says hello\n", parts[1]))
            };
        }
        if !request.bearer.as_ref().is_some_and(|token| self.tokens.contains(token)) {
            return Answer::error(401, "InvalidAuthenticationToken", "The token is not valid.");
        }
        if let ["operations", number] = parts[..] {
            return self.look(number.parse().unwrap(), true);
        }
        if let ["locations", number] = parts[..] {
            return self.look(number.parse().unwrap(), false);
        }
        if let Some(refused) = wrong_version(request) {
            return refused;
        }
        if parts.len() < 2 || !parts[0].eq_ignore_ascii_case("subscriptions") {
            return Answer::error(404, "NotFound", &request.path);
        }
        if parts[1] != SUBSCRIPTION {
            return Answer::error(404, "SubscriptionNotFound", "There is no such subscription.");
        }
        let lower: Vec<String> = parts.iter().map(|part| part.to_ascii_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let method = request.method.as_str();
        match (method, &lower[2..]) {
            ("GET", []) => Answer::json(
                200,
                json!({"subscriptionId": SUBSCRIPTION, "displayName": "Tests",
                    "state": self.subscription_state}),
            ),
            ("GET", ["providers", _]) => {
                let state = if self.registered { "Registered" } else { "NotRegistered" };
                Answer::json(200, json!({"namespace": parts[3], "registrationState": state}))
            }
            ("GET", ["providers", "microsoft.compute", "skus"]) => {
                let filter = request.query.get("$filter").cloned().unwrap_or_default();
                match quoted(&filter, "location eq") {
                    Some(region) => self.page(request, sizes::listed(&region)),
                    None => Answer::error(400, "BadRequest", "a filter by location is needed"),
                }
            }
            ("GET", ["providers", "microsoft.compute", "locations", _, "usages"]) => {
                let usage = |name: &str| {
                    json!({"name": {"value": name}, "limit": 100,
                    "currentValue": 100 - self.free_vcpus})
                };
                let names = ["cores", "standardDPSv5Family", "standardDSv5Family"];
                Answer::json(200, json!({"value": names.map(usage)}))
            }
            ("GET", ["resourcegroups"]) => {
                let mut groups: Vec<Value> = self.groups.values().cloned().collect();
                groups.extend(self.ghosts());
                self.advance_groups();
                self.page(request, groups)
            }
            ("GET", ["resources"]) => self.tagged(request),
            (_, ["resourcegroups", name]) => self.group(request, parts[3], name),
            (_, ["resourcegroups", name, ..]) => {
                if !self.groups.contains_key(*name) {
                    return Answer::error(404, "ResourceGroupNotFound", "There is no such group.");
                }
                self.in_group(request, &lower, failing)
            }
            _ => Answer::error(404, "NotFound", &request.path),
        }
    }

    fn application_token(&mut self, request: &Request) -> Answer {
        let form = String::from_utf8_lossy(&request.body).into_owned();
        let expected = [
            "grant_type=client_credentials",
            "client_id=app",
            "client_secret=right",
            "scope=",
            "%2F.default",
        ];
        if expected.iter().all(|part| form.contains(part)) {
            self.tokens.push("issued".to_owned());
            return Answer::json(
                200,
                json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "issued"}),
            );
        }
        let message = "AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 1";
        Answer::json(401, json!({"error": "invalid_client", "error_description": message}))
    }

    fn identity_token(&mut self, request: &Request) -> Answer {
        if request.metadata.as_deref() != Some("true") || !request.query.contains_key("resource") {
            return Answer::json(400, json!({"error": "invalid_request"}));
        }
        self.tokens.push("machine".to_owned());
        Answer::json(200, json!({"expires_in": "3599", "access_token": "machine"}))
    }

    fn page(&self, request: &Request, items: Vec<Value>) -> Answer {
        let from: usize = request.query.get("$skiptoken").map_or(0, |from| from.parse().unwrap());
        let rest: Vec<Value> = items.into_iter().skip(from).collect();
        let mut body = json!({"value": rest.iter().take(PAGE).collect::<Vec<_>>()});
        if rest.len() > PAGE {
            let mut query: Vec<String> = request
                .query
                .iter()
                .filter(|(name, _)| *name != "$skiptoken")
                .map(|(name, value)| format!("{name}={}", value.replace(' ', "%20")))
                .collect();
            query.push(format!("$skiptoken={}", from + PAGE));
            body["nextLink"] = format!("{}{}?{}", self.base, request.path, query.join("&")).into();
        }
        Answer::json(200, body)
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

    fn advance(&mut self, is_meant: impl Fn(&Effect) -> bool) {
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

    fn tagged(&mut self, request: &Request) -> Answer {
        let filter = request.query.get("$filter").cloned().unwrap_or_default();
        let (Some(name), Some(value)) =
            (quoted(&filter, "tagName eq"), quoted(&filter, "tagValue eq"))
        else {
            return Answer::error(400, "BadRequest", "a filter by tag is needed");
        };
        let items = self.resources.values();
        let items = items.filter(|item| item["tags"][&name] == value.as_str());
        let items = items.map(summary).collect();
        self.page(request, items)
    }

    fn group(&mut self, request: &Request, name: &str, key: &str) -> Answer {
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

    fn begin(&mut self, effect: Effect) -> u64 {
        self.next += 1;
        self.operations.insert(self.next, Operation { looks_left: LOOKS, effect });
        self.next
    }

    fn look(&mut self, number: u64, with_state: bool) -> Answer {
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
                    self.resources.retain(|id, _| !id.starts_with(&within));
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
        if let Some(resource) = self.resources.remove(id) {
            for other in goes_along(&resource) {
                self.remove(&other);
            }
        }
    }

    fn in_group(
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

fn checked(root: &str, request: &Request) -> Result<Value, Answer> {
    let body = request.json()?;
    schema::check(root, &body)
        .map_err(|problem| Answer::error(400, "InvalidRequestContent", &problem))?;
    Ok(body)
}

/// What lists of resources say of one.
fn summary(resource: &Value) -> Value {
    let mut summary = json!({});
    for field in ["id", "name", "type", "location", "tags"] {
        summary[field] = resource[field].clone();
    }
    summary
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

/// The text in quotes after `what`.
fn quoted(filter: &str, what: &str) -> Option<String> {
    let (_, rest) = filter.split_once(&format!("{what} '"))?;
    Some(rest.split_once('\'')?.0.to_owned())
}

fn wrong_version(request: &Request) -> Option<Answer> {
    let path = request.path.to_lowercase();
    let expected: &[&str] = match path.split_once("/providers/") {
        Some((_, "microsoft.compute/skus")) => &["2021-07-01"],
        Some((_, rest)) if rest.starts_with("microsoft.compute/disks") => &["2024-03-02"],
        Some((_, rest)) if rest.starts_with("microsoft.compute/") => &["2024-07-01"],
        Some((_, rest)) if rest.starts_with("microsoft.network/") => &["2024-05-01"],
        _ => &["2021-04-01"],
    };
    match request.query.get("api-version") {
        None => Some(Answer::error(400, "MissingApiVersionParameter", &path)),
        Some(version) if expected.contains(&version.as_str()) => None,
        Some(version) => Some(Answer::error(400, "NoRegisteredProviderFound", version)),
    }
}
