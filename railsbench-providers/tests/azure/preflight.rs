//! What is looked at before anything is made: nothing changes by it.

use railsbench_core::provider::{Outcome, Preflight, Provider};
use railsbench_emulators::azure::{Answer, Emulator, Fault};

use crate::setup::{plan, provider, provider_at, settings};

async fn look(emulator: &Emulator, instance_type: &str, count: u32) -> Preflight {
    let provider = provider(emulator);
    let found = provider.preflight(&plan(&provider, "r1", instance_type, count)).await.unwrap();
    let changed = emulator.world().calls.iter().any(|(method, ..)| method != "GET");
    assert!(!changed && emulator.is_empty());
    found
}

fn fixes(preflight: &Preflight) -> Vec<String> {
    preflight
        .failures()
        .map(|check| match &check.outcome {
            Outcome::Failed { problem, fix } => format!("{}: {problem}; {fix}", check.name),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[tokio::test]
async fn all_is_well() {
    let emulator = Emulator::start().await;
    for size in ["Standard_D2ps_v5", "standard_d4S_v5", "Standard_E4-2as_v5"] {
        let found = look(&emulator, size, 2).await;
        assert_eq!(fixes(&found), [""; 0]);
        assert_eq!(found.checks.len(), 7, "{found:?}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_fix() {
    type Spoil = fn(&mut railsbench_emulators::azure::World);
    let cases: [(&str, u32, Spoil, &str); 7] = [
        ("Standard_D2ps_v5", 1, |world| world.registered = false, "az provider register"),
        ("Standard_D2ps_v5", 1, |world| world.subscription_state = "Disabled", "is Disabled"),
        (
            "Standard_D2ps_v5",
            4,
            |world| world.free_vcpus = 7,
            "7 of 100 vCPUs are free in eastus, and 8",
        ),
        ("Standard_E4-2as_v5", 1, |world| world.free_vcpus = 3, "and 4 are needed"),
        ("Standard_D8s_v3", 1, |_| {}, "NotAvailableForSubscription"),
        ("Standard_D2ps_v9", 1, |_| {}, "does not offer Standard_D2ps_v9"),
        ("Standard_D64ps_v9", 1, |_| {}, "is x86_64, and was planned as aarch64"),
    ];
    for (size, count, spoil, expected) in cases {
        let emulator = Emulator::start().await;
        spoil(&mut emulator.world());
        let found = fixes(&look(&emulator, size, count).await);
        assert!(found.iter().any(|fix| fix.contains(expected)), "{expected}: {found:?}");
    }
}

#[tokio::test]
async fn missing_permissions_are_findings() {
    let denied = || Answer::error(403, "AuthorizationFailed", "It may not do this.");
    for path in ["/Microsoft.Compute", "/skus", "/usages", "09590"] {
        let emulator = Emulator::start().await;
        emulator.fails(Fault::refuse("GET", path, denied()));
        let found = fixes(&look(&emulator, "Standard_D2ps_v5", 1).await);
        assert_eq!(found.len(), 1, "{path}: {found:?}");
        assert!(found[0].contains("azure-role.json"), "{found:?}");
    }
}

#[tokio::test]
async fn another_subscription_is_a_finding() {
    let emulator = Emulator::start().await;
    let wrong = "11111111-1111-1111-1111-111111111111".to_owned();
    let provider = provider_at(railsbench_providers::azure::Settings {
        subscription: Some(wrong),
        ..settings(emulator.url())
    });
    let plan = plan(&provider, "r1", "Standard_D2ps_v5", 1);
    let found = fixes(&provider.preflight(&plan).await.unwrap());
    assert!(found[0].contains("az account list"), "{found:?}");
}

#[tokio::test]
async fn an_orchestrator_that_no_cloud_reaches_is_a_finding() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    let mut plan = plan(&provider, "r1", "Standard_D2ps_v5", 1);
    plan.vars.orchestrator_url = "http://10.0.0.1/".to_owned();
    let found = fixes(&provider.preflight(&plan).await.unwrap());
    assert!(found[0].starts_with("orchestrator: "), "{found:?}");
}
