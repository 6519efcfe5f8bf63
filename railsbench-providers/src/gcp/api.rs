//! The calls to the Compute Engine API.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use railsbench_core::id::RunId;
use railsbench_core::provider::ProviderError;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::body::IMAGE_PROJECT;
use super::errors::{OperationFailure, RAISE_QUOTA, not_in_time};
use super::tags;
use super::wire::{
    AggregatedPage, Disk, DisksOfZone, Firewall, Image, Instance, InstancesOfZone, MachineType,
    Operation, Page, Region, SerialPortOutput, Zone, last_part, region_of,
};
use crate::rest::{Call, RestClient, RestError};

/// Most items that Google puts on a page.
const PAGE: &str = "500";

/// How long an operation may take, and how it is looked after.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Longest to wait for anything.
    pub(super) longest: Duration,
    /// The first wait between two looks.
    pub(super) first: Duration,
    /// The longest wait between two looks.
    pub(super) between: Duration,
}

/// Something that is in a zone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) zone: String,
    pub(super) name: String,
}

impl Place {
    pub(super) fn new(zone: &str, name: &str) -> Self {
        Self { zone: zone.to_owned(), name: name.to_owned() }
    }

    /// Reads `zone/name`, which is the id of a machine.
    pub(super) fn parse(id: &str) -> Option<Self> {
        let (zone, name) = id.split_once('/')?;
        let fits = |text: &str| {
            !text.is_empty()
                && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        (fits(zone) && fits(name)).then(|| Self::new(zone, name))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.zone, self.name)
    }
}

/// How it went with something that was to be made.
pub(super) type Made = Result<(), OperationFailure>;

/// The Compute Engine API, for one project.
#[derive(Clone)]
pub(super) struct Compute {
    pub(super) client: RestClient,
    pub(super) project: String,
    pub(super) patience: Patience,
}

