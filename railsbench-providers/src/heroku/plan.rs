//! What would exist at Heroku, and what it would cost.

use std::time::Duration;

use railsbench_core::config::RubyVersion;
use railsbench_core::money::Usd;
use railsbench_core::provider::{
    Arch, CostItem, CostRange, Expectations, Plan, PlanError, PlannedMachine, PlannedResource,
    ProvisionRequest, Rate, Role, RunnerFile,
};

use super::catalog::CATALOG;
use super::naming::{MOST_LONELY, Runtime, is_lonely, place, provider_name, shape, size};
use super::release::Release;
use super::settings::Settings;
use super::user_data;
use crate::orchestrator_url::reachable;

/// What to expect of dynos.
///
/// Boot is the build of the release (minutes) and the start of the dyno (seconds). The lease is
/// long because a dyno that Heroku restarts is away for a while. Heroku charges by the second and
/// names no minimum (devcenter.heroku.com/articles/usage-and-billing). It starts each dyno anew
/// every 24 hours and up to 216 minutes more.
pub(super) const EXPECTATIONS: Expectations = Expectations {
    boot: Duration::from_mins(4),
    lease: Duration::from_mins(5),
    billing_minimum: Duration::from_secs(1),
    billing_increment: Duration::from_secs(1),
    charged_when_ended: false,
    max_lifetime: Some(Duration::from_hours(24)),
};

/// The region of apps outside of private spaces, if none is asked for.
const DEFAULT_REGION: &str = "us";

pub(super) fn plan(request: &ProvisionRequest, settings: &Settings) -> Result<Plan, PlanError> {
    let shape = shape(request.instance_type.as_str())?;
    let size = size(&request.instance_type);
    check(request, &size, settings)?;
    let vars = request.user_data_vars(provider_name());
    let region = match &settings.space {
        Some(_) => None,
        None => Some(request.region.clone().unwrap_or_else(|| DEFAULT_REGION.to_owned())),
    };
    let numbers = request.first..request.first.saturating_add(request.count);
    let machines: Vec<PlannedMachine> = numbers
        .clone()
        .map(|number| PlannedMachine {
            name: format!("{size}.{number}"),
            instance_type: request.instance_type.clone(),
            shape,
            region: region.clone(),
        })
        .collect();
    let release = Release::new(&vars)?;
    let mut apps: Vec<String> =
        numbers.map(|number| place(&request.run_id, &size, number).app).collect();
    apps.dedup();
    Ok(Plan {
        provider: provider_name(),
        run_id: request.run_id.clone(),
        role: request.role,
        machines,
        resources: resources(&apps, &size, &release, request.count),
        // Dynos without a web process get no traffic, and what they may send cannot be limited.
        firewall: Vec::new(),
        installs: installs(vars.ruby_version.as_ref()),
        expected: EXPECTATIONS.boot.saturating_add(request.expected_work),
        max_lifetime: request.max_lifetime,
        cost: cost(request, &size, settings),
        user_data: user_data::render(&vars)?,
        vars,
    })
}

