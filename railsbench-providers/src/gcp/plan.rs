//! What would exist at Google, and what it costs.

use std::time::Duration;

use railsbench_core::money::Usd;
use railsbench_core::provider::{Expectations, Plan, PlanError, PlannedResource, ProvisionRequest};

use super::catalog::catalog;
use super::naming::{Series, provider_name, shape};
use super::user_data::script;
use crate::names;
use crate::vm::{VmPlan, VmPrices};

/// Where machines are made if nobody says where; the catalog's prices are those of this region.
pub(super) const DEFAULT_REGION: &str = "us-central1";

/// What a disk for a Debian, a Ruby image and the runner's files needs, in GiB.
pub(super) const DISK_GIB: u32 = 20;

/// The kind of a firewall rule in plans and lists.
pub(super) const FIREWALL: &str = "firewall rule";

/// Longest name of anything that is made (RFC 1035).
pub(super) const LONGEST_NAME: usize = 63;

/// Google charges by the second, for a minute at least.
/// Source: <https://cloud.google.com/compute/vm-instance-pricing>, 2026-07. The boot is an
/// estimate for Debian's image, Docker, the Ruby image and the gems.
pub(super) const EXPECTATIONS: Expectations = Expectations {
    boot: Duration::from_mins(2),
    lease: Duration::from_mins(3),
    billing_minimum: Duration::from_mins(1),
    billing_increment: Duration::from_secs(1),
    charged_when_ended: false,
    max_lifetime: Some(Duration::from_hours(120 * 24)),
};

/// A GiB of a boot disk for a month: balanced persistent disk; Hyperdisk Balanced is a fifth
/// cheaper.
pub(super) const DISK_GIB_MONTH: Usd = Usd::from_micros(100_000);

/// An external IPv4 address in use, for an hour.
pub(super) const PUBLIC_IP_HOUR: Usd = Usd::from_micros(5_000);

/// A GiB sent to the internet by the premium tier, the first TiB of a month.
const SENT_GIB: Usd = Usd::from_micros(120_000);

pub(super) fn plan(request: &ProvisionRequest) -> Result<Plan, PlanError> {
    let name = request.instance_type.as_str();
    let shape = shape(name)?;
    let region = request.region.as_deref().unwrap_or(DEFAULT_REGION);
    if !is_region(region) {
        return Err(PlanError::Unsupported {
            provider: provider_name(),
            problem: format!("{region:?} cannot be a region"),
            fix: "set regions.gcp to one that `gcloud compute regions list` shows, e.g. \
                  europe-west4"
                .to_owned(),
        });
    }
    let provider = provider_name();
    let prices = VmPrices {
        machine: catalog().price(name),
        disk_gib: DISK_GIB,
        disk_gib_month: DISK_GIB_MONTH,
        public_ip_hour: PUBLIC_IP_HOUR,
        sent_gib: SENT_GIB,
        as_of: jiff::civil::date(2026, 7, 30),
        source: "us-central1, Cloud Billing catalog and cloud.google.com/vpc/network-pricing"
            .to_owned(),
    };
    let first = names::machine_name(&request.run_id, &request.label, request.first, LONGEST_NAME);
    let mut resources = firewall_rules(&first);
    resources.push(PlannedResource {
        kind: "disk".to_owned(),
        name: format!("{DISK_GIB} GiB {} for each machine", disk_type(name)),
        detail: "boots Debian 12; goes when its machine goes".to_owned(),
    });
    resources.push(PlannedResource {
        kind: "external address".to_owned(),
        name: "of each machine".to_owned(),
        detail: "to reach the orchestrator from; nothing comes in, and Google takes it back"
            .to_owned(),
    });
    VmPlan {
        provider: &provider,
        request,
        shape,
        region,
        longest_name: LONGEST_NAME,
        resources,
        prices: &prices,
        expectations: &EXPECTATIONS,
        script: script(),
    }
    .build()
}

fn firewall_rules(first_machine: &str) -> Vec<PlannedResource> {
    let tag = network_tag(first_machine);
    Rule::ALL
        .iter()
        .map(|rule| PlannedResource {
            kind: FIREWALL.to_owned(),
            name: rule.name(&tag),
            detail: format!("{}; for machines with the network tag {tag}", rule.detail()),
        })
        .collect()
}

/// The network tag of the machines of one provision, which its firewall rules are for. It follows
/// from the name of the first of them, and leaves room for what the rules' names end in.
pub(super) fn network_tag(first_machine: &str) -> String {
    names::name(&[first_machine], LONGEST_NAME - 12)
}

/// The three rules around the machines of one provision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    DenyIn,
    AllowHttpsOut,
    DenyOut,
}

impl Rule {
    pub(super) const ALL: [Self; 3] = [Self::DenyIn, Self::AllowHttpsOut, Self::DenyOut];

    /// Its name, for machines with this network tag.
    pub(super) fn name(self, tag: &str) -> String {
        let end = match self {
            Self::DenyIn => "deny-in",
            Self::AllowHttpsOut => "https-out",
            Self::DenyOut => "deny-out",
        };
        format!("{tag}-{end}")
    }

