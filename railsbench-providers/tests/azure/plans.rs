//! What would be made, as it is shown and as it is sent.

use railsbench_core::provider::{PlanError, Provider, RenderError};
use railsbench_emulators::azure::Emulator;
use railsbench_providers::azure::AzureProvider;
use serde_json::Value;

use crate::setup::{plan, provider, provision, request, settings};

fn unreachable() -> AzureProvider {
    AzureProvider::new(settings("http://127.0.0.1:9/"))
}

#[test]
fn plans_are_as_reviewed() {
    for (name, instance_type) in [("x86", "Standard_D4s_v5"), ("arm", "standard_d2ps_v5")] {
        let plan = plan(&unreachable(), "r1", instance_type, 2);
        insta::assert_json_snapshot!(format!("plan_{name}"), plan);
        insta::assert_snapshot!(format!("user_data_{name}"), plan.user_data.redacted());
    }
}

#[test]
fn shellcheck_finds_no_fault_in_the_scripts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("user-data.sh");
    for instance_type in ["Standard_D4s_v5", "Standard_D2ps_v5"] {
        let plan = plan(&unreachable(), "r1", instance_type, 1);
        std::fs::write(&path, plan.user_data.expose()).unwrap();
        let output = std::process::Command::new("shellcheck")
            .args(["--shell=sh", "--severity=style"])
            .arg(&path)
            .output()
            .expect("this test needs shellcheck; apt-get install shellcheck");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn what_azure_cannot_give_is_refused_with_a_fix() {
    let provider = unreachable();
    let mut elsewhere = request("r1", "Standard_D4s_v5", 1);
    elsewhere.region = Some("East US".to_owned());
    let mut unbuilt = request("r1", "Standard_D2ps_v5", 1);
    unbuilt
        .vars
        .runners
        .retain(|runner| runner.target.arch() != railsbench_core::provider::Arch::Aarch64);
    for (request, word) in [
        (request("r1", "Standard_DC2as_v5", 1), "Standard_D2as_v5"),
        (request("r1", "D4s_v5", 1), "did you mean Standard_D4s_v5?"),
        (elsewhere, "az account list-locations"),
        (unbuilt, "aarch64"),
        (request("r1", "Standard_D4s_v5", 0), "at least 1"),
    ] {
        let error = provider.plan(&request).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    let mut long = request("r1", "Standard_D4s_v5", 1);
    long.vars.orchestrator_url = format!("https://example.com/{}", "x".repeat(70_000));
    let error = provider.plan(&long).unwrap_err();
    assert!(
        matches!(error, PlanError::Render(RenderError::TooLarge { limit: 65_535, .. })),
        "{error}"
    );
}

#[test]
fn every_size_of_the_catalog_can_be_planned_or_says_why_not() {
    let provider = unreachable();
    let mut refused = Vec::new();
    for (name, shape, price) in provider.instance_types() {
        match provider.plan(&request("r1", &name, 1)) {
            Ok(plan) => {
                assert_eq!(plan.machines[0].shape, shape, "{name}");
                assert_eq!(plan.cost.unpriced.is_empty(), price.is_some(), "{name}");
                assert!(plan.machines[0].name.len() <= 56);
            }
            Err(error) => refused.push((name, error.to_string())),
        }
    }
    assert!(!refused.is_empty());
    for (name, error) in refused {
        assert!(name.starts_with("Standard_DC") || name.starts_with("Standard_EC"), "{name}");
        assert!(error.contains("confidential"), "{error}");
    }
}

/// All that is sent, for a size of each kind. The key is random, and the script has a snapshot of
/// its own.
#[tokio::test]
async fn what_is_sent_is_as_reviewed() {
    for (name, instance_type) in [
        ("x86", "Standard_D4s_v5"),
        ("arm", "Standard_D2ps_v5"),
        ("nvme", "Standard_D2s_v6"),
        ("first_generation", "Standard_A2_v2"),
    ] {
        let emulator = Emulator::start().await;
        let provider = provider(&emulator);
        let plan = plan(&provider, "r1", instance_type, 1);
        provision(&provider, &plan).await.unwrap();
        let machine = emulator.machines().remove(0);
        assert_eq!(Emulator::script(&machine), plan.user_data.expose());
        let mut all: Vec<Value> = emulator.world().groups.values().cloned().collect();
        all.extend(emulator.world().resources.values().cloned());
        for sent in &mut all {
            if let Some(tags) = sent["tags"].as_object_mut() {
                for time in ["railsbench-created", "railsbench-expires"] {
                    tags[time] = "[a time]".into();
                }
                tags.remove("railsbench-owner");
            }
            let system = &mut sent["properties"]["osProfile"];
            if system.is_object() {
                system["customData"] = "[the script]".into();
                system["linuxConfiguration"]["ssh"]["publicKeys"][0]["keyData"] = "[a key]".into();
            } else {
                sent["properties"].as_object_mut().map(|fields| fields.remove("osProfile"));
            }
        }
        // The others differ from the first by the machine alone.
        if name != "x86" {
            all.retain(|sent| sent["type"] == "Microsoft.Compute/virtualMachines");
        }
        insta::assert_json_snapshot!(format!("sent_{name}"), all);
    }
}