/// Refuses what Heroku or its dynos cannot give.
fn check(request: &ProvisionRequest, size: &str, settings: &Settings) -> Result<(), PlanError> {
    if request.role != Role::Runner {
        return Err(unsupported(
            "it cannot host an orchestrator: the disk of a dyno is emptied every day",
            "host it on another provider",
        ));
    }
    match (Runtime::of(size), &settings.space) {
        (Runtime::Fir, _) => {
            return Err(unsupported(
                format!(
                    "{size} is a Fir dyno, and those are built by Cloud Native Buildpacks, which \
                     railsbench has no release for"
                ),
                "take a Cedar size, e.g. private-l",
            ));
        }
        (Runtime::Space, None) => {
            return Err(unsupported(
                format!("{size} runs in a private space only"),
                "set HEROKU_SPACE to the name of one, and HEROKU_TEAM to its team",
            ));
        }
        (Runtime::Common, Some(space)) => {
            return Err(unsupported(
                format!("{size} does not run in the private space {space}"),
                "take a private or shield size, or unset HEROKU_SPACE",
            ));
        }
        (Runtime::Space, Some(_)) | (Runtime::Common, None) => {}
    }
    if settings.space.is_some() && settings.team.is_none() {
        return Err(unsupported(
            "a private space belongs to a team, and none is named",
            "set HEROKU_TEAM to the team of the space",
        ));
    }
    if settings.space.is_some() && request.region.is_some() {
        return Err(unsupported(
            "the region of a private space is that of the space",
            "remove regions.heroku",
        ));
    }
    let last = request.first.saturating_add(request.count).saturating_sub(1);
    if is_lonely(size) && last > MOST_LONELY {
        return Err(unsupported(
            format!("{last} machines of {size} would each have an app of its own"),
            "set per_instance_type.instances to a smaller number, or take standard-1x",
        ));
    }
    if let Err(wrong) = reachable(&request.vars.orchestrator_url, settings.is_emulated()) {
        return Err(unsupported(wrong.problem, wrong.fix));
    }
    if let Some(RubyVersion::Version(version)) = &request.vars.ruby_version
        && version.split('.').count() < 3
    {
        return Err(unsupported(
            format!("the buildpack that installs Ruby takes whole versions only, not {version}"),
            "write all three numbers, e.g. 3.3.0, or \"system\" for the buildpack's own choice",
        ));
    }
    if request.vars.runner_image.is_some() {
        return Err(unsupported(
            "a dyno runs in Heroku's own image",
            "remove runner_image, or measure Heroku in a run of its own",
        ));
    }
    if RunnerFile::for_arch(&request.vars.runners, Arch::X86_64).is_none() {
        return Err(unsupported(
            "the orchestrator hands out no runner for x86_64",
            "build it: cargo build -p railsbench-runner --target x86_64-unknown-linux-musl",
        ));
    }
    Ok(())
}

fn resources(apps: &[String], size: &str, release: &Release, count: u32) -> Vec<PlannedResource> {
    let resource = |kind: &str, name: String, detail: String| PlannedResource {
        kind: kind.to_owned(),
        name,
        detail,
    };
    let dynos = if apps.len() == 1 { count } else { 1 };
    apps.iter()
        .flat_map(|app| {
            [
                resource(
                    "app",
                    app.clone(),
                    "config vars, release and dynos; deleted with all of them".to_owned(),
                ),
                resource(
                    "release",
                    release.version(),
                    format!(
                        "Procfile and start script, built by {}",
                        release.buildpacks.join(", ")
                    ),
                ),
                resource(
                    "process type",
                    format!("{app}/{size}"),
                    format!("scaled to {dynos} more; no web process, so nothing is routed to it"),
                ),
            ]
        })
        .collect()
}

fn installs(ruby_version: Option<&RubyVersion>) -> Vec<String> {
    let Some(version) = ruby_version else { return Vec::new() };
    let ruby = match version {
        RubyVersion::System => "ruby (the buildpack's default)".to_owned(),
        RubyVersion::Version(version) => format!("ruby {version}"),
    };
    [ruby.as_str(), "rails (gem)", "sqlite3 (gem)", "puma (gem)"].map(str::to_owned).into()
}

