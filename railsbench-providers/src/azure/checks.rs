//! What is looked at before anything is made.

use railsbench_core::provider::{Check, Outcome, Plan, Preflight, ProviderError};
use reqwest::Method;
use serde_json::Value;

use super::api::Arm;
use super::dialect::refused;
use super::naming::DEFAULT_REGION;
use super::provision::skus;
use super::sku::Sku;
use crate::orchestrator_url::reachable_check;

/// The quota that counts all vCPUs of a region.
const ALL_VCPUS: &str = "cores";

pub(super) async fn run(
    arm: &Arm,
    plan: &Plan,
    emulated: bool,
) -> Result<Preflight, ProviderError> {
    let mut checks = vec![reachable_check(&plan.vars.orchestrator_url, emulated)];
    match subscription(arm).await {
        Ok(check) => checks.push(check),
        // Without it there is nothing else to look at.
        Err(ProviderError::Credentials { problem, fix, .. }) => {
            checks.push(failed("subscription", problem, fix));
            return Ok(Preflight { checks });
        }
        Err(error) => return Err(error),
    }
    for namespace in ["Microsoft.Compute", "Microsoft.Network"] {
        checks.push(or_refused(namespace, registration(arm, namespace).await)?);
    }
    let region = plan.machines.first().and_then(|machine| machine.region.as_deref());
    let region = region.unwrap_or(DEFAULT_REGION);
    match size(arm, plan, region).await {
        Ok((check, sku)) => {
            checks.push(check);
            if let Some(sku) = sku {
                match quota(arm, plan, region, &sku).await {
                    Ok(found) => checks.extend(found),
                    Err(error) => checks.push(or_refused("quota", Err(error))?),
                }
            }
        }
        Err(error) => checks.push(or_refused("size", Err(error))?),
    }
    Ok(Preflight { checks })
}

/// A look that is not permitted has found something all the same.
fn or_refused(name: &str, found: Result<Check, ProviderError>) -> Result<Check, ProviderError> {
    match found {
        Err(ProviderError::Credentials { problem, fix, .. }) => Ok(failed(name, problem, fix)),
        found => found,
    }
}

async fn subscription(arm: &Arm) -> Result<Check, ProviderError> {
    let action = "looking up the subscription";
    let path = arm.subscription_path();
    let found = arm.call(Method::GET, action, &path).send().await.map_err(refused)?.body;
    let text = |field: &str| found[field].as_str().unwrap_or("unnamed").to_owned();
    Ok(match found["state"].as_str() {
        Some("Enabled" | "PastDue") | None => {
            passed("subscription", format!("{} is enabled", text("displayName")))
        }
        Some(state) => failed(
            "subscription",
            format!("{} is {state}, and nothing can be made in it", text("displayName")),
            "set AZURE_SUBSCRIPTION_ID to another, or have this one enabled in the portal",
        ),
    })
}

async fn registration(arm: &Arm, namespace: &str) -> Result<Check, ProviderError> {
    let action = "looking up the registration of a namespace";
    let path = format!("{}/providers/{namespace}", arm.subscription_path());
    let found = arm.call(Method::GET, action, &path).send().await.map_err(refused)?.body;
    Ok(match found["registrationState"].as_str() {
        Some("Registered") => passed(namespace, "registered"),
        state => failed(
            namespace,
            format!("it is not registered in the subscription ({})", state.unwrap_or("unknown")),
            format!("az provider register --namespace {namespace} --wait"),
        ),
    })
}

/// The regions that have virtual machines for the subscription. Azure lists them here by the names
/// that it shows (`East US`); those of the API are the same without blanks and capitals (`eastus`).
pub(super) async fn regions(arm: &Arm) -> Result<Vec<String>, ProviderError> {
    let action = "listing the regions";
    let path = format!("{}/providers/Microsoft.Compute", arm.subscription_path());
    let found = arm.call(Method::GET, action, &path).send().await.map_err(refused)?.body;
    let kinds = found["resourceTypes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let machines = kinds.iter().find(|kind| {
        let name = kind["resourceType"].as_str();
        name.is_some_and(|name| name.eq_ignore_ascii_case("virtualMachines"))
    });
    let shown = machines.and_then(|machines| machines["locations"].as_array());
    let names = shown
        .into_iter()
        .flatten()
        .filter_map(|location| Some(location.as_str()?.replace(' ', "").to_ascii_lowercase()));
    Ok(names.collect())
}

