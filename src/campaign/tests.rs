//! Campaigns with a provider that starts nothing: what it is asked, and what is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::date;
use railsbench_core::config::RunConfig;
use railsbench_core::id::{MachineId, ProviderName, RunId};
use railsbench_core::money::Usd;
use railsbench_core::provider::{
    Arch, CostItem, CostRange, Deployment, Due, Expectations, Machine, MachineState, MachineStatus,
    MockProvider, Plan, PlannedMachine, Preflight, ProvisionRequest, Rate, Resource, Scope, Shape,
    Teardown, UserData,
};

use super::*;
use crate::cost::{Ledger, spent};

const SHAPE: Shape = Shape { arch: Arch::X86_64, vcpus: Some(1), memory_bytes: None };

/// What each machine costs: so many micro-dollars an hour, by the first letter of its type.
fn hourly(request: &ProvisionRequest) -> u64 {
    if request.instance_type.as_str().starts_with("dear") { 4_000_000 } else { 100_000 }
}

fn plan_of(request: &ProvisionRequest) -> Plan {
    let rate = Usd::from_micros(hourly(request));
    let cost = |time| rate.per_hour_for(time).times(request.count);
    let item = CostItem {
        what: "machine".to_owned(),
        count: request.count,
        rate: Rate::PerHour(rate),
        low: cost(request.expected_work / 2),
        likely: cost(request.expected_work),
        high: cost(request.max_lifetime),
        as_of: date(2026, 7, 20),
        source: "a list".to_owned(),
    };
    let named = request.instance_type.to_string();
    let unpriced = if named == "unknown" { vec![format!("{named} (cloud)")] } else { Vec::new() };
    Plan {
        provider: ProviderName::new("cloud").unwrap(),
        run_id: request.run_id.clone(),
        role: request.role,
        machines: (0..request.count)
            .map(|number| PlannedMachine {
                name: format!("{named}-{}", request.first + number),
                instance_type: request.instance_type.clone(),
                shape: SHAPE,
                region: request.region.clone(),
            })
            .collect(),
        resources: Vec::new(),
        firewall: Vec::new(),
        installs: Vec::new(),
        expected: request.expected_work,
        max_lifetime: request.max_lifetime,
        cost: CostRange::of(vec![item], unpriced),
        user_data: UserData::new("exit 0\n".to_owned(), "token".to_owned().into()),
        vars: request.vars.clone(),
    }
}

/// A provider that can plan.
fn planner() -> MockProvider {
    let mut mock = MockProvider::new();
    mock.expect_name().return_const(ProviderName::new("cloud").unwrap());
    mock.expect_shape().returning(|_| Ok(SHAPE));
    mock.expect_plan().returning(|request| Ok(plan_of(request)));
    mock.expect_expectations().return_const(Expectations {
        boot: Duration::ZERO,
        lease: Duration::from_mins(1),
        billing_minimum: Duration::from_mins(1),
        billing_increment: Duration::from_secs(1),
        charged_when_ended: false,
        max_lifetime: None,
    });
    mock
}

fn campaign(config: &str, provider: MockProvider) -> Campaign {
    Campaign::new(RunConfig::parse_for(config, &["cloud"]).unwrap())
        .with_provider(Arc::new(provider))
}

fn refusal(config: &str) -> String {
    let error = campaign(config, planner()).plan().unwrap_err();
    assert_eq!(error.class(), ErrorClass::Config);
    error.to_string()
}

#[test]
fn a_run_that_could_cost_more_than_it_may_is_refused_with_what_would_lower_it() {
    let text = refusal(
        r#"{"ruby_version": "system", "mock": true, "cloud": ["cheap", "dearest"],
            "max_lifetime_minutes": 240, "max_cost_usd": 10}"#,
    );
    assert!(text.starts_with("the run can cost up to $16.40 if every machine lives"), "{text}");
    assert!(text.contains("more than the $10.00 allowed"), "{text}");
    assert!(text.contains("cloud dearest ×1 up to $16.00, cloud cheap ×1 up to $0.40"), "{text}");
    // 4.1 dollars an hour: 146 minutes cost 9.98, and 147 cost 10.05.
    assert!(text.contains("set max_lifetime_minutes to 146 (it is 240)"), "{text}");
    assert!(text.contains("leave out the dearest") && text.contains("--max-cost"), "{text}");

    let config = r#"{"ruby_version": "system", "mock": true, "cloud": ["cheap", "dearest"],
        "max_lifetime_minutes": 146, "max_cost_usd": 10}"#;
    assert!(campaign(config, planner()).plan().is_ok(), "the advice helps");
}

