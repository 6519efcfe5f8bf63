//! What the emulated Google has: instances, disks, firewall rules, operations.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::offers::image;
use super::{Call, Death, Fault, PROJECT, Refusal, Wrong};
use crate::Machines;

/// How long an operation takes.
const OPERATION: Duration = Duration::from_millis(30);

/// Something that exists, or did a moment ago.
#[derive(Debug, Clone)]
pub struct Thing {
    /// As it is shown.
    pub body: Value,
    /// Lists that were answered before it was made.
    pub(super) born: usize,
    /// Lists that were answered before it was deleted.
    pub(super) gone: Option<usize>,
    /// When its deletion is done.
    deleted_at: Option<Instant>,
}

/// All that the emulated Google has and knows. Keys are `zone/name`, or a name where there is no
/// zone.
pub struct World {
    /// Machines.
    pub instances: BTreeMap<String, Thing>,
    /// Their disks, and those that were left.
    pub disks: BTreeMap<String, Thing>,
    /// Firewall rules.
    pub firewalls: BTreeMap<String, Thing>,
    operations: BTreeMap<String, (Value, Instant)>,
    requests: BTreeMap<String, Value>,
    /// Machine types: zone, name, architecture, vCPUs.
    pub types: Vec<(&'static str, &'static str, &'static str, u32)>,
    /// Zones and their states.
    pub zones: Vec<(&'static str, &'static str)>,
    /// Quotas of each region: name, limit, usage.
    pub quotas: Vec<(&'static str, f64, f64)>,
    /// Networks of the project.
    pub networks: Vec<&'static str>,
    /// How many lists it takes until a change shows in them.
    pub lag: usize,
    pub(super) lists: usize,
    /// Most items on a page.
    pub page: usize,
    /// What is to go wrong.
    pub faults: Vec<Fault>,
    /// The machines as processes of this host, if they are to run for real.
    pub machines: Machines,
    /// How long each call takes more than it would.
    pub latency: Duration,
    /// Which process is to be killed, and when.
    pub death: Option<Death>,
    /// Method and path of every call, in order.
    pub calls: Vec<String>,
    /// What was asked for against Google's description of its interface.
    pub offences: Vec<String>,
}

impl Default for World {
    fn default() -> Self {
        let mut types = Vec::new();
        for zone in ["us-central1-a", "us-central1-b", "us-central1-c"] {
            types.push((zone, "e2-micro", "X86_64", 2));
            types.push((zone, "t2a-standard-1", "ARM64", 1));
        }
        types.push(("us-central1-b", "n2-custom-2-4096", "X86_64", 2));
        Self {
            instances: BTreeMap::new(),
            disks: BTreeMap::new(),
            firewalls: BTreeMap::new(),
            operations: BTreeMap::new(),
            requests: BTreeMap::new(),
            types,
            zones: vec![
                ("us-central1-a", "UP"),
                ("us-central1-b", "UP"),
                ("us-central1-c", "UP"),
                ("us-central1-f", "DOWN"),
                ("europe-west4-a", "UP"),
            ],
            quotas: vec![
                ("CPUS", 24.0, 0.0),
                ("INSTANCES", 24.0, 0.0),
                ("IN_USE_ADDRESSES", 8.0, 0.0),
            ],
            networks: vec!["default"],
            lag: 0,
            lists: 0,
            page: 500,
            faults: Vec::new(),
            machines: Machines::default(),
            latency: Duration::ZERO,
            death: None,
            calls: Vec::new(),
            offences: Vec::new(),
        }
    }
}

impl World {
    /// The next fault for a call, if one is due.
    pub(super) fn next_fault(&mut self, method: &str, path: &str) -> Option<Wrong> {
        let due = |fault: &&mut Fault| {
            fault.times > 0 && method.ends_with(fault.method) && path.contains(fault.path)
        };
        let fault = self.faults.iter_mut().find(due)?;
        fault.times -= 1;
        Some(fault.wrong.clone())
    }

    /// An operation that ends with an error.
    pub(super) fn failed_operation(&mut self, call: &Call, code: &str) -> Value {
        let error = json!({"errors": [{"code": code, "message": "it says no"}]});
        self.operation(call, Some(error))
    }

    /// What is there and not being deleted.
    pub fn alive(things: &BTreeMap<String, Thing>) -> Vec<String> {
        let now = Instant::now();
        let there = things.iter().filter(|(_, thing)| {
            thing.gone.is_none() && thing.deleted_at.is_none_or(|at| at > now)
        });
        there.map(|(key, _)| key.clone()).collect()
    }

    /// Everything that is there.
    pub fn everything(&self) -> Vec<String> {
        [&self.instances, &self.disks, &self.firewalls].into_iter().flat_map(Self::alive).collect()
    }

    pub(super) fn answer(&mut self, call: &Call) -> Result<Value, Refusal> {
        self.advance();
        if call.method != "compute.images.getFromFamily" && call.path("project") != PROJECT {
            return Err((404, "notFound", format!("no project {}", call.path("project"))));
        }
        match call.method.trim_start_matches("compute.") {
            "projects.get" => Ok(json!({"name": PROJECT})),
            "zones.list" => Ok(self.zones()),
            "regions.get" => self.region(call.path("region")),
            "networks.get" => {
                let name = call.path("network");
                let found = self.networks.contains(&name).then(|| json!({"name": name}));
                found.ok_or_else(|| missing(name))
            }
            "machineTypes.get" => self.machine_type(call),
            "images.getFromFamily" => image(call),
            "instances.insert" => self.insert_instance(call),
            "instances.get" => get(&self.instances, &zonal(call, "instance")),
            "instances.getSerialPortOutput" => {
                let key = zonal(call, "instance");
                get(&self.instances, &key)?;
                let log = self.machines.log(&key);
                let log = log.unwrap_or("railsbench: starting the runner\n".to_owned());
                Ok(json!({"contents": log, "next": log.len().to_string()}))
            }
            "instances.delete" => self.delete_instance(call),
            "instances.aggregatedList" => self.list(call, "instances"),
            "disks.aggregatedList" => self.list(call, "disks"),
            "disks.delete" => self.delete_disk(call),
            "firewalls.insert" => self.insert_firewall(call),
            "firewalls.get" => get(&self.firewalls, call.path("firewall")),
            "firewalls.list" => self.list(call, "firewalls"),
            "firewalls.delete" => {
                delete(&mut self.firewalls, call.path("firewall"), self.lists)?;
                Ok(self.operation(call, None))
            }
            "zoneOperations.get" | "globalOperations.get" => {
                let name = call.path("operation");
                let (mut operation, done_at) =
                    self.operations.get(name).cloned().ok_or_else(|| missing(name))?;
                operation["status"] =
                    if Instant::now() >= done_at { "DONE" } else { "RUNNING" }.into();
                if operation["status"] != "DONE" {
                    operation.as_object_mut().unwrap().remove("error");
                }
                Ok(operation)
            }
            other => panic!("the emulator does not know {other}"),
        }
    }

    /// Lets be done what is due.
    fn advance(&mut self) {
        let now = Instant::now();
        for thing in self.instances.values_mut() {
            if thing.gone.is_none() && thing.body["status"] == "PROVISIONING" {
                thing.body["status"] = "RUNNING".into();
            }
        }
        // A machine that shuts down is stopped, and stays.
        for key in self.machines.ended("") {
            if let Some(thing) = self.instances.get_mut(&key) {
                thing.body["status"] = "TERMINATED".into();
            }
        }
        let due: Vec<String> = self
            .instances
            .iter()
            .filter(|(_, thing)| {
                thing.gone.is_none() && thing.deleted_at.is_some_and(|at| at <= now)
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in due {
            self.machines.end(&key);
            self.instances.get_mut(&key).unwrap().gone = Some(self.lists);
            if let Some(disk) = self.disks.get_mut(&key) {
                disk.gone.get_or_insert(self.lists);
            }
        }
    }

    fn operation(&mut self, call: &Call, error: Option<Value>) -> Value {
        let name = format!("operation-{}", self.operations.len() + 1);
        let mut operation = json!({"name": name, "status": "RUNNING", "kind": "compute#operation"});
        let shown = operation.clone();
        if let Some(error) = error {
            operation["error"] = error;
        }
        self.operations.insert(name, (operation, Instant::now() + OPERATION));
        if let Some(id) = call.query("requestId") {
            self.requests.insert(id.to_owned(), shown.clone());
        }
        shown
    }

    fn insert_instance(&mut self, call: &Call) -> Result<Value, Refusal> {
        if let Some(known) = self.known_request(call)? {
            return Ok(known);
        }
        let zone = call.path("zone");
        let name = call.body["name"].as_str().unwrap();
        let key = format!("{zone}/{name}");
        if there(&self.instances, &key).is_some() || there(&self.disks, &key).is_some() {
            return Err((409, "alreadyExists", format!("The resource {key} already exists")));
        }
        let kind = call.body["machineType"].as_str().unwrap();
        let known = self.types.iter().any(|(of, name, ..)| {
            *of == zone && kind == format!("zones/{zone}/machineTypes/{name}")
        });
        let network = call.body["networkInterfaces"][0]["network"].as_str().unwrap();
        if !known || !self.networks.iter().any(|name| network == format!("global/networks/{name}"))
        {
            return Err((400, "invalid", "Invalid value for field 'resource'".to_owned()));
        }
        limits(&call.body)?;
        let operation = self.operation(call, None);
        let mut body = call.body.clone();
        body["status"] = "PROVISIONING".into();
        body["zone"] = zone_url(zone).into();
        let mut disk = call.body["disks"][0]["initializeParams"].clone();
        disk["name"] = name.into();
        disk["zone"] = zone_url(zone).into();
        disk["sizeGb"] = disk["diskSizeGb"].clone();
        disk["users"] = json!([format!("{}/instances/{name}", zone_url(zone))]);
        let items = call.body["metadata"]["items"].as_array().into_iter().flatten();
        let script = items.into_iter().find(|item| item["key"] == "startup-script");
        if let Some(script) = script.and_then(|item| item["value"].as_str()) {
            self.machines.start(&key, script);
        }
        self.disks.insert(key.clone(), self.thing(disk));
        self.instances.insert(key, self.thing(body));
        Ok(operation)
    }

    fn insert_firewall(&mut self, call: &Call) -> Result<Value, Refusal> {
        if let Some(known) = self.known_request(call)? {
            return Ok(known);
        }
        let name = call.body["name"].as_str().unwrap();
        if there(&self.firewalls, name).is_some() {
            return Err((409, "alreadyExists", format!("The resource {name} already exists")));
        }
        let operation = self.operation(call, None);
        self.firewalls.insert(name.to_owned(), self.thing(call.body.clone()));
        Ok(operation)
    }

    /// A request that was made before is the same one.
    fn known_request(&self, call: &Call) -> Result<Option<Value>, Refusal> {
        let id = call.query("requestId").unwrap_or_default();
        let uuid = regex::Regex::new("^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$").unwrap();
        if !uuid.is_match(id) {
            return Err((400, "invalid", format!("the request id {id:?} is no UUID")));
        }
        Ok(self.requests.get(id).cloned())
    }

    fn delete_instance(&mut self, call: &Call) -> Result<Value, Refusal> {
        let key = zonal(call, "instance");
        let thing = there_mut(&mut self.instances, &key).ok_or_else(|| missing(&key))?;
        thing.body["status"] = "STOPPING".into();
        thing.deleted_at.get_or_insert(Instant::now() + OPERATION);
        Ok(self.operation(call, None))
    }

    fn delete_disk(&mut self, call: &Call) -> Result<Value, Refusal> {
        let key = zonal(call, "disk");
        let found = there(&self.disks, &key).ok_or_else(|| missing(&key))?;
        if found.body["users"].as_array().is_some_and(|users| !users.is_empty()) {
            let said = format!("The disk {key} is already being used");
            return Err((400, "resourceInUseByAnotherResource", said));
        }
        delete(&mut self.disks, &key, self.lists)?;
        Ok(self.operation(call, None))
    }

    fn thing(&self, body: Value) -> Thing {
        Thing { body, born: self.lists, gone: None, deleted_at: None }
    }

    /// Puts something there that a crash or another program has left.
    pub fn leave_disk(&mut self, key: &str, body: Value) {
        let thing = self.thing(body);
        self.disks.insert(key.to_owned(), thing);
    }
}

fn get(things: &BTreeMap<String, Thing>, key: &str) -> Result<Value, Refusal> {
    there(things, key).map(|thing| thing.body.clone()).ok_or_else(|| missing(key))
}

fn delete(things: &mut BTreeMap<String, Thing>, key: &str, lists: usize) -> Result<(), Refusal> {
    let thing = there_mut(things, key).ok_or_else(|| missing(key))?;
    thing.gone = Some(lists);
    Ok(())
}

fn there<'a>(things: &'a BTreeMap<String, Thing>, key: &str) -> Option<&'a Thing> {
    things.get(key).filter(|thing| thing.gone.is_none())
}

fn there_mut<'a>(things: &'a mut BTreeMap<String, Thing>, key: &str) -> Option<&'a mut Thing> {
    things.get_mut(key).filter(|thing| thing.gone.is_none())
}

fn zonal(call: &Call, name: &str) -> String {
    format!("{}/{}", call.path("zone"), call.path(name))
}

fn zone_url(zone: &str) -> String {
    format!("https://www.googleapis.com/compute/v1/projects/{PROJECT}/zones/{zone}")
}

pub(super) fn missing(name: &str) -> Refusal {
    (404, "notFound", format!("The resource {name} was not found"))
}

/// Limits that Google's description of its interface does not hold.
fn limits(body: &Value) -> Result<(), Refusal> {
    let wrong = |what: &str| Err((400, "invalid", format!("Invalid value for field {what}")));
    let label = regex::Regex::new("^[a-z0-9_-]{0,63}$").unwrap();
    for value in body["labels"].as_object().unwrap().values() {
        if !label.is_match(value.as_str().unwrap()) {
            return wrong("labels");
        }
    }
    let items = body["metadata"]["items"].as_array().unwrap();
    if items.iter().any(|item| item["value"].as_str().unwrap().len() > 256 * 1024) {
        return wrong("metadata");
    }
    Ok(())
}