impl Compute {
    fn get(&self, action: impl Into<String>, path: &[&str]) -> Call<'_> {
        self.client.get(action, &self.below_project(path))
    }

    fn below_project<'a>(&'a self, path: &[&'a str]) -> Vec<&'a str> {
        ["projects", &self.project].iter().chain(path).copied().collect()
    }

    /// Whether the project is there and the credentials may look at it.
    pub(super) async fn project(&self) -> Result<(), ProviderError> {
        let action = format!("looking at the project {}", self.project);
        self.get(action, &[]).send().await.map_err(failed)?;
        Ok(())
    }

    pub(super) async fn region(&self, region: &str) -> Result<Option<Region>, ProviderError> {
        let action = format!("looking at the region {region}");
        optional(self.get(action, &["regions", region]).send_for().await)
    }

    /// The zones of a region that are up, in the order of their names.
    pub(super) async fn zones(&self, region: &str) -> Result<Vec<String>, ProviderError> {
        let found: Vec<Zone> = self.pages("listing zones", &["zones"], None).await?;
        let mut zones: Vec<String> = found
            .into_iter()
            .filter(|zone| zone.status == "UP" && last_part(&zone.region) == region)
            .map(|zone| zone.name)
            .collect();
        zones.sort();
        Ok(zones)
    }

    /// The regions, in the order of their names. They are those of the zones, so that one
    /// permission is enough for both.
    pub(super) async fn regions(&self) -> Result<Vec<String>, ProviderError> {
        let found: Vec<Zone> = self.pages("listing zones", &["zones"], None).await?;
        let regions = found.iter().map(|zone| last_part(&zone.region).to_owned());
        Ok(regions.collect::<BTreeSet<String>>().into_iter().collect())
    }

    /// What a zone has of a machine type.
    pub(super) async fn machine_type(
        &self,
        zone: &str,
        name: &str,
    ) -> Result<Option<MachineType>, ProviderError> {
        let action = format!("looking for {name} in {zone}");
        let path = ["zones", zone, "machineTypes", name];
        optional(self.get(action, &path).send_for().await)
    }

    pub(super) async fn network(&self, name: &str) -> Result<bool, ProviderError> {
        let action = format!("looking at the network {name}");
        let found: Option<Value> =
            optional(self.get(action, &["global", "networks", name]).send_for().await)?;
        Ok(found.is_some())
    }

    /// The newest of Debian's images of a family.
    pub(super) async fn image(&self, family: &str) -> Result<Option<Image>, ProviderError> {
        let action = format!("looking for the image family {family}");
        let path = ["projects", IMAGE_PROJECT, "global", "images", "family", family];
        optional(self.client.get(action, &path).send_for().await)
    }

    pub(super) async fn instance(&self, place: &Place) -> Result<Option<Instance>, ProviderError> {
        let action = format!("looking at the instance {place}");
        let path = ["zones", &place.zone, "instances", &place.name];
        optional(self.get(action, &path).send_for().await)
    }

    /// What an instance has printed to its first serial port.
    pub(super) async fn serial_port(&self, place: &Place) -> Result<Option<String>, ProviderError> {
        let action = format!("reading the console of {place}");
        let path = ["zones", &place.zone, "instances", &place.name, "serialPort"];
        let answer =
            self.get(action, &path).query("port", "1").send_for::<SerialPortOutput>().await;
        match answer {
            // An instance that has not started yet has none.
            Err(error) if error.code() == Some("resourceNotReady") => Ok(None),
            answer => Ok(optional(answer)?.map(|output| output.contents)),
        }
    }

    /// Makes an instance, and waits until it is made. The request id makes a repeated request
    /// the same one for an hour.
    pub(super) async fn make_instance(
        &self,
        place: &Place,
        body: &Value,
        request_id: &str,
    ) -> Result<Made, ProviderError> {
        let action = format!("making the instance {place}");
        let path = ["zones", &place.zone, "instances"];
        let call = self.client.post(action.clone(), &self.below_project(&path));
        self.made(call.query("requestId", request_id).json(body), Some(&place.zone), &action).await
    }

    pub(super) async fn make_firewall(
        &self,
        name: &str,
        body: &Value,
        request_id: &str,
    ) -> Result<Made, ProviderError> {
        let action = format!("making the firewall rule {name}");
        let call = self.client.post(action.clone(), &self.below_project(&["global", "firewalls"]));
        self.made(call.query("requestId", request_id).json(body), None, &action).await
    }

    pub(super) async fn firewall(&self, name: &str) -> Result<Option<Firewall>, ProviderError> {
        let action = format!("looking at the firewall rule {name}");
        optional(self.get(action, &["global", "firewalls", name]).send_for().await)
    }

    /// Deletes an instance and its disk; it is gone when this returns. One that is not there is.
    pub(super) async fn delete_instance(&self, place: &Place) -> Result<(), ProviderError> {
        let path = ["zones", &place.zone, "instances", &place.name];
        self.delete(&format!("deleting the instance {place}"), &path, Some(&place.zone)).await
    }

    pub(super) async fn delete_disk(&self, place: &Place) -> Result<(), ProviderError> {
        let path = ["zones", &place.zone, "disks", &place.name];
        self.delete(&format!("deleting the disk {place}"), &path, Some(&place.zone)).await
    }

    pub(super) async fn delete_firewall(&self, name: &str) -> Result<(), ProviderError> {
        let path = ["global", "firewalls", name];
        self.delete(&format!("deleting the firewall rule {name}"), &path, None).await
    }

    /// All instances of ours, of one run or of all, in all zones, by what Google lists.
    pub(super) async fn instances(
        &self,
        run: Option<&RunId>,
    ) -> Result<Vec<Instance>, ProviderError> {
        let path = ["aggregated", "instances"];
        let zones: Vec<InstancesOfZone> =
            self.aggregated_pages("listing instances", &path, &tags::filter(run)).await?;
        Ok(zones.into_iter().flat_map(|zone| zone.instances).collect())
    }

    /// All disks of ours that are attached to nothing.
    pub(super) async fn free_disks(&self, run: Option<&RunId>) -> Result<Vec<Disk>, ProviderError> {
        let path = ["aggregated", "disks"];
        let zones: Vec<DisksOfZone> =
            self.aggregated_pages("listing disks", &path, &tags::filter(run)).await?;
        let disks = zones.into_iter().flat_map(|zone| zone.disks);
        Ok(disks.filter(|disk| disk.users.is_empty()).collect())
    }

    /// All firewall rules that may be ours by their names. They have no labels.
    pub(super) async fn firewalls(&self) -> Result<Vec<Firewall>, ProviderError> {
        let filter = format!("name eq {}-.*", crate::names::PREFIX);
        self.pages("listing firewall rules", &["global", "firewalls"], Some(&filter)).await
    }

    async fn pages<T: DeserializeOwned>(
        &self,
        action: &str,
        path: &[&str],
        filter: Option<&str>,
    ) -> Result<Vec<T>, ProviderError> {
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut call = self.get(action, path).query("maxResults", PAGE);
            if let Some(filter) = filter {
                call = call.query("filter", filter);
            }
            if let Some(token) = &token {
                call = call.query("pageToken", token);
            }
            let page: Page<T> = call.send_for().await.map_err(failed)?;
            found.extend(page.items);
            token = page.next_page_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    async fn aggregated_pages<T: DeserializeOwned>(
        &self,
        action: &str,
        path: &[&str],
        filter: &str,
    ) -> Result<Vec<T>, ProviderError> {
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut call = self.get(action, path).query("maxResults", PAGE).query("filter", filter);
            if let Some(token) = &token {
                call = call.query("pageToken", token);
            }
            let page: AggregatedPage<T> = call.send_for().await.map_err(failed)?;
            found.extend(BTreeMap::into_values(page.items));
            token = page.next_page_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    async fn made(
        &self,
        call: Call<'_>,
        zone: Option<&str>,
        action: &str,
    ) -> Result<Made, ProviderError> {
        let operation: Operation = match call.send_for().await {
            Ok(operation) => operation,
            Err(error) if error.status() == Some(409) => return Ok(Err(OperationFailure::Exists)),
            Err(error) => match error.refusal() {
                Some(refusal) if matches!(error.code(), Some("quotaExceeded")) => {
                    return Ok(Err(OperationFailure::Quota(refusal.to_string())));
                }
                Some(refusal) if refusal.message.contains("RESOURCE_POOL_EXHAUSTED") => {
                    return Ok(Err(OperationFailure::ZoneIsFull(refusal.to_string())));
                }
                _ => return Err(failed(error)),
            },
        };
        let done = self.done(operation, zone, action).await?;
        Ok(OperationFailure::of(&done).map_or(Ok(()), Err))
    }

    /// Deletes something and waits until it is gone. What is busy is waited for.
    async fn delete(
        &self,
        action: &str,
        path: &[&str],
        zone: Option<&str>,
    ) -> Result<(), ProviderError> {
        let deadline = Instant::now() + self.patience.longest;
        loop {
            let call = self.client.delete(action, &self.below_project(path));
            let failure = match call.send_for::<Operation>().await {
                Ok(operation) => {
                    match OperationFailure::of(&self.done(operation, zone, action).await?) {
                        None | Some(OperationFailure::Missing) => return Ok(()),
                        Some(OperationFailure::NotReady(detail)) => detail,
                        Some(failure) => return Err(failure.into_error(action)),
                    }
                }
                Err(error) if error.status() == Some(404) => return Ok(()),
                Err(error) if is_busy(&error) => error.to_string(),
                Err(error) => return Err(failed(error)),
            };
            if Instant::now() >= deadline {
                return Err(OperationFailure::NotReady(failure).into_error(action));
            }
            tokio::time::sleep(self.patience.between).await;
        }
    }

    /// Looks after an operation until it is done, less and less often.
    async fn done(
        &self,
        mut operation: Operation,
        zone: Option<&str>,
        action: &str,
    ) -> Result<Operation, ProviderError> {
        let deadline = Instant::now() + self.patience.longest;
        let mut wait = self.patience.first;
        while operation.status != "DONE" {
            if Instant::now() >= deadline {
                return Err(not_in_time(action, self.patience.longest));
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(self.patience.between);
            let name = operation.name.clone();
            let path = match zone {
                Some(zone) => vec!["zones", zone, "operations", &name],
                None => vec!["global", "operations", &name],
            };
            operation = self.get(action, &path).send_for().await.map_err(failed)?;
        }
        Ok(operation)
    }
}

/// Whether a disk or instance cannot be deleted just yet.
fn is_busy(error: &RestError) -> bool {
    matches!(error.code(), Some("resourceNotReady" | "resourceInUseByAnotherResource"))
}

/// What was asked for, or that it is not there.
fn optional<T>(answer: Result<T, RestError>) -> Result<Option<T>, ProviderError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.status() == Some(404) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// The error of the trait, with what to do about a quota.
fn failed(error: RestError) -> ProviderError {
    match error.into() {
        ProviderError::Capacity { provider, what, detail } => {
            ProviderError::Capacity { provider, what, detail: format!("{detail}; {RAISE_QUOTA}") }
        }
        error => error,
    }
}

/// The region of an instance or disk, by the URL of its zone.
pub(super) fn region_of_url(zone: &str) -> String {
    region_of(last_part(zone)).to_owned()
}