async fn size(arm: &Arm, plan: &Plan, region: &str) -> Result<(Check, Option<Sku>), ProviderError> {
    let name = "size";
    let size = plan.vars.instance_type.as_str();
    let listed = skus(arm, region).await?;
    let Some(sku) = Sku::find(&listed, size, region) else {
        let problem = format!("{region} does not offer {size}");
        let fix = format!("choose from `az vm list-skus --location {region} --output table`");
        return Ok((failed(name, problem, fix), None));
    };
    let planned = plan.machines.first().map(|machine| machine.shape);
    let other_arch = sku.arch.zip(planned).filter(|(arch, shape)| *arch != shape.arch);
    let other_vcpus =
        sku.vcpus.zip(planned.and_then(|shape| shape.vcpus)).filter(|(is, told)| is != told);
    let check = if let Some(reason) = &sku.refusal {
        failed(
            name,
            format!("this subscription may not have {size} in {region} ({reason})"),
            "use another region or size, or ask Microsoft for it by a support request",
        )
    } else if sku.confidential {
        failed(
            name,
            format!("{size} starts only images for confidential computing"),
            "take a size of another family",
        )
    } else if let Some((arch, shape)) = other_arch {
        failed(
            name,
            format!("{size} is {arch}, and was planned as {}", shape.arch),
            "report this to railsbench, and take another size",
        )
    } else if let Some((is, told)) = other_vcpus {
        failed(
            name,
            format!("{size} has {is} vCPUs, and was planned with {told}"),
            "report this to railsbench, and take another size",
        )
    } else {
        let zones = if sku.zones.is_empty() {
            "without zones".to_owned()
        } else {
            format!("zones {}", sku.zones.join(", "))
        };
        passed(name, format!("{region} offers {}, {zones}", sku.name))
    };
    let usable = matches!(check.outcome, Outcome::Passed { .. });
    Ok((check, usable.then_some(sku)))
}

/// Whether the quotas of the region and of the size's family leave room for the machines.
async fn quota(
    arm: &Arm,
    plan: &Plan,
    region: &str,
    sku: &Sku,
) -> Result<Vec<Check>, ProviderError> {
    let action = "looking up the quotas of the region";
    let base = format!("{}/providers/Microsoft.Compute", arm.subscription_path());
    let path = format!("{base}/locations/{region}/usages");
    let usages = arm.list(action, arm.call(Method::GET, action, &path)).await.map_err(refused)?;
    let machines = u64::try_from(plan.machines.len()).unwrap_or(u64::MAX);
    let needed = u64::from(sku.charged_vcpus).saturating_mul(machines);
    Ok([ALL_VCPUS, sku.family.as_str()]
        .into_iter()
        .filter_map(|wanted| {
            let usage = usages.iter().find(|usage| {
                usage["name"]["value"]
                    .as_str()
                    .is_some_and(|name| name.eq_ignore_ascii_case(wanted))
            })?;
            Some(room(wanted, usage, needed, region))
        })
        .collect())
}

fn room(wanted: &str, usage: &Value, needed: u64, region: &str) -> Check {
    let limit = usage["limit"].as_u64().unwrap_or(0);
    let used = usage["currentValue"].as_u64().unwrap_or(0);
    let free = limit.saturating_sub(used);
    let name = format!("quota of {wanted}");
    if free >= needed {
        passed(&name, format!("{free} of {limit} vCPUs are free, {needed} are needed"))
    } else {
        failed(
            &name,
            format!("{free} of {limit} vCPUs are free in {region}, and {needed} are needed"),
            "raise it in the portal under Quotas, Compute, or use another region or size",
        )
    }
}

fn passed(name: &str, detail: impl Into<String>) -> Check {
    Check { name: name.to_owned(), outcome: Outcome::Passed { detail: detail.into() } }
}

fn failed(name: &str, problem: impl Into<String>, fix: impl Into<String>) -> Check {
    let outcome = Outcome::Failed { problem: problem.into(), fix: fix.into() };
    Check { name: name.to_owned(), outcome }
}
