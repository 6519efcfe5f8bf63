//! What exists and is ours, found by tags alone.
//!
//! Groups are looked for among all of the subscription, not by a filter on their tags: Azure's
//! index of tags lags behind. What is in a group of ours is ours, tagged or not; what is tagged
//! and elsewhere is ours too.

use std::collections::{BTreeMap, HashMap};

use railsbench_core::money::Usd;
use railsbench_core::provider::{ProviderError, Resource, Scope};
use reqwest::Method;
use serde_json::Value;

use super::api::Arm;
use super::body::DISK_GIB;
use super::catalog::catalog;
use super::dialect::refused;
use super::naming::provider_name;
use super::plan::{DISK_GIB_MONTH, PUBLIC_IP_HOUR};
use crate::rest::RestError;
use crate::vm::{Tags, hour_of_month, tags};

/// The kind of a resource group in lists.
pub(super) const GROUP: &str = "resource group";

/// The kinds of what is charged beside a machine.
const DISK: &str = "disk";
const ADDRESS: &str = "public IP address";

/// Kinds, by Azure's types in small letters.
const KINDS: [(&str, &str); 6] = [
    ("microsoft.compute/virtualmachines", "virtual machine"),
    ("microsoft.compute/disks", DISK),
    ("microsoft.network/networkinterfaces", "network interface"),
    ("microsoft.network/publicipaddresses", ADDRESS),
    ("microsoft.network/virtualnetworks", "virtual network"),
    ("microsoft.network/networksecuritygroups", "network security group"),
];

/// Everything of ours in scope: groups first, each once.
pub(super) async fn list(arm: &Arm, scope: &Scope) -> Result<Vec<Resource>, ProviderError> {
    let mut found = BTreeMap::new();
    let groups = groups(arm, scope).await?;
    for group in &groups {
        found.insert(group.id.to_ascii_lowercase(), group.clone());
        for resource in contents(arm, group).await? {
            found.insert(resource.id.to_ascii_lowercase(), resource);
        }
    }
    for resource in strays(arm, scope).await? {
        found.entry(resource.id.to_ascii_lowercase()).or_insert(resource);
    }
    let mut found = scope.select(found.into_values().collect());
    found.sort_by_key(|resource| (resource.kind != GROUP, resource.id.to_ascii_lowercase()));
    Ok(found)
}

/// Our resource groups in scope.
async fn groups(arm: &Arm, scope: &Scope) -> Result<Vec<Resource>, ProviderError> {
    let path = format!("{}/resourcegroups", arm.subscription_path());
    let action = "listing resource groups";
    let listed = arm.list(action, arm.call(Method::GET, action, &path)).await.map_err(refused)?;
    Ok(listed
        .iter()
        .filter_map(|group| ours(group, GROUP))
        .filter(|group| is_of(scope, group))
        .collect())
}

/// What is in a group of ours. It has the group's run, region and end, whatever its own tags say:
/// it goes with the group.
async fn contents(arm: &Arm, group: &Resource) -> Result<Vec<Resource>, ProviderError> {
    let action = "listing the contents of a resource group";
    let call = arm.call(Method::GET, action, &format!("{}/resources", group.id));
    let Some(listed) = unless_missing(arm.list(action, call).await)? else {
        return Ok(Vec::new());
    };
    let action = "listing virtual machines";
    let path = format!("{}/providers/Microsoft.Compute/virtualMachines", group.id);
    let machines = arm.list(action, arm.call(Method::GET, action, &path)).await;
    let mut prices: HashMap<String, Usd> = HashMap::new();
    for machine in unless_missing(machines)?.unwrap_or_default() {
        let size = machine["properties"]["hardwareProfile"]["vmSize"].as_str();
        let price = size.and_then(|size| catalog().price(size));
        if let (Some(id), Some(price)) = (machine["id"].as_str(), price) {
            prices.insert(id.to_ascii_lowercase(), price.per_hour);
        }
    }
    Ok(listed
        .iter()
        .filter_map(|item| {
            let id = item["id"].as_str()?;
            let kind = kind(item);
            let created_at = read_tags(item).and_then(|tags| tags.created_at);
            let price = prices.get(&id.to_ascii_lowercase()).copied();
            Some(Resource {
                provider: provider_name(),
                per_hour: price.or_else(|| price_beside(&kind)),
                kind,
                id: id.to_owned(),
                name: item["name"].as_str().unwrap_or_default().to_owned(),
                run_id: group.run_id.clone(),
                region: group.region.clone().or_else(|| region(item)),
                created_at: created_at.or(group.created_at),
                expires_at: group.expires_at,
            })
        })
        .collect())
}

/// What is tagged as ours, wherever it is.
async fn strays(arm: &Arm, scope: &Scope) -> Result<Vec<Resource>, ProviderError> {
    let path = format!("{}/resources", arm.subscription_path());
    let action = "listing tagged resources";
    let filter = match &scope.run {
        Some(run_id) => format!("tagName eq '{}' and tagValue eq '{run_id}'", tags::RUN),
        None => format!("tagName eq '{}' and tagValue eq 'true'", tags::OURS),
    };
    let call = arm.call(Method::GET, action, &path).query("$filter", &filter);
    let listed = arm.list(action, call).await.map_err(refused)?;
    Ok(listed
        .iter()
        .filter_map(|item| ours(item, &kind(item)))
        .filter(|resource| is_of(scope, resource))
        .collect())
}

/// Whether it is of the run that is asked for, if one is: nothing else need be looked into.
fn is_of(scope: &Scope, resource: &Resource) -> bool {
    scope.run.as_ref().is_none_or(|run| resource.run_id.as_ref() == Some(run))
}

fn unless_missing(
    listed: Result<Vec<Value>, RestError>,
) -> Result<Option<Vec<Value>>, ProviderError> {
    match listed {
        Ok(listed) => Ok(Some(listed)),
        // It has gone since.
        Err(error) if error.code() == Some("ResourceGroupNotFound") => Ok(None),
        Err(error) => Err(refused(error)),
    }
}

/// An item of a list as a resource, if its tags say that it is ours.
pub(super) fn ours(item: &Value, kind: &str) -> Option<Resource> {
    let tags = read_tags(item)?;
    Some(Resource {
        provider: provider_name(),
        kind: kind.to_owned(),
        id: item["id"].as_str()?.to_owned(),
        name: item["name"].as_str().unwrap_or_default().to_owned(),
        run_id: tags.run_id,
        region: region(item),
        created_at: tags.created_at,
        expires_at: tags.expires_at,
        per_hour: price_beside(kind),
    })
}

/// The tags of something of ours. Azure keeps the case of their names, and ignores it.
pub(super) fn read_tags(item: &Value) -> Option<Tags> {
    let pairs = item["tags"].as_object()?;
    Tags::read(|name| {
        let found = pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| value.as_str())
    })
}

fn region(item: &Value) -> Option<String> {
    item["location"].as_str().map(str::to_owned)
}

fn kind(item: &Value) -> String {
    let kind = item["type"].as_str().unwrap_or("resource");
    let known = KINDS.iter().find(|(name, _)| kind.eq_ignore_ascii_case(name));
    known.map_or(kind, |(_, word)| word).to_owned()
}

/// What something beside a machine costs for an hour.
fn price_beside(kind: &str) -> Option<Usd> {
    match kind {
        DISK => Some(hour_of_month(DISK_GIB_MONTH.times(DISK_GIB))),
        ADDRESS => Some(PUBLIC_IP_HOUR),
        _ => None,
    }
}
