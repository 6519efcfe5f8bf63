//! `providers`: what is missing to use each, and where the rest was found, without any secret.

use super::super::json;
use super::Operator;

/// What must be shown nowhere.
const SECRET: &str = "hush-hush";

#[test]
fn what_is_missing_is_told_with_the_exact_fix() {
    let operator = Operator::new();
    let ran = operator.run(&["providers"], b"");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    insta::assert_snapshot!("providers_without_settings", ran.stdout);
    let ran = operator.run(&["providers", "--json"], b"");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    insta::assert_json_snapshot!("providers_without_settings_as_json", json(&ran.stdout));
}

#[test]
fn what_is_there_is_named_and_no_secret() {
    let operator = Operator::new();
    operator.file(
        ".aws/credentials",
        format!("[work]\naws_access_key_id = {SECRET}\naws_secret_access_key = {SECRET}\n")
            .as_bytes(),
    );
    operator
        .file(".netrc", format!("machine api.heroku.com login me password {SECRET}\n").as_bytes());
    let key = operator.file(
        "key.json",
        format!(
            r#"{{"type": "service_account", "project_id": "bench", "private_key": "{SECRET}"}}"#
        )
        .as_bytes(),
    );
    let operator = operator
        .with("AWS_PROFILE", "work")
        .with("AWS_REGION", "eu-west-1")
        .with("AZURE_TENANT_ID", "a-tenant")
        .with("AZURE_CLIENT_ID", "an-application")
        .with("AZURE_CLIENT_SECRET", SECRET)
        .with("AZURE_SUBSCRIPTION_ID", "0b1f6471-1bf0-4dda-aec3-cb9272f09590")
        .with("GOOGLE_APPLICATION_CREDENTIALS", &key)
        .with("HEROKU_TEAM", "crew");
    let ran = operator.run(&["providers"], b"");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let details = ran.stdout.split_once("\n\n").unwrap().1;
    insta::assert_snapshot!("providers_with_settings", details);
    let ran = operator.run(&["providers", "--json"], b"");
    let found = json(&ran.stdout);
    for provider in found["providers"].as_array().unwrap() {
        assert_eq!(provider["configured"], true, "{provider}");
        assert_eq!(provider["compiled"], true, "{provider}");
    }
    assert!(!ran.stdout.contains(SECRET) && !details.contains(SECRET));
}
