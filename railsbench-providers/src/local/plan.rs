//! What would exist on this host.

use std::path::Path;

use railsbench_core::config::RubyVersion;
use railsbench_core::provider::{
    CostRange, Plan, PlanError, PlannedMachine, PlannedResource, ProvisionRequest, Role, Shape,
};

use super::naming::{MachineKey, machine_name, provider_name, shape};
use super::{folder, provider, user_data};

pub(super) fn plan(
    request: &ProvisionRequest,
    host: Shape,
    state_dir: &Path,
) -> Result<Plan, PlanError> {
    let shape = shape(request.instance_type.as_str(), host)?;
    if request.role != Role::Runner {
        return Err(unsupported(
            "it cannot host an orchestrator that others reach",
            "run without --orchestrator: the embedded one serves this host",
        ));
    }
    if request.count != 1 {
        return Err(unsupported(
            format!(
                "{} machines cannot share one host without disturbing each other",
                request.count
            ),
            "set per_instance_type.instances to 1",
        ));
    }
    if request.region.is_some() {
        return Err(unsupported("this host has no regions", "remove regions.local"));
    }
    if request.vars.runner.is_none() {
        return Err(unsupported(
            "the path of the runner is not given",
            "build it: cargo build -p railsbench-runner",
        ));
    }
    let name = machine_name(&request.label, request.first)
        .map_err(|error| unsupported(error.to_string(), "set another alias"))?;
    let key = MachineKey::new(&request.run_id, &name)
        .expect("a name that was just made is a machine's name");
    let vars = request.user_data_vars(provider_name());
    Ok(Plan {
        provider: provider_name(),
        run_id: request.run_id.clone(),
        role: request.role,
        machines: vec![PlannedMachine {
            name,
            instance_type: request.instance_type.clone(),
            shape,
            region: None,
        }],
        resources: vec![PlannedResource {
            kind: folder::KIND.to_owned(),
            name: folder::path(state_dir, &key).display().to_string(),
            detail: "script, log and working files of the machine".to_owned(),
        }],
        firewall: Vec::new(),
        installs: installs(vars.ruby_version.as_ref()),
        expected: provider::EXPECTATIONS.boot.saturating_add(request.expected_work),
        max_lifetime: request.max_lifetime,
        cost: CostRange {
            source: "this host is yours; using it is counted as free".to_owned(),
            ..CostRange::default()
        },
        user_data: user_data::render(&vars)?,
        vars,
    })
}

/// What the script installs where it is missing.
fn installs(ruby_version: Option<&RubyVersion>) -> Vec<String> {
    let names: &[&str] = match ruby_version {
        None => &[],
        Some(RubyVersion::System) => &["ruby", "ruby-rails", "ruby-sqlite3", "puma"],
        Some(RubyVersion::Version(_)) => &["rails (gem)", "sqlite3 (gem)", "puma (gem)"],
    };
    names.iter().map(ToString::to_string).collect()
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
    use std::time::Duration;

    use railsbench_core::money::Usd;
    use railsbench_core::provider::{Arch, UserDataVars};

    use super::*;
    use crate::testing;

    const HOST: Shape = Shape { arch: Arch::X86_64, vcpus: Some(2), memory_bytes: Some(4 << 30) };

    fn request() -> ProvisionRequest {
        let vars = UserDataVars {
            orchestrator_url: "http://127.0.0.1:1/".to_owned(),
            ruby_version: Some(RubyVersion::System),
            runner: Some("/runner".to_owned()),
            max_lifetime: Duration::from_mins(10),
            ..testing::vars("local", "host")
        };
        ProvisionRequest {
            label: "laptop".to_owned(),
            first: 3,
            expected_work: Duration::from_mins(1),
            ..testing::request(vars, 1)
        }
    }

    #[test]
    fn a_plan_names_what_would_exist_and_costs_nothing() {
        let plan = plan(&request(), HOST, Path::new("/state")).unwrap();
        assert_eq!(plan.machines[0].name, "laptop-3");
        assert_eq!(plan.machines[0].shape, HOST);
        assert_eq!(plan.resources[0].name, "/state/machines/r1/laptop-3");
        assert_eq!(plan.installs, ["ruby", "ruby-rails", "ruby-sqlite3", "puma"]);
        assert_eq!(plan.expected, Duration::from_secs(62));
        assert_eq!(plan.cost.high, Usd::default());
        assert!(plan.firewall.is_empty());
    }

    #[test]
    fn a_run_without_ruby_installs_nothing() {
        let mut request = request();
        request.vars.ruby_version = None;
        assert!(plan(&request, HOST, Path::new("/state")).unwrap().installs.is_empty());
    }

    #[test]
    fn what_one_host_cannot_give_is_refused_with_a_fix() {
        type Spoil = fn(&mut ProvisionRequest);
        let cases: [(&str, Spoil); 5] = [
            ("per_instance_type.instances to 1", |request| request.count = 2),
            ("regions.local", |request| request.region = Some("here".to_owned())),
            ("cargo build", |request| request.vars.runner = None),
            ("alias", |request| request.label = "../x".to_owned()),
            ("embedded", |request| request.role = Role::Orchestrator),
        ];
        for (fix, spoil) in cases {
            let mut request = request();
            spoil(&mut request);
            let error = plan(&request, HOST, Path::new("/state")).unwrap_err();
            assert!(error.to_string().contains(fix), "{error}");
        }
    }
}
