//! Tokens: for an application, for the machine's identity, renewed, refused.

use railsbench_core::provider::{Provider, ProviderError, Scope};
use railsbench_emulators::azure::{Answer, Emulator, Fault};
use railsbench_providers::azure::{Credentials, Settings};

use crate::setup::{provider_at, settings};

fn application(base: &str, secret: &str) -> Settings {
    Settings {
        credentials: Credentials::Application {
            authority_url: base.to_owned(),
            tenant: "tests.example.com".to_owned(),
            client_id: "app".to_owned(),
            client_secret: secret.to_owned().into(),
        },
        ..settings(base)
    }
}

#[tokio::test]
async fn an_application_gets_one_token_for_many_calls() {
    let emulator = Emulator::start().await;
    let provider = provider_at(application(emulator.url(), "right"));
    for _ in 0..3 {
        provider.list(&Scope::all()).await.unwrap();
    }
    assert_eq!(emulator.count("POST", "/token"), 1);
}

#[tokio::test]
async fn a_token_that_ends_early_is_renewed_once() {
    let emulator = Emulator::start().await;
    let provider = provider_at(application(emulator.url(), "right"));
    let ended = Answer::error(401, "ExpiredAuthenticationToken", "It has ended.");
    emulator.fails(Fault::refuse("GET", "/resourcegroups", ended.clone()));
    provider.list(&Scope::all()).await.unwrap();
    assert_eq!(emulator.count("POST", "/token"), 2);
    emulator.fails(Fault::refuse("GET", "/resourcegroups", ended).times(9));
    let error = provider.list(&Scope::all()).await.unwrap_err();
    assert!(matches!(error, ProviderError::Credentials { .. }), "{error}");
}

#[tokio::test]
async fn a_wrong_secret_is_told_and_not_shown() {
    let emulator = Emulator::start().await;
    let provider = provider_at(application(emulator.url(), "hunter2"));
    let error = provider.list(&Scope::all()).await.unwrap_err().to_string();
    assert!(error.contains("AADSTS7000215") && error.contains("AZURE_CLIENT_SECRET"), "{error}");
    assert!(!error.contains("hunter2") && !error.contains("Trace ID"), "{error}");
    assert!(!format!("{provider:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_machine_at_azure_uses_its_identity() {
    let emulator = Emulator::start().await;
    let credentials =
        Credentials::ManagedIdentity { metadata_url: emulator.url().to_owned(), client_id: None };
    let provider = provider_at(Settings { credentials, ..settings(emulator.url()) });
    provider.list(&Scope::all()).await.unwrap();
    assert_eq!(emulator.count("GET", "/metadata/identity/oauth2/token"), 1);
    let credentials = Credentials::ManagedIdentity {
        metadata_url: "http://192.0.2.1/".to_owned(),
        client_id: None,
    };
    let elsewhere = provider_at(Settings { credentials, ..settings(emulator.url()) });
    let error = elsewhere.list(&Scope::all()).await.unwrap_err().to_string();
    assert!(error.contains("link-local"), "{error}");
}

#[tokio::test]
async fn what_is_missing_is_named_before_any_call() {
    let emulator = Emulator::start().await;
    let none = Settings { subscription: None, ..settings(emulator.url()) };
    let error = provider_at(none).list(&Scope::all()).await.unwrap_err().to_string();
    assert!(error.contains("AZURE_SUBSCRIPTION_ID"), "{error}");
    let open = Settings { ..settings("http://management.example.com/") };
    let error = provider_at(open).list(&Scope::all()).await.unwrap_err().to_string();
    assert!(error.contains("https"), "{error}");
    assert!(emulator.world().calls.is_empty());
}
