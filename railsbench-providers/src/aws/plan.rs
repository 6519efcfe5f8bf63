//! What would exist at AWS, and what it would cost.

use std::sync::LazyLock;
use std::time::Duration;

use jiff::civil::date;
use railsbench_core::money::Usd;
use railsbench_core::provider::{
    Expectations, Plan, PlanError, PlannedResource, Price, ProvisionRequest,
};

use super::catalog::catalog;
use super::naming::{LONGEST_NAME, group_name, is_region, provider_name, runs_macos_only, shape};
use super::user_data::{SCRIPT, check};
use crate::vm::{VmPlan, VmPrices, hour_of_month};

/// Size of a machine's disk: the image, Docker, the Ruby image and what the benchmarks write.
pub(super) const DISK_GIB: u16 = 20;

/// In words, as resources are called.
pub(super) const GROUP: &str = "security group";

/// Linux is charged by the second, and for a minute at least:
/// <https://aws.amazon.com/ec2/pricing/on-demand/>. The boot is that of Debian's image, Docker
/// and the Ruby image.
pub(super) const EXPECTATIONS: Expectations = Expectations {
    boot: Duration::from_mins(4),
    lease: Duration::from_secs(150),
    billing_minimum: Duration::from_mins(1),
    billing_increment: Duration::from_secs(1),
    charged_when_ended: false,
    max_lifetime: None,
};

/// What is charged beside the machine, in us-east-1. Disk and address are as Amazon billed them
/// there in 2026-10, traffic as in 2026-06 (after 100 GiB a month, which are free); Amazon's pages:
/// <https://aws.amazon.com/ebs/pricing/>, <https://aws.amazon.com/vpc/pricing/>,
/// <https://aws.amazon.com/ec2/pricing/on-demand/#Data_Transfer>.
static PRICES: LazyLock<VmPrices> = LazyLock::new(|| VmPrices {
    machine: None,
    disk_gib: u32::from(DISK_GIB),
    disk_gib_month: Usd::from_micros(80_000),
    public_ip_hour: Usd::from_micros(5_000),
    sent_gib: Usd::from_micros(90_000),
    as_of: date(2026, 6, 1),
    source: "as billed in us-east-1 for EBS (gp3), public IPv4 and data transfer".to_owned(),
});

pub(super) fn plan(request: &ProvisionRequest, default_region: &str) -> Result<Plan, PlanError> {
    let name = request.instance_type.as_str();
    let shape = shape(name)?;
    let provider = provider_name();
    let unsupported = |problem: String, fix: &str| PlanError::Unsupported {
        provider: provider.clone(),
        problem,
        fix: fix.to_owned(),
    };
    if runs_macos_only(name) {
        return Err(unsupported(
            format!("{name} runs only macOS, on a dedicated host, for 24 hours at least"),
            "take a type that runs Linux",
        ));
    }
    let region = request.region.as_deref().unwrap_or(default_region);
    if !is_region(region) {
        return Err(unsupported(
            format!("{region:?} is no region"),
            "set regions.aws to one, e.g. \"us-east-1\"",
        ));
    }
    let group = group_name(&request.run_id, &request.label);
    let resources = vec![
        PlannedResource {
            kind: GROUP.to_owned(),
            name: group,
            detail: "lets nothing in, and out only TCP 443".to_owned(),
        },
        PlannedResource {
            kind: "volume".to_owned(),
            name: "of each machine".to_owned(),
            detail: format!("{DISK_GIB} GiB of gp3, deleted with the machine"),
        },
        PlannedResource {
            kind: "public IPv4 address".to_owned(),
            name: "of each machine".to_owned(),
            detail: "to reach the orchestrator from; nothing can come in".to_owned(),
        },
    ];
    let prices = VmPrices { machine: price(name, region), ..PRICES.clone() };
    let plan = VmPlan {
        provider: &provider,
        request,
        shape,
        region,
        longest_name: LONGEST_NAME,
        resources,
        prices: &prices,
        expectations: &EXPECTATIONS,
        script: &SCRIPT,
    }
    .build()?;
    check(&plan.user_data)?;
    Ok(plan)
}

