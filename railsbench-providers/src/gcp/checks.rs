//! The looks before anything is made: who we are, what there is, how much of it we may have.

use futures::future::join_all;
use railsbench_core::provider::{
    Arch, Check, Outcome, Plan, PlannedMachine, Preflight, ProviderError,
};

use super::api::Compute;
use super::body::image_family;
use super::errors::RAISE_QUOTA;
use super::naming::Series;
use super::plan::DEFAULT_REGION;
use super::wire::{MachineType, Region};
use crate::orchestrator_url::reachable_check;

/// Makes all looks that the ones before leave possible.
pub(super) async fn run(
    compute: &Compute,
    plan: &Plan,
    network: &str,
) -> Result<Preflight, ProviderError> {
    let emulated = compute.client.is_on_this_host();
    let mut checks = vec![reachable_check(&plan.vars.orchestrator_url, emulated)];
    let project = outcome(
        compute
            .project()
            .await
            .map(|()| passed(format!("they may use the project {}", compute.project))),
    )?;
    let usable = matches!(project, Outcome::Passed { .. });
    checks.push(check("credentials", project));
    let Some(machine) = plan.machines.first().filter(|_| usable) else {
        return Ok(Preflight { checks });
    };
    let region = machine.region.as_deref().unwrap_or(DEFAULT_REGION);
    let found = match compute.region(region).await {
        Ok(found) => found,
        Err(error) => {
            checks.push(check("region", outcome(Err(error))?));
            return Ok(Preflight { checks });
        }
    };
    let Some(found) = found else {
        checks.push(check(
            "region",
            failed(
                format!("Google has no region {region}"),
                "set regions.gcp to one that `gcloud compute regions list` shows",
            ),
        ));
        return Ok(Preflight { checks });
    };
    checks.push(check("region", passed(region.to_owned())));
    let (types, image, network_found) = futures::join!(
        machine_types(compute, region, machine),
        image(compute, machine.shape.arch),
        has_network(compute, network),
    );
    checks.push(check("machine type", outcome(types)?));
    checks.push(check("image", outcome(image)?));
    checks.push(check("network", outcome(network_found)?));
    checks.push(check("quota", quota(&found, region, machine, plan.machines.len())));
    Ok(Preflight { checks })
}

/// The look that fails where there is nobody to ask.
pub(super) fn unusable(error: ProviderError) -> Result<Preflight, ProviderError> {
    Ok(Preflight { checks: vec![check("credentials", outcome(Err(error))?)] })
}

async fn machine_types(
    compute: &Compute,
    region: &str,
    machine: &PlannedMachine,
) -> Result<Outcome, ProviderError> {
    let name = machine.instance_type.as_str();
    let zones = compute.zones(region).await?;
    let looks = zones.iter().map(|zone| compute.machine_type(zone, name));
    let found: Vec<Option<MachineType>> =
        join_all(looks).await.into_iter().collect::<Result<_, _>>()?;
    let having: Vec<&str> = zones
        .iter()
        .zip(&found)
        .filter_map(|(zone, found)| found.as_ref().map(|_| zone.as_str()))
        .collect();
    let Some(first) = found.iter().flatten().next() else {
        return Ok(failed(
            format!("no zone of {region} has {name}"),
            &format!(
                "set regions.gcp to a region that has it; `gcloud compute machine-types list \
                 --filter=name={name}` shows where it is"
            ),
        ));
    };
    Ok(match disagreement(machine, first) {
        None => passed(format!("{name} is in {}", having.join(", "))),
        Some(problem) => failed(
            problem,
            "railsbench is older than this machine type; use a newer one, or another type",
        ),
    })
}

/// Where Google says something else of a machine type than its name and our catalog.
fn disagreement(machine: &PlannedMachine, found: &MachineType) -> Option<String> {
    let name = &machine.instance_type;
    let wanted = match machine.shape.arch {
        Arch::X86_64 => "X86_64",
        Arch::Aarch64 => "ARM64",
    };
    if let Some(told) = found.architecture.as_deref()
        && matches!(told, "X86_64" | "ARM64")
        && told != wanted
    {
        return Some(format!("{name} was taken for {wanted}, and Google says that it is {told}"));
    }
    let vcpus =
        machine.shape.vcpus.filter(|vcpus| found.guest_cpus > 0 && *vcpus != found.guest_cpus)?;
    Some(format!("{name} was taken for {vcpus} vCPUs, and Google says {}", found.guest_cpus))
}

async fn image(compute: &Compute, arch: Arch) -> Result<Outcome, ProviderError> {
    let family = image_family(arch);
    Ok(match compute.image(family).await? {
        Some(image) => passed(image.name),
        None => failed(
            format!("the image family {family} of debian-cloud has no image"),
            "allow the project debian-cloud in constraints/compute.trustedImageProjects",
        ),
    })
}

async fn has_network(compute: &Compute, network: &str) -> Result<Outcome, ProviderError> {
    Ok(if compute.network(network).await? {
        passed(network.to_owned())
    } else {
        failed(
            format!("the project has no network {network}"),
            &format!(
                "run `gcloud compute networks create {network} --subnet-mode=auto`, or set \
                 RAILSBENCH_GCP_NETWORK to one with automatic subnetworks"
            ),
        )
    })
}

fn quota(found: &Region, region: &str, machine: &PlannedMachine, count: usize) -> Outcome {
    let count = count as f64;
    let vcpus = f64::from(machine.shape.vcpus.unwrap_or(0)) * count;
    let metric = Series::of(machine.instance_type.as_str()).and_then(Series::quota);
    let needs = [
        (metric.unwrap_or("CPUS"), if metric.is_some() { vcpus } else { 0.0 }),
        ("INSTANCES", count),
        ("IN_USE_ADDRESSES", count),
    ];
    for (metric, needed) in needs {
        let Some(quota) = found.quotas.iter().find(|quota| quota.metric == metric) else {
            continue;
        };
        let left = quota.limit - quota.usage;
        if needed > left {
            return failed(
                format!(
                    "{needed} of {metric} are needed in {region}, and {left} of {} are left",
                    quota.limit
                ),
                RAISE_QUOTA,
            );
        }
    }
    match metric {
        Some(metric) => passed(format!("{vcpus} of {metric} are there")),
        None => passed("Google tells none for this series".to_owned()),
    }
}

/// What was found; a refusal that the operator can act on is a finding too.
fn outcome(found: Result<Outcome, ProviderError>) -> Result<Outcome, ProviderError> {
    match found {
        Err(ProviderError::Credentials { problem, fix, .. }) => {
            Ok(Outcome::Failed { problem, fix })
        }
        Err(ProviderError::Call { action, detail, .. }) => {
            // Where there is a fix, it is what follows the last semicolon.
            let (problem, fix) =
                detail.rsplit_once("; ").unwrap_or((&detail, "look at what it says"));
            Ok(failed(format!("{action} failed: {problem}"), fix))
        }
        found => found,
    }
}

fn check(name: &str, outcome: Outcome) -> Check {
    Check { name: name.to_owned(), outcome }
}

fn passed(detail: String) -> Outcome {
    Outcome::Passed { detail }
}

fn failed(problem: String, fix: &str) -> Outcome {
    Outcome::Failed { problem, fix: fix.to_owned() }
}
