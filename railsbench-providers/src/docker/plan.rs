//! What would exist at a daemon.

use std::time::Duration;

use railsbench_core::provider::{
    CostRange, Expectations, Plan, PlanError, PlannedMachine, PlannedResource, ProvisionRequest,
    Role,
};

use super::daemon::Facts;
use super::naming::{Size, container_name, network_name, provider_name, size};
use super::{catalog, image, user_data};

/// A container starts in about a second.
pub(super) const EXPECTATIONS: Expectations = Expectations {
    boot: Duration::from_secs(2),
    lease: Duration::from_secs(150),
    billing_minimum: Duration::ZERO,
    charged_when_ended: false,
    billing_increment: Duration::ZERO,
    max_lifetime: None,
};

/// What the network of a run is called in plans, lists and the journal.
pub(super) const NETWORK: &str = "network";

pub(super) fn plan(request: &ProvisionRequest, facts: &Facts) -> Result<Plan, PlanError> {
    let size = size(request.instance_type.as_str(), &catalog::sizes(facts))?;
    check(request, size, facts)?;
    let vars = request.user_data_vars(provider_name());
    let machines = (0..request.count)
        .map(|number| PlannedMachine {
            name: container_name(
                &request.run_id,
                &request.label,
                request.first.saturating_add(number),
            ),
            instance_type: request.instance_type.clone(),
            shape: size.shape(facts.arch),
            region: None,
        })
        .collect();
    Ok(Plan {
        provider: provider_name(),
        run_id: request.run_id.clone(),
        role: request.role,
        machines,
        resources: vec![PlannedResource {
            kind: NETWORK.to_owned(),
            name: network_name(&request.run_id),
            detail: "bridge of the run, whose containers do not see each other".to_owned(),
        }],
        // No port is published, and Docker has no say in what containers may call.
        firewall: Vec::new(),
        installs: vec![format!("container image {}", image::name(&vars))],
        expected: EXPECTATIONS.boot.saturating_add(request.expected_work),
        max_lifetime: request.max_lifetime,
        cost: CostRange {
            source: "the daemon is yours; using it is counted as free".to_owned(),
            ..CostRange::default()
        },
        user_data: user_data::render(&vars)?,
        vars,
    })
}

/// Refuses what a daemon, or this one, cannot give.
fn check(request: &ProvisionRequest, size: Size, facts: &Facts) -> Result<(), PlanError> {
    if request.role != Role::Runner {
        return Err(unsupported(
            "it cannot host an orchestrator that others reach",
            "run without --orchestrator: the embedded one serves the containers of this host",
        ));
    }
    if request.count == 0 {
        return Err(unsupported("no machine is asked for", "ask for at least 1"));
    }
    if request.region.is_some() {
        return Err(unsupported("a daemon has no regions", "remove regions.docker"));
    }
    let machines = match request.count {
        1 => format!("{} needs", size.name()),
        count => format!("{count} machines of {} need", size.name()),
    };
    let cpus = u64::from(size.cpus) * u64::from(request.count);
    if let Some(most) = facts.cpus.filter(|most| cpus > u64::from(*most)) {
        return Err(unsupported(
            format!("{machines} {cpus} CPUs of their own, and the daemon's host has {most}"),
            "take a smaller type, or set per_instance_type.instances to a smaller number",
        ));
    }
    let memory = size.memory_bytes().saturating_mul(u64::from(request.count));
    if let Some(most) = facts.memory_bytes.filter(|most| memory > *most) {
        return Err(unsupported(
            format!(
                "{machines} {} GiB of memory, and the daemon's host has {} MiB",
                memory >> 30,
                most >> 20
            ),
            "take a smaller type, or set per_instance_type.instances to a smaller number",
        ));
    }
    Ok(())
}

fn unsupported(problem: impl Into<String>, fix: &str) -> PlanError {
    PlanError::Unsupported {
        provider: provider_name(),
        problem: problem.into(),
        fix: fix.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use railsbench_core::money::Usd;
    use railsbench_core::provider::Arch;

    use super::super::user_data::tests::vars;
    use super::*;
    use crate::testing;

    const FACTS: Facts =
        Facts { arch: Arch::Aarch64, cpus: Some(4), memory_bytes: Some((8 << 30) - 1) };

    fn request(instance_type: &str, count: u32) -> ProvisionRequest {
        let vars = vars(instance_type);
        ProvisionRequest {
            role: Role::Runner,
            run_id: vars.run_id.clone(),
            instance_type: vars.instance_type.clone(),
            label: "small".to_owned(),
            count,
            first: 3,
            region: None,
            expected_work: Duration::from_mins(1),
            max_lifetime: Duration::from_hours(1),
            vars,
        }
    }

    #[test]
    fn a_plan_names_what_would_exist_and_costs_nothing() {
        let plan = plan(&request("2c3g", 2), &FACTS).unwrap();
        insta::assert_json_snapshot!(plan);
        assert_eq!(plan.cost.high, Usd::default());
        testing::assert_no_way_in(&plan);
    }

    #[test]
    fn what_a_daemon_cannot_give_is_refused_with_a_fix() {
        type Spoil = fn(&mut ProvisionRequest);
        let cases: [(&str, Spoil); 6] = [
            ("need 6 CPUs of their own, and the daemon's host has 4", |r| r.count = 3),
            ("needs 8 CPUs", |r| r.instance_type = "8c1g".parse().unwrap()),
            ("needs 8 GiB of memory, and the daemon's host has 8191 MiB", |r| {
                r.instance_type = "1c8g".parse().unwrap();
            }),
            ("regions.docker", |r| r.region = Some("here".to_owned())),
            ("at least 1", |r| r.count = 0),
            ("embedded", |r| r.role = Role::Orchestrator),
        ];
        for (said, spoil) in cases {
            let mut request = request("2c2g", 1);
            spoil(&mut request);
            let error = plan(&request, &FACTS).unwrap_err().to_string();
            assert!(error.contains(said), "{said}: {error}");
        }
    }

    #[test]
    fn where_the_daemon_is_silent_nothing_is_too_large() {
        let unknown = Facts { cpus: None, memory_bytes: None, ..FACTS };
        assert!(plan(&request("64c512g", 9), &unknown).is_ok());
    }
}
