//! Preflight: whether a plan can be carried out, found out without making anything.

use jiff::Timestamp;
use railsbench_core::config::nearest;
use railsbench_core::provider::{Arch, Check, Outcome, Plan, Preflight, ProviderError};

use super::api::{Aws, Failure, Launch, RegionApi, Zone};
use super::naming::DEFAULT_REGION;
use super::plan::GROUP;
use super::quota::{Quota, quota, used};
use super::tags::Labels;
use super::{provision, user_data};
use crate::orchestrator_url::reachable_check;
use crate::vm::Tags;

const POLICY: &str = "attach the policy docs/providers/aws-policy.json to the user or role";

/// Looks at the orchestrator's URL, credentials, region, offering, network, image, quota and permissions. Where the
/// credentials do not work, or the region is none, nothing else is looked at.
pub(super) async fn run(aws: &Aws, plan: &Plan) -> Result<Preflight, ProviderError> {
    let Some(machine) = plan.machines.first() else { return Ok(Preflight::default()) };
    let region = machine.region.as_deref().unwrap_or(DEFAULT_REGION);
    let emulated = aws.is_emulated().await;
    let mut checks =
        vec![reachable_check(&plan.vars.orchestrator_url, emulated), credentials(aws).await?];
    if has_failed(&checks[1..]) {
        return Ok(Preflight { checks });
    }
    checks.push(region_is_usable(aws, region).await);
    if has_failed(&checks[1..]) {
        return Ok(Preflight { checks });
    }
    let api = aws.region(region).await;
    let look = Look { api: &api, plan, instance_type: machine.instance_type.as_str() };
    let ((offer, zones), (image_found, image), room) =
        tokio::join!(look.zones(), look.image(machine.shape.arch), look.quota());
    checks.extend([offer, image_found, room]);
    if let (Some((vpc, zone)), Some(image)) = (zones, image) {
        checks.push(look.permissions(vpc.as_deref(), &zone, image).await?);
    }
    Ok(Preflight { checks })
}

fn has_failed(checks: &[Check]) -> bool {
    checks.iter().any(|check| matches!(check.outcome, Outcome::Failed { .. }))
}

async fn credentials(aws: &Aws) -> Result<Check, ProviderError> {
    let name = "credentials";
    match aws.region(DEFAULT_REGION).await.identity().await {
        Ok(identity) => Ok(passed(name, identity)),
        Err(failure) => match ProviderError::from(failure) {
            ProviderError::Credentials { problem, fix, .. } => Ok(failed(name, problem, fix)),
            other => Err(other),
        },
    }
}

async fn region_is_usable(aws: &Aws, region: &str) -> Check {
    let name = "region";
    let regions = match aws.region(DEFAULT_REGION).await.regions().await {
        Ok(regions) => regions,
        Err(failure) => return refused(name, failure),
    };
    match regions.iter().find(|(known, _)| known == region) {
        Some((_, true)) => passed(name, region),
        Some((_, false)) => failed(
            name,
            format!("{region} is not enabled for this account"),
            format!("enable it: aws account enable-region --region-name {region}"),
        ),
        None => {
            let near = nearest(region, regions.iter().map(|(known, _)| known.as_str()));
            let fix = match near.first() {
                Some(near) => format!("did you mean {near}? set regions.aws to it"),
                None => "set regions.aws to one that exists".to_owned(),
            };
            failed(name, format!("AWS has no region {region}"), fix)
        }
    }
}

struct Look<'a> {
    api: &'a RegionApi,
    plan: &'a Plan,
    instance_type: &'a str,
}

/// A network, if there is one already, and a zone that can take a machine.
type Place = (Option<String>, Zone);

