//! What goes wrong at Heroku or on the way, and that nothing is left of it.

use std::sync::Arc;
use std::time::Duration;

use railsbench_core::provider::{Journal, JournalStep, Provider, ProviderError, Scope};
use railsbench_emulators::heroku::{App, Emulator, Fault, Kind};
use railsbench_providers::MemoryJournal;

use crate::fixture::{TOKEN, plan, provider, provision, scope};

/// The calls of a provision that change something.
const CHANGES: [&str; 5] =
    ["POST /apps$", "PATCH config-vars", "POST /sources", "POST /builds", "PATCH formation"];

#[tokio::test]
async fn a_refusal_at_any_step_leaves_nothing_and_says_why() {
    for (status, id, message, expected) in [
        (401, "unauthorized", "Invalid credentials provided.", "heroku login"),
        (402, "verification_required", "Please verify your account", "https://heroku.com/verify"),
        (403, "forbidden", "You do not have access", "write-protected"),
        (409, "conflict", "The request conflicts with another", "conflicts with another"),
        (422, "invalid_params", "You've reached the limit of 100 apps", "no capacity"),
        (422, "invalid_params", "Stack is not a thing", "Stack is not a thing"),
    ] {
        for call in CHANGES {
            let emulator = Emulator::start().await;
            let provider = provider(&emulator);
            emulator.break_with(Fault::refuse(call, status, id, message));
            let error = provision(&provider, &plan(&provider, "r1", "standard-1x", 1)).await;
            let error = error.unwrap_err().to_string();
            assert!(error.contains(expected), "{call} {status}: {error}");
            assert!(!error.contains(TOKEN) && !error.contains("signature"), "{error}");
            assert!(emulator.world().apps.is_empty(), "{call} {status}");
            emulator.assert_no_mistakes();
        }
    }
}

#[tokio::test]
async fn passing_faults_are_waited_out() {
    for (status, retry_after) in [(429, None), (429, Some(0)), (500, None), (503, None)] {
        for call in CHANGES.into_iter().chain(["GET ", "PUT /storage", "DELETE "]) {
            let emulator = Emulator::start().await;
            let provider = provider(&emulator);
            let kind = Kind::Refuse { status, id: "rate_limit", message: "later", retry_after };
            emulator.break_with(Fault { call, after: 0, times: 2, kind });
            provision(&provider, &plan(&provider, "r1", "standard-1x", 1)).await.unwrap();
            provider.teardown(&scope("r1")).await.unwrap();
            assert!(emulator.world().apps.is_empty(), "{call} {status}");
            emulator.assert_no_mistakes();
        }
    }
}

/// The effect took place, and the answer was lost: trying again must find it.
#[tokio::test]
async fn lost_answers_make_nothing_twice() {
    for call in CHANGES.into_iter().chain(["DELETE "]) {
        let emulator = Emulator::start().await;
        let provider = provider(&emulator);
        emulator.break_with(Fault { call, after: 0, times: 1, kind: Kind::LoseAnswer });
        let plan = plan(&provider, "r1", "standard-1x", 2);
        let deployment = provision(&provider, &plan).await.unwrap();
        assert_eq!(deployment.machines.len(), 2, "{call}");
        assert_eq!(emulator.world().apps["railsbencher-runner-r1"].dynos.len(), 2, "{call}");
        assert_eq!(provider.teardown(&scope("r1")).await.unwrap().removed.len(), 1, "{call}");
        emulator.assert_no_mistakes();
    }
}

/// Heroku does not answer any more, after the call had its effect once.
#[tokio::test]
async fn what_may_have_been_made_is_taken_back() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    emulator.break_with(Fault { call: "POST /apps$", after: 0, times: 1, kind: Kind::LoseAnswer });
    emulator.break_with(Fault { call: "POST /apps$", after: 0, times: 9, kind: Kind::Swallow });
    let error = provision(&provider, &plan(&provider, "r1", "standard-1x", 1)).await.unwrap_err();
    assert!(error.to_string().contains("no answer"), "{error}");
    assert!(emulator.world().apps.is_empty());
}

#[tokio::test]
async fn a_long_rate_limit_is_told_and_not_waited_for() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    let kind = Kind::Refuse { status: 429, id: "rate_limit", message: "", retry_after: Some(900) };
    emulator.break_with(Fault { call: "GET ", after: 0, times: 1, kind });
    let error = provider.list(&Scope::all()).await.unwrap_err();
    assert!(matches!(
        error,
        ProviderError::Throttled { retry_after: Some(wait), .. } if wait == Duration::from_mins(15)
    ));
}

