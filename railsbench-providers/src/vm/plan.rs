//! What would exist at a VM cloud.

use railsbench_core::id::ProviderName;
use railsbench_core::provider::{
    Direction, Expectations, FirewallRule, Plan, PlanError, PlannedMachine, PlannedResource,
    ProvisionRequest, Role, RunnerFile, Shape,
};

use super::script::image;
use super::{StartupScript, VmPrices, cost};
use crate::names::machine_name;

/// What a cloud knows of the machines that it is asked for; the rest of a plan follows from it.
pub struct VmPlan<'a> {
    /// The cloud.
    pub provider: &'a ProviderName,
    /// What is asked for.
    pub request: &'a ProvisionRequest,
    /// What the machines are.
    pub shape: Shape,
    /// Where they will be.
    pub region: &'a str,
    /// Longest name that a machine may have there; at least 20.
    pub longest_name: usize,
    /// What else is made.
    pub resources: Vec<PlannedResource>,
    /// What it costs.
    pub prices: &'a VmPrices,
    /// Boot time and billing.
    pub expectations: &'a Expectations,
    /// What a machine runs at its start.
    pub script: &'a StartupScript,
}

impl VmPlan<'_> {
    /// Makes the plan.
    ///
    /// # Errors
    /// [`PlanError`] naming what cannot be made: no runner for the architecture, a label that
    /// cannot be a name, a longer life than the cloud gives, a script that cannot be rendered.
    pub fn build(self) -> Result<Plan, PlanError> {
        let Self { provider, request, shape, expectations, .. } = self;
        let unsupported = |problem: String, fix: &str| PlanError::Unsupported {
            provider: provider.clone(),
            problem,
            fix: fix.to_owned(),
        };
        if request.role != Role::Runner {
            return Err(unsupported(
                "it cannot host an orchestrator yet".to_owned(),
                "start railsbench-server on a host with a public https URL, and name that with --orchestrator",
            ));
        }
        if request.count == 0 {
            return Err(unsupported("no machine is asked for".to_owned(), "ask for at least 1"));
        }
        if let Some(longest) =
            expectations.max_lifetime.filter(|longest| request.max_lifetime > *longest)
        {
            return Err(unsupported(
                format!("machines live for {} minutes at most", longest.as_secs() / 60),
                "lower max_lifetime_minutes",
            ));
        }
        if RunnerFile::for_arch(&request.vars.runners, shape.arch).is_none() {
            return Err(PlanError::NoRunner {
                provider: provider.clone(),
                instance_type: request.instance_type.clone(),
                arch: shape.arch,
            });
        }
        let vars = request.user_data_vars(provider.clone());
        let machines = (0..request.count)
            .map(|number| PlannedMachine {
                name: machine_name(
                    &request.run_id,
                    &request.label,
                    request.first.saturating_add(number),
                    self.longest_name,
                ),
                instance_type: request.instance_type.clone(),
                shape,
                region: Some(self.region.to_owned()),
            })
            .collect();
        let mut installs =
            vec!["docker.io".to_owned(), format!("container image {}", image(&vars))];
        if vars.ruby_version.is_some() {
            installs.extend(["rails", "sqlite3", "puma"].map(|gem| format!("{gem} (gem)")));
        }
        Ok(Plan {
            provider: provider.clone(),
            run_id: request.run_id.clone(),
            role: request.role,
            machines,
            resources: self.resources,
            firewall: vec![FirewallRule {
                direction: Direction::Egress,
                protocol: "tcp".to_owned(),
                port: 443,
            }],
            installs,
            expected: expectations.boot.saturating_add(request.expected_work),
            max_lifetime: request.max_lifetime,
            cost: cost(self.prices, expectations, request),
            user_data: self.script.render(&vars, shape.arch)?,
            vars,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use railsbench_core::config::RubyVersion;
    use railsbench_core::provider::Arch;

    use super::*;
    use crate::testing;
    use crate::vm::fixture::{EXPECTATIONS, prices, provider, request, script};

    fn plan(
        request: &ProvisionRequest,
        arch: Arch,
        expectations: Expectations,
    ) -> Result<Plan, PlanError> {
        VmPlan {
            provider: &provider(),
            request,
            shape: Shape { arch, vcpus: Some(1), memory_bytes: Some(2 << 30) },
            region: "here-1",
            longest_name: 63,
            resources: Vec::new(),
            prices: &prices(),
            expectations: &expectations,
            script: &script(16_384),
        }
        .build()
    }

    #[test]
    fn a_plan_follows_from_what_is_asked() {
        let mut request = request();
        request.count = 2;
        request.first = 3;
        request.label = "graviton".to_owned();
        request.vars.ruby_version = Some(RubyVersion::System);
        let plan = plan(&request, Arch::Aarch64, EXPECTATIONS).unwrap();
        let names: Vec<&str> = plan.machines.iter().map(|machine| machine.name.as_str()).collect();
        assert_eq!(names, ["railsbench-r1-graviton-3", "railsbench-r1-graviton-4"]);
        assert_eq!(plan.machines[0].region.as_deref(), Some("here-1"));
        assert_eq!(plan.expected, Duration::from_hours(1));
        assert_eq!(plan.installs[..2], ["docker.io", "container image ruby:slim"]);
        testing::assert_no_way_in(&plan);
        testing::assert_only_https(&plan.user_data);
        testing::assert_tells_runner(&plan.user_data, &plan.vars);
        testing::assert_shell_finds_no_fault(&plan.user_data);
        testing::assert_cloud_init_takes(&plan.user_data);
        testing::assert_at_most(&plan.user_data, 16 * 1024);
    }

    #[test]
    fn without_a_runner_the_plan_says_how_to_build_one() {
        let error = plan(&request(), Arch::X86_64, EXPECTATIONS).unwrap_err().to_string();
        assert_eq!(
            error,
            "cloud: c7g.medium is x86_64, and no runner for that is at hand; build it (cargo build \
             --release -p railsbench-runner --target x86_64-unknown-linux-musl) and start \
             railsbench, or the railsbench-server that it uses, with --runners target"
        );
    }

    #[test]
    fn what_cannot_be_made_is_refused_with_a_fix() {
        let refused = |spoil: fn(&mut ProvisionRequest), expectations| {
            let mut request = request();
            spoil(&mut request);
            plan(&request, Arch::Aarch64, expectations).unwrap_err().to_string()
        };
        let role = refused(|request| request.role = Role::Orchestrator, EXPECTATIONS);
        assert!(role.contains("--orchestrator"), "{role}");
        let none = refused(|request| request.count = 0, EXPECTATIONS);
        assert!(none.contains("at least 1"), "{none}");
        let short = Expectations { max_lifetime: Some(Duration::from_hours(1)), ..EXPECTATIONS };
        let long = refused(|_| (), short);
        assert!(long.contains("lower max_lifetime_minutes"), "{long}");
    }
}