    fn detail(self) -> &'static str {
        match self {
            Self::DenyIn => "nothing comes in",
            Self::AllowHttpsOut => "TCP 443 goes out",
            Self::DenyOut => "nothing else goes out",
        }
    }
}

/// The type of the boot disk: newer series know Hyperdisk alone.
pub(super) fn disk_type(machine_type: &str) -> &'static str {
    let hyperdisk = Series::of(machine_type).is_some_and(Series::needs_hyperdisk)
        || machine_type.starts_with("a3-ultragpu");
    if hyperdisk { "hyperdisk-balanced" } else { "pd-balanced" }
}

/// Whether it looks like a region: `us-central1`. It becomes a part of paths.
pub(super) fn is_region(text: &str) -> bool {
    text.len() <= 40
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.ends_with(|c: char| c.is_ascii_digit())
        && text.contains('-')
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

#[cfg(test)]
pub(super) mod tests {
    use railsbench_core::config::RubyVersion;
    use railsbench_core::id::{InstanceType, RunId};
    use railsbench_core::provider::UserDataVars;

    use super::*;
    use crate::testing;

    pub(in crate::gcp) fn request(machine_type: &str) -> ProvisionRequest {
        let vars = UserDataVars {
            run_id: RunId::new("1732470000").unwrap(),
            api_key: "rbr_the-token".to_owned().into(),
            ruby_version: Some(RubyVersion::Version("3.4".to_owned())),
            allow_install: true,
            max_lifetime: Duration::from_hours(4),
            ..testing::vars("gcp", machine_type)
        };
        let expected_work = Duration::from_mins(20);
        ProvisionRequest { expected_work, ..testing::request(vars, 2) }
    }

    #[test]
    fn plans_for_x86_and_arm_are_as_reviewed() {
        for machine_type in ["e2-micro", "c4a-standard-1"] {
            let plan = plan(&request(machine_type)).unwrap();
            insta::assert_json_snapshot!(format!("plan_{machine_type}"), plan);
        }
    }

    #[test]
    fn a_price_that_nobody_told_is_named_and_not_made_up() {
        let plan = plan(&request("z4d-standard-16-standardlssd")).unwrap();
        assert_eq!(plan.cost.unpriced, ["z4d-standard-16-standardlssd (gcp)"]);
        assert!(plan.cost.likely > Usd::ZERO, "the disk and the address have a price");
    }

    #[test]
    fn what_google_cannot_give_is_refused_with_a_fix() {
        type Spoil = fn(&mut ProvisionRequest);
        let cases: [(&str, Spoil); 5] = [
            ("regions.gcp", |request| request.region = Some("us-central1/../x".to_owned())),
            ("regions.gcp", |request| request.region = Some("us-central1-a".to_owned())),
            ("max_lifetime_minutes", |request| request.max_lifetime = Duration::from_hours(2881)),
            ("did you mean e2-micro", |request| {
                request.instance_type = InstanceType::new("e2-mirco").unwrap();
            }),
            ("aarch64", |request| {
                request.instance_type = InstanceType::new("t2a-standard-1").unwrap();
                request.vars.runners.pop();
            }),
        ];
        for (fix, spoil) in cases {
            let mut request = request("e2-micro");
            spoil(&mut request);
            let error = plan(&request).unwrap_err();
            assert!(error.to_string().contains(fix), "{error}");
        }
    }

    #[test]
    fn newer_series_boot_from_hyperdisk() {
        for name in ["c4a-standard-1", "n4-custom-2-4096", "a3-ultragpu-8g", "x4-480-6t-metal"] {
            assert_eq!(disk_type(name), "hyperdisk-balanced", "{name}");
        }
        for name in ["e2-micro", "custom-2-4096", "t2a-standard-1", "c3d-standard-4", "f1-micro"] {
            assert_eq!(disk_type(name), "pd-balanced", "{name}");
        }
    }

    proptest::proptest! {
        /// Everything that is made has a name that Google takes (RFC 1035), whatever the run and
        /// the label are called.
        #[test]
        fn names_keep_to_googles_rules(
            run in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}", label in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
            first in 1..u32::MAX - 2,
        ) {
            let mut request = request("e2-micro");
            request.run_id = RunId::new(run).unwrap();
            request.label = label;
            request.first = first;
            let plan = plan(&request).unwrap();
            let rules = plan.resources.iter().filter(|resource| resource.kind == FIREWALL);
            let names = plan.machines.iter().map(|machine| &machine.name);
            let mut names: Vec<&String> = names.chain(rules.map(|rule| &rule.name)).collect();
            for name in &names {
                let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
                proptest::prop_assert!(name.len() <= 63 && name.chars().all(fits), "{}", name);
                proptest::prop_assert!(name.starts_with("railsbench-") && !name.ends_with('-'));
            }
            names.sort();
            names.dedup();
            proptest::prop_assert_eq!(names.len(), 5);
        }
    }
}