/// Dynos alone are charged: builds, and traffic within Heroku's fair use, are not.
fn cost(request: &ProvisionRequest, size: &str, settings: &Settings) -> CostRange {
    let Some(price) = CATALOG.price(size) else { return CostRange::default() };
    // While the release is built, no dyno runs.
    let charged = |life: Duration| -> Usd {
        price.per_hour.per_hour_for(EXPECTATIONS.billed(life)).times(request.count)
    };
    let likely = request.expected_work.saturating_add(Duration::from_secs(30));
    let low = charged(request.expected_work.mul_f64(0.7));
    let likely = charged(likely);
    let dynos = CostItem {
        what: format!("dyno ({size})"),
        count: request.count,
        rate: Rate::PerHour(price.per_hour),
        low,
        likely,
        high: charged(request.max_lifetime.saturating_add(EXPECTATIONS.boot)).max(likely),
        as_of: price.as_of,
        source: price.source,
    };
    let space = settings.space.iter().map(|space| format!("the private space {space}"));
    CostRange::of(vec![dynos], space.collect())
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
    use railsbench_core::id::{ImageName, InstanceType, RunId};

    use super::super::user_data::tests::vars;
    use super::*;

    fn settings() -> Settings {
        Settings::from_variables(|_| None)
    }

    fn in_space() -> Settings {
        Settings { team: Some("crew".to_owned()), space: Some("quiet".to_owned()), ..settings() }
    }

    fn request(size: &str, count: u32) -> ProvisionRequest {
        ProvisionRequest {
            role: Role::Runner,
            run_id: RunId::new("1732470000").unwrap(),
            instance_type: InstanceType::new(size).unwrap(),
            label: "cheap".to_owned(),
            count,
            first: 1,
            region: None,
            expected_work: Duration::from_mins(20),
            max_lifetime: Duration::from_hours(3),
            vars: vars(size, Some(RubyVersion::Version("3.3.0".to_owned()))),
        }
    }

    fn shown(request: &ProvisionRequest, settings: &Settings) -> String {
        serde_json::to_string_pretty(&plan(request, settings).unwrap()).unwrap()
    }

    #[test]
    fn plans_are_as_reviewed() {
        insta::assert_snapshot!("one_app", shown(&request("performance-l", 2), &settings()));
        insta::assert_snapshot!("an_app_each", shown(&request("eco", 2), &settings()));
        insta::assert_snapshot!("in_a_space", shown(&request("private-m", 1), &in_space()));
    }

    #[test]
    fn every_cedar_size_is_planned_and_priced() {
        for known in CATALOG.types() {
            let settings = match Runtime::of(known.name) {
                Runtime::Common => settings(),
                Runtime::Space => in_space(),
                Runtime::Fir => continue,
            };
            let plan = plan(&request(known.name, 1), &settings).unwrap();
            assert_eq!(plan.machines[0].shape, known.shape(), "{}", known.name);
            let work = known.per_hour.unwrap().per_hour_for(Duration::from_secs(20 * 60 + 30));
            assert_eq!(plan.cost.likely, work, "{}", known.name);
            assert!(plan.cost.low < plan.cost.likely && plan.cost.likely < plan.cost.high);
            assert!(plan.cost.as_of.is_some());
        }
    }

    #[test]
    fn what_heroku_cannot_give_is_refused_with_a_fix() {
        type Spoil = fn(&mut ProvisionRequest);
        let cases: [(&str, Spoil); 10] = [
            ("another provider", |request| request.role = Role::Orchestrator),
            ("take a Cedar size", |request| request.instance_type = "dyno-1c-4gb".parse().unwrap()),
            ("set HEROKU_SPACE", |request| request.instance_type = "private-s".parse().unwrap()),
            ("smaller number", |request| {
                request.instance_type = "eco".parse().unwrap();
                request.first = 100;
                request.count = 2;
            }),
            ("--orchestrator https://", |request| {
                request.vars.orchestrator_url = "http://bench.example.com".to_owned();
            }),
            ("--orchestrator https://", |request| {
                request.vars.orchestrator_url = "http://127.0.0.1:4567".to_owned();
            }),
            ("--orchestrator https://", |request| {
                request.vars.orchestrator_url = "https://192.168.1.7".to_owned();
            }),
            ("all three numbers", |request| {
                request.vars.ruby_version = Some(RubyVersion::Version("3.3".to_owned()));
            }),
            ("remove runner_image", |request| {
                request.vars.runner_image = Some(ImageName::new("ruby:3.3.0").unwrap());
            }),
            ("x86_64-unknown-linux-musl", |request| request.vars.runners.clear()),
        ];
        for (fix, spoil) in cases {
            let mut request = request("standard-1x", 1);
            spoil(&mut request);
            let error = plan(&request, &settings()).unwrap_err().to_string();
            assert!(error.starts_with("heroku: ") && error.contains(fix), "{error}");
        }
        let cases: [(&str, &str, Spoil, Settings); 3] = [
            ("unset HEROKU_SPACE", "standard-1x", |_| {}, in_space()),
            (
                "remove regions.heroku",
                "private-s",
                |request| request.region = Some("eu".to_owned()),
                in_space(),
            ),
            ("set HEROKU_TEAM", "private-s", |_| {}, Settings { team: None, ..in_space() }),
        ];
        for (fix, size, spoil, settings) in cases {
            let mut request = request(size, 1);
            spoil(&mut request);
            let error = plan(&request, &settings).unwrap_err().to_string();
            assert!(error.contains(fix), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_numbers_panic(first in 0..u32::MAX, count in 0..20_u32, hours in 0..u64::MAX / 8000) {
            let mut request = request("standard-1x", count);
            request.first = first;
            request.max_lifetime = Duration::from_secs(hours);
            request.expected_work = Duration::from_secs(hours);
            let _ = plan(&request, &settings());
        }
    }
}
