//! The state of the emulated Azure, and where calls go.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::answer::{Answer, Request};
use super::faults::{Fault, Trouble};
use super::lists::quoted;
use super::operations::Operation;
use super::rules::Resources;
use super::sizes;
use crate::Machines;

/// The subscription that there is.
pub const SUBSCRIPTION: &str = "0b1f6471-1bf0-4dda-aec3-cb9272f09590";

/// The emulated Azure.
pub struct World {
    /// Where it is.
    pub base: String,
    /// Groups by their names in small letters.
    pub groups: BTreeMap<String, Value>,
    /// All that is in groups, by ids in small letters.
    pub resources: Resources,
    pub(super) operations: BTreeMap<u64, Operation>,
    /// The number of the operation that was begun last.
    pub(super) last_operation: u64,
    /// What is to go wrong.
    pub faults: Vec<Fault>,
    /// Methods, paths and statuses of what was called.
    pub calls: Vec<(String, String, u16)>,
    /// What the token service has given, and every call takes.
    pub tokens: Vec<String>,
    /// What the subscription may have no more of: vCPUs that are free.
    pub free_vcpus: u64,
    /// Whether the subscription may use the compute and network services.
    pub registered: bool,
    /// `Enabled`, or why it is not.
    pub subscription_state: &'static str,
    /// How many lists still show what was there before the last removal of a group.
    pub lag: u32,
    /// Most items on a page of a list.
    pub page: usize,
    /// The machines as processes of this host, if they are to run for real.
    pub machines: Machines,
    /// How long each call takes more than it would.
    pub latency: Duration,
    /// Removed groups, and how many lists still show them.
    pub(super) ghosts: Vec<(u32, Value)>,
}

impl World {
    pub(super) fn new(base: String) -> Self {
        Self {
            base,
            groups: BTreeMap::new(),
            resources: Resources::new(),
            operations: BTreeMap::new(),
            last_operation: 0,
            faults: Vec::new(),
            calls: Vec::new(),
            tokens: vec!["given".to_owned()],
            free_vcpus: 100,
            registered: true,
            subscription_state: "Enabled",
            lag: 0,
            page: 2,
            machines: Machines::default(),
            latency: Duration::ZERO,
            ghosts: Vec::new(),
        }
    }

    /// Answers a call; whether the answer is to be kept back is told with it.
    pub(super) fn answer(&mut self, request: &Request) -> (Answer, bool) {
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
        self.note_ended_machines();
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
                Answer::text(self.console(parts[1]))
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
                // Azure shows regions here by the names that people read.
                let kinds = json!([{"resourceType": "virtualMachines",
                    "locations": ["East US", "West Europe"]}]);
                Answer::json(
                    200,
                    json!({"namespace": parts[3], "registrationState": state,
                        "resourceTypes": kinds}),
                )
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
            ("GET", ["resourcegroups"]) => self.listed_groups(request),
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
