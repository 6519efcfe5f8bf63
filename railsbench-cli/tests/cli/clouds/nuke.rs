//! What a lost operator has left at a cloud is found and removed with no local state. The cloud is
//! Heroku, as the emulator has it; what is said of it goes for all.

use std::sync::Arc;

use railsbench::config::RunConfig;
use railsbench::provider::Provider;
use railsbench::providers::heroku::{HerokuProvider, Settings};
use railsbench::providers::{MemoryJournal, heroku};
use railsbench::{Campaign, OrchestratorChoice};
use railsbench_emulators::heroku::{Emulator, Fault, OPERATOR};

use super::super::json;
use super::Operator;

fn operator(emulator: &Emulator) -> Operator {
    let url = emulator.url();
    Operator::new(&[("HEROKU_API_URL", url.as_str()), ("HEROKU_API_KEY", OPERATOR)])
}

/// Makes a machine as a run does, whose operator is then lost.
async fn leave(emulator: &Emulator, operator: &Operator, run: &str) {
    let settings: Settings = heroku::Settings {
        api_url: emulator.url(),
        team: None,
        space: None,
        api_key: Some(OPERATOR.to_owned().into()),
        netrc: None,
    };
    let provider = Arc::new(HerokuProvider::new(settings));
    let config = r#"{"ruby_version": "3.4.1", "mock": true, "heroku": ["standard-2x"]}"#;
    let plan = Campaign::new(RunConfig::parse(config).unwrap())
        .with_run_id(run.parse().unwrap())
        .with_provider(provider.clone())
        .with_runner(operator.runner())
        .with_orchestrator(OrchestratorChoice::Remote {
            url: "https://bench.example.com".parse().unwrap(),
            api_key: "unused".to_owned().into(),
            ca_certificate: None,
        })
        .plan()
        .unwrap();
    provider.provision(&plan.plans[0], Arc::new(MemoryJournal::default())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_found_priced_and_removed_without_local_state() {
    let emulator = Emulator::start().await;
    let operator = operator(&emulator);
    for run in ["one", "two"] {
        leave(&emulator, &operator, run).await;
    }
    let apps = || emulator.world().apps.len();

    let (code, told, _) = operator.ask(&["nuke", "heroku", "--all", "--dry-run", "--json"]).await;
    let told = json(&told);
    assert_eq!((code, apps()), (0, 2), "{told}");
    let found = told["found"][0]["resources"].as_array().unwrap();
    assert_eq!((found.len(), &found[0]["run_id"]), (2, &"one".into()), "{told}");
    let [hourly, both] = [&found[0]["per_hour"], &told["per_hour"]].map(|it| it.as_f64().unwrap());
    assert!((hourly - 50.0 / 720.0).abs() < 1e-5 && (both - 2.0 * hourly).abs() < 1e-9, "{told}");

    let (code, out, said) = operator.ask(&["nuke", "heroku", "--all"]).await;
    assert_eq!((code, out.as_str(), apps()), (3, "", 2), "{said}");
    assert!(said.contains("to agree, run: railsbench nuke heroku --all --yes"), "{said}");
    assert!(said.contains("railsbencher-runner-two"), "{said}");

    for which in [&["--expired"][..], &["--older-than", "6h"]] {
        let (code, out, said) = operator.ask(&[&["nuke", "heroku", "--yes"], which].concat()).await;
        assert_eq!((code, out.as_str(), apps()), (0, "nothing is left\n", 2), "{said}");
    }

    let (code, out, said) = operator.ask(&["teardown", "one", "--yes"]).await;
    assert_eq!((code, apps()), (0, 1), "{said}");
    assert!(out.contains("heroku: removed 1 resource\nnothing is left\n"), "{out}");

    let (code, told, _) = operator.ask(&["nuke", "heroku", "--all", "--yes", "--json"]).await;
    let told = json(&told);
    assert_eq!((code, apps()), (0, 0), "{told}");
    assert_eq!(told["removed"][0]["resources"][0]["id"], "railsbencher-runner-two");
    assert_eq!(told["left"], json("[]"));
    emulator.assert_no_mistakes();
}

/// Those who are not set up are told of; those who are named must answer.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_looked_at_is_told_and_is_no_success() {
    let emulator = Emulator::start().await;
    let operator = operator(&emulator);
    let (code, _, said) = operator.ask(&["nuke", "--expired", "--dry-run"]).await;
    assert_eq!(code, 0, "{said}");
    for cloud in ["aws", "azure", "gcp"] {
        assert!(said.contains(&format!("not looked at: {cloud} (")), "{said}");
    }
    assert!(!said.contains("not looked at: heroku"), "{said}");

    let (code, out, said) = operator.ask(&["nuke", "azure", "heroku", "--all", "--dry-run"]).await;
    assert_eq!((code, out.as_str()), (3, "nothing was found where it could be looked\n"), "{said}");
    assert!(said.contains("not looked at: azure: no subscription is named"), "{said}");

    let (code, _, said) = operator.ask(&["nuke", "heroku", "--all", "--region", "urope"]).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("there is no region \"urope\" at heroku"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_refuses_to_go_is_named_and_the_rest_goes() {
    let emulator = Emulator::start().await;
    let operator = operator(&emulator);
    for run in ["one", "two"] {
        leave(&emulator, &operator, run).await;
    }
    let (call, message) = ("DELETE /apps/railsbencher-runner-one", "You do not have access");
    emulator.break_with(Fault::refuse(call, 403, "forbidden", message).always());
    let (code, told, _) = operator.ask(&["nuke", "heroku", "--all", "--yes", "--json"]).await;
    let told = json(&told);
    assert_eq!((code, emulator.world().apps.len()), (1, 1), "{told}");
    assert_eq!(told["removed"][0]["resources"][0]["id"], "railsbencher-runner-two");
    assert_eq!(told["left"][0]["resources"][0]["id"], "railsbencher-runner-one");
    assert!(told["left"][0]["problem"].as_str().unwrap().contains(message), "{told}");
}