/// The name belongs to someone else: it is neither used nor deleted.
#[tokio::test]
async fn a_name_that_others_have_is_told() {
    let emulator = Emulator::start().await;
    let theirs = App { foreign: true, ..App::default() };
    emulator.world().apps.insert("railsbencher-runner-r1".to_owned(), theirs);
    let provider = provider(&emulator);
    let plan = plan(&provider, "r1", "standard-1x", 1);
    let error = provision(&provider, &plan).await.unwrap_err().to_string();
    assert!(error.contains("give the run another id"), "{error}");
    let found = provider.preflight(&plan).await.unwrap();
    let failed: Vec<_> = found.failures().collect();
    assert!(failed.len() == 1 && failed[0].name == "railsbencher-runner-r1", "{failed:?}");
    assert!(
        emulator.calls().iter().all(|call| !call.starts_with("DELETE")),
        "{:?}",
        emulator.calls()
    );
    assert_eq!(emulator.world().apps.len(), 1);
}

#[tokio::test]
async fn a_name_that_is_taken_between_two_calls_is_told() {
    let emulator = Emulator::start().await;
    emulator.break_with(Fault::refuse(
        "POST /apps$",
        422,
        "invalid_params",
        "Name x is already taken",
    ));
    let provider = provider(&emulator);
    let error = provision(&provider, &plan(&provider, "r1", "standard-1x", 1)).await.unwrap_err();
    assert!(error.to_string().contains("give the run another id"), "{error}");
    assert!(
        emulator.calls().iter().all(|call| !call.starts_with("DELETE")),
        "{:?}",
        emulator.calls()
    );
}

/// A look that lags behind says that there is no app; making it says that there is.
#[tokio::test]
async fn an_app_of_an_earlier_provision_is_used_even_if_a_look_misses_it() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    provision(&provider, &plan(&provider, "r1", "standard-1x", 1)).await.unwrap();
    emulator.break_with(Fault::refuse("GET /apps/railsbencher-runner-r1$", 404, "not_found", ""));
    let deployment = provision(&provider, &plan(&provider, "r1", "standard-1x", 1)).await.unwrap();
    assert_eq!(deployment.machines.len(), 1);

    // What was there before is not taken back.
    emulator.break_with(Fault::refuse("GET /apps/railsbencher-runner-r1$", 404, "not_found", ""));
    emulator.break_with(Fault::refuse("PATCH formation", 422, "invalid_params", "no"));
    provision(&provider, &plan(&provider, "r1", "standard-1x", 2)).await.unwrap_err();
    assert_eq!(emulator.world().apps["railsbencher-runner-r1"].dynos.len(), 1);
    emulator.assert_no_mistakes();
}

#[tokio::test]
async fn a_build_that_fails_is_told_by_its_last_lines() {
    let emulator = Emulator::start().await;
    emulator.world().build_output =
        Some("-----> Ruby\n !     no such version\n rbr_the-token-of-the-run\n");
    let provider = provider(&emulator);
    let journal = Arc::new(MemoryJournal::default());
    let plan = plan(&provider, "r1", "standard-1x", 1);
    let error = provider.provision(&plan, journal.clone()).await.unwrap_err().to_string();
    assert!(error.contains("!     no such version"), "{error}");
    assert!(!error.contains(TOKEN), "{error}");
    assert!(emulator.world().apps.is_empty());
    let steps: Vec<JournalStep> =
        journal.entries().unwrap().into_iter().map(|entry| entry.step).collect();
    assert_eq!(steps.last(), Some(&JournalStep::Removed));
    emulator.assert_no_mistakes();
}

/// A size that fails takes nothing from the sizes of the same run that do not.
#[tokio::test]
async fn a_failure_of_one_size_leaves_the_others() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    let deployment = provision(&provider, &plan(&provider, "r1", "standard-1x", 1)).await.unwrap();
    emulator.break_with(Fault::refuse("PATCH formation", 422, "invalid_params", "over the limit"));
    let error = provision(&provider, &plan(&provider, "r1", "performance-l", 1)).await.unwrap_err();
    assert!(matches!(error, ProviderError::Capacity { .. }), "{error}");
    let world = emulator.world();
    let app = &world.apps["railsbencher-runner-r1"];
    assert_eq!(app.formation["performance-l"].0, 0);
    assert_eq!(app.dynos.len(), deployment.machines.len());
}

#[tokio::test]
async fn what_cannot_be_deleted_is_named() {
    let emulator = Emulator::start().await;
    let provider =
        provider(&emulator).with_patience(Duration::from_millis(20), Duration::from_millis(5));
    provision(&provider, &plan(&provider, "r1", "standard-1x", 1)).await.unwrap();
    emulator.break_with(Fault::refuse("DELETE ", 403, "forbidden", "You may not").always());
    let error = provider.teardown(&scope("r1")).await.unwrap_err();
    assert!(error.to_string().contains("You may not"), "{error}");
    emulator.mend();

    emulator.world().keeps = true;
    let error = provider.teardown(&scope("r1")).await.unwrap_err();
    assert!(matches!(error, ProviderError::LeftBehind { .. }), "{error}");
    assert!(error.to_string().contains("app railsbencher-runner-r1"), "{error}");
    emulator.world().keeps = false;
    assert_eq!(provider.teardown(&scope("r1")).await.unwrap().removed.len(), 1);
    emulator.assert_no_mistakes();
}
