//! What would exist at Azure, and what it would cost.

use std::time::Duration;

use jiff::civil::date;
use railsbench_core::money::Usd;
use railsbench_core::provider::{
    Expectations, Plan, PlanError, PlannedResource, Price, ProvisionRequest,
};

use super::body::DISK_GIB;
use super::catalog::catalog;
use super::naming::{
    DEFAULT_REGION, LONGEST_NAME, Size, group_name, is_region, provider_name, shape,
};
use super::user_data::script;
use crate::vm::{VmPlan, VmPrices};

/// Azure charges by the second. Since 2025-06-01 it charges machines that end within 300 seconds
/// too; whether for all of these is not said, so they are counted, to be on the safe side:
/// <https://learn.microsoft.com/answers/questions/2259765>.
pub(super) const EXPECTATIONS: Expectations = Expectations {
    boot: Duration::from_mins(5),
    lease: Duration::from_mins(3),
    billing_minimum: Duration::from_mins(5),
    billing_increment: Duration::from_secs(1),
    charged_when_ended: true,
    max_lifetime: None,
};

/// A GiB of a standard SSD for a month: the step of 32 GiB (E4 LRS) costs 2.40 dollars. Its
/// operations, 0.002 dollars for 10,000, are not counted. Azure's retail prices, 2026-10-05:
/// <https://prices.azure.com/api/retail/prices>.
pub(super) const DISK_GIB_MONTH: Usd = Usd::from_micros(75_000);

/// A standard static IPv4 address for an hour. Azure's retail prices, 2026-10-05.
pub(super) const PUBLIC_IP_HOUR: Usd = Usd::from_micros(5_000);

/// A GiB sent to the internet, after the first 100 of a month, which are free: the meter
/// 9995d93a-7d35-4d3f-9c69-7a7fea447ef4 of North America and Europe. Azure's retail prices,
/// 2026-07-16.
const SENT_GIB: Usd = Usd::from_micros(87_000);

pub(super) fn plan(request: &ProvisionRequest) -> Result<Plan, PlanError> {
    let name = request.instance_type.as_str();
    let shape = shape(name)?;
    let provider = provider_name();
    let unsupported = |problem: String, fix: &str| PlanError::Unsupported {
        provider: provider.clone(),
        problem,
        fix: fix.to_owned(),
    };
    if Size::parse(name).is_some_and(|size| size.is_confidential()) {
        return Err(unsupported(
            format!("{name} starts only images for confidential computing, and Debian has none"),
            "take a size of another family, e.g. Standard_D2as_v5",
        ));
    }
    let region = request.region.as_deref().unwrap_or(DEFAULT_REGION);
    if !is_region(region) {
        return Err(unsupported(
            format!("{region:?} is no region"),
            "set regions.azure to a name that `az account list-locations` shows, e.g. \"eastus\"",
        ));
    }
    let prices = VmPrices {
        machine: price(name, region),
        disk_gib: DISK_GIB,
        disk_gib_month: DISK_GIB_MONTH,
        public_ip_hour: PUBLIC_IP_HOUR,
        sent_gib: SENT_GIB,
        as_of: date(2026, 7, 16),
        source: "Azure's retail prices of E4 LRS disks, standard IPv4 addresses and bandwidth"
            .to_owned(),
    };
    VmPlan {
        provider: &provider,
        request,
        shape,
        region,
        longest_name: LONGEST_NAME,
        resources: resources(request, region),
        prices: &prices,
        expectations: &EXPECTATIONS,
        script: script(),
    }
    .build()
}

fn resources(request: &ProvisionRequest, region: &str) -> Vec<PlannedResource> {
    let resource = |kind: &str, name: String, detail: &str| PlannedResource {
        kind: kind.to_owned(),
        name,
        detail: detail.to_owned(),
    };
    let count = request.count;
    vec![
        resource(
            "resource group",
            group_name(&request.run_id, region),
            "holds all of the run in this region, and goes with all of it",
        ),
        resource(
            "network security group",
            "railsbench".to_owned(),
            "lets nothing in, and out only TCP 443",
        ),
        resource("virtual network", "railsbench".to_owned(), "for these machines alone"),
        resource(
            "public IP address",
            format!("{count} of the region's"),
            "a machine has one to reach the orchestrator; nothing reaches it",
        ),
        resource("network interface", format!("{count}"), "goes when its machine goes"),
        resource(
            "disk",
            format!("{count} of {DISK_GIB} GiB"),
            "standard SSD with Debian 12, goes when its machine goes",
        ),
    ]
}

/// The price of a size; for another region than the catalog's, that is said with it.
fn price(name: &str, region: &str) -> Option<Price> {
    let mut price = catalog().price(name)?;
    if region != DEFAULT_REGION {
        price.source.push_str("; another region than planned, prices there differ");
    }
    Some(price)
}