#[test]
fn what_has_no_price_is_refused_under_a_limit_unless_that_is_allowed() {
    let config = |limit: &str| {
        format!(r#"{{"ruby_version": "system", "mock": true, "cloud": ["unknown"]{limit}}}"#)
    };
    let text = refusal(&config(r#", "max_cost_usd": 100"#));
    assert!(text.contains("unknown (cloud)") && text.contains("--allow-unpriced"), "{text}");
    assert!(campaign(&config(""), planner()).plan().is_ok());
    let allowed = campaign(&config(r#", "max_cost_usd": 100"#), planner()).allow_unpriced(true);
    assert!(allowed.plan().is_ok());
    let small = campaign(&config(r#", "max_cost_usd": 0.001"#), planner()).allow_unpriced(true);
    assert!(matches!(small.plan(), Err(CampaignError::TooExpensive { .. })), "the rest is counted");
}

#[test]
fn an_estimate_needs_no_orchestrator_and_keeps_no_limit() {
    let config = r#"{"ruby_version": "system", "mock": true, "cloud": ["dearest"],
        "max_cost_usd": 1}"#;
    let estimate = campaign(config, planner()).estimate().unwrap();
    assert_eq!(
        (estimate.cost.high, estimate.max_cost),
        (Usd::from_micros(16_000_000), Some(Usd::from_micros(1_000_000)))
    );
    let group = &estimate.groups[0];
    assert_eq!((group.machines, group.cost.items.len()), (1, 1));
    assert_eq!(group.minimum, Usd::from_micros(4_000_000_u64.div_ceil(60)));
}

/// Something of another run that nobody needs any more.
fn leftover() -> Resource {
    Resource {
        provider: ProviderName::new("cloud").unwrap(),
        kind: "instance".to_owned(),
        id: "i-old".to_owned(),
        name: String::new(),
        run_id: Some(RunId::new("lost").unwrap()),
        region: Some("eu-1".to_owned()),
        created_at: None,
        expires_at: Some(Timestamp::UNIX_EPOCH),
        per_hour: None,
    }
}

/// A provider whose machines end at once, with one leftover; notes what it is told to remove.
fn provider(removed: &Arc<Mutex<Vec<Scope>>>) -> MockProvider {
    let mut mock = planner();
    mock.expect_host_address().returning(|| Ok(std::net::Ipv4Addr::LOCALHOST.into()));
    mock.expect_default_regions().returning(|| vec!["us-1".to_owned()]);
    mock.expect_preflight().returning(|_| Ok(Preflight::default()));
    mock.expect_console_log().returning(|_| Ok(None));
    mock.expect_provision().returning(|plan, _| {
        let machine = |planned: &PlannedMachine| Machine {
            id: MachineId::new(planned.name.clone()).unwrap(),
            name: planned.name.clone(),
            instance_type: planned.instance_type.clone(),
            region: planned.region.clone(),
        };
        Ok(Deployment {
            provider: plan.provider.clone(),
            run_id: plan.run_id.clone(),
            machines: plan.machines.iter().map(machine).collect(),
        })
    });
    mock.expect_status().returning(|deployment| {
        let ended = |machine: &Machine| MachineStatus {
            id: machine.id.clone(),
            state: MachineState::Stopped { reason: "it broke".to_owned() },
        };
        Ok(deployment.machines.iter().map(ended).collect())
    });
    let noted = removed.clone();
    mock.expect_list().returning(move |scope: &Scope| {
        let swept = noted.lock().unwrap().iter().any(|scope: &Scope| scope.due != Due::Any);
        Ok(scope.select(if swept { Vec::new() } else { vec![leftover()] }))
    });
    let noted = removed.clone();
    mock.expect_teardown().returning(move |scope: &Scope| {
        noted.lock().unwrap().push(scope.clone());
        let removed = if scope.due == Due::Any { Vec::new() } else { vec![leftover()] };
        Ok(Teardown { removed })
    });
    mock
}

/// Machines in a region that is not the default are removed there; what others have left is
/// swept; a replacement that would go over the limit is not started; all of it is remembered.
#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_removes_where_it_has_made_and_starts_nothing_over_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let removed = Arc::new(Mutex::new(Vec::new()));
    // At most 16 dollars, and one more machine of 16 once the first has cost its least.
    let config = r#"{"ruby_version": "system", "mock": true, "cloud": ["dearest"],
        "regions": {"cloud": "eu-1"}, "max_lifetime_minutes": 240, "max_cost_usd": 16.03}"#;
    let mut running = campaign(config, provider(&removed))
        .with_run_id(RunId::new("r1").unwrap())
        .with_state_dir(folder.path().join("state"))
        .with_results_dir(folder.path().join("results"))
        .start();
    let (mut swept, mut warnings) = (Vec::new(), Vec::new());
    while let Some(event) = running.next_event().await {
        match event {
            CampaignEvent::Swept { resources, .. } => swept.extend(resources),
            CampaignEvent::Warning { message } => warnings.push(message),
            _ => {}
        }
    }
    let outcome = running.finish().await.unwrap();
    assert_eq!(outcome.run.summary.task_counts.completed, 0);

    assert_eq!(swept, [leftover()]);
    let of_run = |scope: &&Scope| scope.run.as_ref().is_some_and(|run| run.as_str() == "r1");
    let scopes = removed.lock().unwrap().clone();
    assert!(scopes.iter().filter(of_run).count() >= 2, "{scopes:?}");
    assert!(scopes.iter().filter(of_run).all(|scope| scope.regions == ["eu-1"]), "{scopes:?}");
    let sweeps: Vec<&Scope> = scopes.iter().filter(|scope| scope.due != Due::Any).collect();
    assert!(sweeps.iter().all(|scope| scope.regions == ["eu-1", "us-1"]), "{sweeps:?}");

    let refused = "no other dearest is started on cloud: with it the run could cost $16.07";
    assert!(warnings.iter().any(|warning| warning.contains(refused)), "{warnings:?}");
    let entries = Ledger::of_state_dir(&folder.path().join("state")).entries().unwrap();
    let spent = spent(&entries, Timestamp::now());
    assert_eq!((spent.len(), spent[0].machines.len(), spent[0].is_final), (1, 1, true));
    assert_eq!(spent[0].total, Usd::from_micros(4_000_000_u64.div_ceil(60)), "a minute at least");
}
