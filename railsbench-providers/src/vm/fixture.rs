//! A cloud that exists in tests only.

use std::time::Duration;

use jiff::civil::date;
use railsbench_core::id::ProviderName;
use railsbench_core::money::Usd;
use railsbench_core::provider::{
    Expectations, Price, ProvisionRequest, RunnerFile, RunnerTarget, UserDataVars,
};

use super::{StartupScript, VmPrices};
use crate::testing;

pub(super) const EXPECTATIONS: Expectations = Expectations {
    boot: Duration::from_mins(4),
    lease: Duration::from_secs(150),
    billing_minimum: Duration::from_mins(1),
    billing_increment: Duration::from_secs(1),
    charged_when_ended: false,
    max_lifetime: None,
};

pub(super) fn provider() -> ProviderName {
    ProviderName::new("cloud").unwrap()
}

pub(super) fn script(longest: usize) -> StartupScript {
    let template = "#!/bin/sh\n# Makes a machine of a cloud a railsbench machine.\n\
        {{> vm-head}}\nend_machine() {\n  shutdown -h now\n}\n\n{{> vm-main}}\n";
    StartupScript::new(provider(), template, longest).unwrap()
}

pub(super) fn vars() -> UserDataVars {
    UserDataVars {
        runners: vec![RunnerFile { target: RunnerTarget::ArmMusl, sha256: "0a".repeat(32) }],
        ..testing::vars("cloud", "c7g.medium")
    }
}

pub(super) fn request() -> ProvisionRequest {
    ProvisionRequest {
        expected_work: Duration::from_mins(56),
        max_lifetime: Duration::from_hours(4),
        ..testing::request(vars(), 1)
    }
}

pub(super) fn prices() -> VmPrices {
    VmPrices {
        machine: Some(Price {
            per_hour: Usd::from_micros(360_000),
            as_of: date(2026, 7, 20),
            source: "a price list".to_owned(),
        }),
        disk_gib: 20,
        disk_gib_month: Usd::from_micros(73_000),
        public_ip_hour: Usd::from_micros(5_000),
        sent_gib: Usd::from_micros(90_000),
        as_of: date(2025, 6, 1),
        source: "another".to_owned(),
    }
}
