//! What a configuration is expected to cost.

use std::time::Duration;

use railsbench_core::id::{InstanceType, ProviderName};
use railsbench_core::money::Usd;
use railsbench_core::provider::{CostRange, Expectations, Plan};
use serde::Serialize;

use super::seconds;

/// What a configuration is expected to cost.
#[derive(Debug, Clone, Serialize)]
pub struct Estimate {
    /// One for each instance type, in the order of the configuration.
    pub groups: Vec<GroupEstimate>,
    /// All of it.
    pub cost: CostRange,
    /// What it may cost at most, by the configuration.
    #[serde(rename = "max_cost_usd", skip_serializing_if = "Option::is_none")]
    pub max_cost: Option<Usd>,
}

/// What the machines of one instance type are expected to cost.
#[derive(Debug, Clone, Serialize)]
pub struct GroupEstimate {
    /// Where.
    pub provider: ProviderName,
    /// Their type.
    pub instance_type: InstanceType,
    /// In which region; absent where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// How many there are.
    pub machines: usize,
    /// How long each is expected to live.
    #[serde(serialize_with = "seconds", rename = "expected_seconds")]
    pub expected: Duration,
    /// No machine lives longer.
    #[serde(serialize_with = "seconds", rename = "max_lifetime_seconds")]
    pub max_lifetime: Duration,
    /// The least time that is charged for a machine.
    #[serde(serialize_with = "seconds", rename = "billing_minimum_seconds")]
    pub billing_minimum: Duration,
    /// What all of them cost if each ends within that time; what is sent comes on top.
    pub minimum: Usd,
    /// What they cost, item by item.
    pub cost: CostRange,
}

impl GroupEstimate {
    pub(crate) fn of(plan: Plan, expectations: &Expectations) -> Self {
        Self {
            minimum: plan.cost.per_hour().per_hour_for(expectations.billing_minimum),
            billing_minimum: expectations.billing_minimum,
            region: plan.machines.first().and_then(|machine| machine.region.clone()),
            machines: plan.machines.len(),
            provider: plan.provider,
            instance_type: plan.vars.instance_type,
            expected: plan.expected,
            max_lifetime: plan.max_lifetime,
            cost: plan.cost,
        }
    }
}