/// What a disk of this size costs for an hour.
pub(super) fn disk_hour(gib: u32) -> Usd {
    hour_of_month(PRICES.disk_gib_month.times(gib))
}

/// What a public IPv4 address costs for an hour.
pub(super) fn address_hour() -> Usd {
    PRICES.public_ip_hour
}

/// The price of a type; for another region than the catalog's, that is said with it.
fn price(name: &str, region: &str) -> Option<Price> {
    let mut price = catalog().price(name)?;
    if region != super::naming::DEFAULT_REGION {
        price.source.push_str("; another region than planned, prices there differ");
    }
    Some(price)
}

#[cfg(test)]
mod tests {
    use railsbench_core::config::RubyVersion;
    use railsbench_core::id::RunId;
    use railsbench_core::provider::{Role, ShapeError, UserDataVars};

    use super::*;
    use crate::testing;

    fn request(instance_type: &str) -> ProvisionRequest {
        let vars = UserDataVars {
            run_id: RunId::new("1732470000").unwrap(),
            api_key: "rbt_5ecret".to_owned().into(),
            ruby_version: Some(RubyVersion::Version("3.4.1".to_owned())),
            allow_install: true,
            max_lifetime: Duration::from_hours(4),
            ..testing::vars("aws", instance_type)
        };
        let expected_work = Duration::from_mins(56);
        ProvisionRequest { expected_work, ..testing::request(vars, 2) }
    }

    fn planned(request: &ProvisionRequest) -> Plan {
        plan(request, "us-east-1").unwrap()
    }

    #[test]
    fn plans_are_as_reviewed() {
        insta::assert_json_snapshot!("plan_arm", planned(&request("c7g.medium")));
        let mut elsewhere = request("m5.large");
        elsewhere.region = Some("eu-west-1".to_owned());
        elsewhere.count = 1;
        let plan = planned(&elsewhere);
        crate::testing::assert_no_way_in(&plan);
        insta::assert_json_snapshot!("plan_x86", plan);
    }

    /// An hour of two machines: 0.0363 each, 20 GiB for 730 hours at 1.60, an address for 0.005,
    /// 10 MiB at 0.09 a GiB.
    #[test]
    fn an_hour_costs_what_it_says() {
        let cost = planned(&request("c7g.medium")).cost;
        let hour = 36_300 + 1_600_000_u64.div_ceil(730) + 5_000 + 900_000_u64.div_ceil(1024);
        assert_eq!(cost.likely.micros(), 2 * hour);
    }

    /// A type that only the grammar knows has no price; that is said, and not counted as free.
    #[test]
    fn a_type_without_a_price_is_said_to_have_none() {
        let cost = planned(&request("c9g.medium")).cost;
        assert_eq!(cost.unpriced, ["c9g.medium (aws)"]);
    }

    #[test]
    fn what_cannot_be_made_is_refused_with_a_fix() {
        type Spoil = fn(&mut ProvisionRequest);
        let cases: [(&str, &str, Spoil); 5] = [
            ("c7g.medium", "set regions.aws", |request| request.region = Some("here".to_owned())),
            ("mac2-m2.metal", "take a type that runs Linux", |_| ()),
            ("c7g.medium", "--runners", |request| request.vars.runners.truncate(1)),
            ("c7g.medium", "ask for at least 1", |request| request.count = 0),
            ("c7g.medium", "--orchestrator", |request| request.role = Role::Orchestrator),
        ];
        for (instance_type, fix, spoil) in cases {
            let mut request = request(instance_type);
            spoil(&mut request);
            let error = plan(&request, "us-east-1").unwrap_err().to_string();
            assert!(error.contains(fix), "{error}");
        }
        let error = plan(&request("c7g.medum"), "us-east-1").unwrap_err();
        assert!(matches!(error, PlanError::Shape(ShapeError::Unknown { .. })), "{error}");
    }
}
