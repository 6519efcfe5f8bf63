//! What is found before anything is made.

use railsbench_core::provider::{Outcome, Preflight, Provider};
use railsbench_emulators::heroku::Emulator;

use crate::fixture::{plan, provider, provider_with, provision, request, settings};

fn problems(preflight: &Preflight) -> Vec<String> {
    preflight
        .failures()
        .map(|check| match &check.outcome {
            Outcome::Failed { problem, fix } => format!("{}: {problem}; {fix}", check.name),
            other => format!("{other:?}"),
        })
        .collect()
}

#[tokio::test]
async fn a_good_account_passes_and_nothing_is_changed() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    let found = provider.preflight(&plan(&provider, "r1", "standard-1x", 2)).await.unwrap();
    let names: Vec<&str> = found.checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "orchestrator",
            "account",
            "rate limit",
            "dyno size",
            "stack",
            "region",
            "railsbencher-runner-r1"
        ]
    );
    assert_eq!(problems(&found), [""; 0]);
    assert!(emulator.calls().iter().all(|call| call.starts_with("GET ")));
    emulator.assert_no_mistakes();
}

#[tokio::test]
async fn what_stands_in_the_way_is_told_with_its_fix() {
    let emulator = Emulator::start().await;
    {
        let mut world = emulator.world();
        world.verified = false;
        world.calls_left = 100;
    }
    let provider = provider(&emulator);
    let mut request = request("r1", "performance-2xl", 1);
    request.region = Some("mars".to_owned());
    let plan = provider.plan(&request).unwrap();
    let found = problems(&provider.preflight(&plan).await.unwrap()).join("\n");
    insta::assert_snapshot!(found);
}

#[tokio::test]
async fn teams_and_spaces_are_looked_at() {
    let emulator = Emulator::start().await;
    for (team, space, size, problem) in [
        ("crew", "quiet", "private-s", None),
        ("crew", "vault", "shield-s", None),
        ("crew", "vault", "private-s", Some("the space vault is shielded")),
        ("crew", "quiet", "shield-s", Some("the space quiet is not shielded")),
        ("crew", "young", "private-s", Some("the space young is allocating")),
        ("crew", "none", "private-s", Some("there is no private space none")),
        ("none", "quiet", "private-s", Some("there is no team none")),
        ("guests", "quiet", "private-s", Some("is a collaborator of the team guests")),
    ] {
        let mut settings = settings(&emulator.url());
        settings.team = Some(team.to_owned());
        settings.space = Some(space.to_owned());
        let provider = provider_with(settings);
        let plan = plan(&provider, "r1", size, 1);
        let found = problems(&provider.preflight(&plan).await.unwrap());
        match problem {
            None => assert_eq!(found, [""; 0]),
            Some(problem) => assert!(found.len() == 1 && found[0].contains(problem), "{found:?}"),
        }
    }
    emulator.assert_no_mistakes();
}

#[tokio::test]
async fn credentials_that_are_missing_or_wrong_are_a_finding() {
    let emulator = Emulator::start().await;
    for api_key in [None, Some("wrong")] {
        let mut settings = settings(&emulator.url());
        settings.api_key = api_key.map(Into::into);
        let provider = provider_with(settings);
        let plan = plan(&provider, "r1", "standard-1x", 1);
        let found = problems(&provider.preflight(&plan).await.unwrap());
        assert!(found.len() == 1 && found[0].contains("heroku login"), "{found:?}");
        assert!(!found[0].contains("wrong"), "{found:?}");
        let error = provision(&provider, &plan).await.unwrap_err();
        assert!(error.to_string().contains("heroku login"), "{error}");
    }
    assert!(emulator.world().apps.is_empty());
}

#[tokio::test]
async fn an_api_elsewhere_must_be_https() {
    let provider = provider_with(settings("http://api.example.com"));
    let plan = plan(&provider, "r1", "standard-1x", 1);
    let error = provider.preflight(&plan).await.unwrap_err();
    assert!(error.to_string().contains("give an https URL"), "{error}");
}
