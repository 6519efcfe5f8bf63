//! What is found before anything is made.

use railsbench_core::provider::{Outcome, Plan, Preflight, Provider};
use railsbench_emulators::gcp::{Emulator, Fault, World};
use railsbench_providers::gcp::GcpProvider;

use crate::fixture::{plan, plan_of, provider, provider_with, request, settings};

async fn failures(emulator: &Emulator, plan: &Plan) -> Vec<String> {
    told(&provider(emulator).preflight(plan).await.unwrap())
}

fn told(preflight: &Preflight) -> Vec<String> {
    let failures = preflight.failures().map(|check| match &check.outcome {
        Outcome::Failed { problem, fix } => format!("{}: {problem}; {fix}", check.name),
        other => format!("{other:?}"),
    });
    failures.collect()
}

#[tokio::test]
async fn all_is_well_and_nothing_is_made() {
    let emulator = Emulator::start().await;
    let found = provider(&emulator).preflight(&plan("r1", 2)).await.unwrap();
    insta::assert_json_snapshot!(found);
    let world = emulator.world();
    assert!(world.everything().is_empty() && world.offences.is_empty());
    assert!(world.calls.iter().all(|call| call.contains(".get") || call.contains(".list")));
}

#[tokio::test]
async fn what_is_wrong_is_told_with_the_fix() {
    type Spoil = fn(&mut World);
    let cases: [(&str, Spoil, &str); 7] = [
        ("type", |world| world.types.clear(), "machine type: no zone of us-central1 has e2-micro"),
        ("network", |world| world.networks.clear(), "gcloud compute networks create default"),
        ("quota", |world| world.quotas[0].1 = 3.0, "4 of CPUS are needed in us-central1, and 3"),
        ("addresses", |world| world.quotas[2].2 = 7.0, "2 of IN_USE_ADDRESSES are needed"),
        ("region", |world| world.zones.clear(), "region: Google has no region us-central1"),
        ("arch", |world| world.types[0].2 = "ARM64", "taken for X86_64, and Google says"),
        ("vcpus", |world| world.types[0].3 = 4, "taken for 2 vCPUs, and Google says 4"),
    ];
    for (case, spoil, expected) in cases {
        let emulator = Emulator::start().await;
        spoil(&mut emulator.world());
        let found = failures(&emulator, &plan("r1", 2)).await;
        assert_eq!(found.len(), 1, "{case}: {found:?}");
        assert!(found[0].contains(expected), "{case}: {found:?}");
    }
}

#[tokio::test]
async fn who_may_not_is_told_and_nothing_else_is_looked_at() {
    let emulator = Emulator::start().await;
    emulator.fault(Fault::refused("projects.get", 1, 403, "accessNotConfigured"));
    let found = failures(&emulator, &plan("r1", 1)).await;
    assert!(found.len() == 1 && found[0].contains("gcloud services enable"), "{found:?}");

    let expired = provider_with(settings(emulator.url()), "expired");
    let found = told(&expired.preflight(&plan("r1", 1)).await.unwrap());
    assert!(found.len() == 1 && found[0].starts_with("credentials: "), "{found:?}");

    let mut elsewhere = settings(emulator.url());
    elsewhere.project = Some("not-there".to_owned());
    let elsewhere = provider_with(elsewhere, railsbench_emulators::gcp::TOKEN);
    let found = told(&elsewhere.preflight(&plan("r1", 1)).await.unwrap());
    assert!(found.len() == 1 && found[0].contains("no project not-there"), "{found:?}");

    let mut nowhere = settings(emulator.url());
    nowhere.project = None;
    let found = told(&GcpProvider::new(nowhere).preflight(&plan("r1", 1)).await.unwrap());
    assert!(found.len() == 1 && found[0].contains("set GOOGLE_CLOUD_PROJECT"), "{found:?}");
}

#[tokio::test]
async fn an_orchestrator_in_a_private_network_is_refused() {
    let emulator = Emulator::start().await;
    let mut request = request("r1", "e2-micro", 1);
    request.vars.orchestrator_url = "http://10.0.0.1:4567/".to_owned();
    let found = failures(&emulator, &plan_of(&request)).await;
    assert!(found.len() == 1 && found[0].starts_with("orchestrator: "), "{found:?}");
}