impl Look<'_> {
    /// Whether the region offers the type, in zones where machines can be.
    async fn zones(&self) -> (Check, Option<Place>) {
        let name = "instance type";
        let (instance_type, region) = (self.instance_type, self.api.name());
        let found = async {
            let offered = self.api.offered_in(instance_type).await?;
            let vpc = self.api.default_vpc().await?;
            let zones = match &vpc {
                Some(vpc) => provision::zones(&offered, &self.api.subnets(vpc).await?),
                None => Vec::new(),
            };
            Ok::<_, Failure>((offered, vpc, zones))
        };
        let (offered, vpc, zones) = match found.await {
            Ok(found) => found,
            Err(failure) => return (refused(name, failure), None),
        };
        if offered.is_empty() {
            let problem = format!("{region} does not offer {instance_type}");
            let fix = "set regions.aws to another region, or take another type";
            return (failed(name, problem, fix), None);
        }
        let Some(vpc) = vpc else {
            let detail = format!(
                "{} offer it; {region} has no default VPC, and one is made (it costs nothing \
                 and stays)",
                offered.join(", ")
            );
            return (passed(name, detail), None);
        };
        let Some(zone) = zones.first().cloned() else {
            let problem = format!(
                "{} offer {instance_type}, and none of them has a default subnet",
                offered.join(", ")
            );
            let fix = format!(
                "make one: aws ec2 create-default-subnet --region {region} --availability-zone {}",
                offered[0]
            );
            return (failed(name, problem, fix), None);
        };
        let names: Vec<&str> = zones.iter().map(|zone| zone.name.as_str()).collect();
        let detail = format!("{instance_type} is offered in {}", names.join(", "));
        (passed(name, detail), Some((Some(vpc), zone)))
    }

    async fn image(&self, arch: Arch) -> (Check, Option<String>) {
        match self.api.debian_image(arch).await {
            Ok(image) => (passed("image", format!("Debian for {arch}: {image}")), Some(image)),
            Err(failure) => (refused("image", failure), None),
        }
    }

    /// Whether the account may have so many vCPUs. Who may not ask learns it from EC2.
    async fn quota(&self) -> Check {
        let name = "quota";
        let Quota { code, name: series } = quota(self.instance_type);
        let needed: u32 = self.plan.machines.iter().filter_map(|machine| machine.shape.vcpus).sum();
        let found = async {
            let (allowed, running) =
                tokio::try_join!(self.api.vcpu_quota(code), self.api.running_types())?;
            let types = running.iter().map(String::as_str);
            Ok::<_, Failure>((allowed, used(quota(self.instance_type), types)))
        };
        let (allowed, used) = match found.await {
            Ok(found) => found,
            Err(failure) => {
                return passed(name, format!("not known, EC2 tells when it is reached: {failure}"));
            }
        };
        let said = format!("{allowed} vCPUs of {series} instances, {used} in use, {needed} needed");
        if f64::from(used) + f64::from(needed) <= allowed {
            return passed(name, said);
        }
        failed(
            name,
            format!("the account may have {said}"),
            format!(
                "run fewer machines at once, or ask for more: aws service-quotas \
                 request-service-quota-increase --region {} --service-code ec2 --quota-code {code} \
                 --desired-value {}",
                self.api.name(),
                used + needed
            ),
        )
    }

    /// Whether what the plan needs may be made: EC2 is asked, and told not to do it.
    async fn permissions(
        &self,
        vpc: Option<&str>,
        zone: &Zone,
        image: String,
    ) -> Result<Check, ProviderError> {
        let name = "permissions";
        let tags = Tags::new(&self.plan.run_id, Timestamp::now(), self.plan.max_lifetime);
        let labels = Labels::new(&tags, name);
        let user_data =
            user_data::encode(&self.plan.user_data).map_err(|error| ProviderError::Call {
                provider: self.plan.provider.clone(),
                action: "encoding the user data".to_owned(),
                detail: error.to_string(),
            })?;
        let instance_type = self.instance_type.to_owned();
        let launch = Launch { instance_type, image, group: String::new(), user_data };
        if let Some(vpc) = vpc {
            let planned = self.plan.resources.iter().find(|resource| resource.kind == GROUP);
            let group = planned.map_or(GROUP, |planned| planned.name.as_str());
            if let Err(failure) = self.api.try_create_group(vpc, group, &labels).await
                && !failure.is("InvalidGroup.Duplicate")
            {
                return Ok(refused(name, failure));
            }
        }
        Ok(match self.api.try_launch(&launch, zone, &labels).await {
            Ok(()) => passed(name, "machines and security groups may be made"),
            Err(failure) => refused(name, failure),
        })
    }
}

fn passed(name: &str, detail: impl Into<String>) -> Check {
    Check { name: name.to_owned(), outcome: Outcome::Passed { detail: detail.into() } }
}

fn failed(name: &str, problem: impl Into<String>, fix: impl Into<String>) -> Check {
    let outcome = Outcome::Failed { problem: problem.into(), fix: fix.into() };
    Check { name: name.to_owned(), outcome }
}

/// A look that AWS refuses.
fn refused(name: &str, failure: Failure) -> Check {
    match ProviderError::from(failure) {
        ProviderError::Credentials { problem, fix, .. } => failed(name, problem, fix),
        other => failed(name, other.to_string(), POLICY),
    }
}
