//! Google's chain of credentials, in a process of its own for each: it is read from the
//! environment.

use std::process::Stdio;

use railsbench_core::provider::Provider;
use railsbench_emulators::gcp::{Emulator, PROJECT};
use railsbench_providers::gcp::GcpProvider;
use serde_json::json;

use crate::fixture::{RETRY, plan};

/// Not a test: what the test below starts as a process of its own.
#[tokio::test]
#[ignore = "it is started by the_usual_chain_gives_tokens"]
async fn preflight_by_the_environment() {
    let provider = GcpProvider::from_environment().with_retry(RETRY);
    let found = provider.preflight(&plan("r1", 1)).await.unwrap();
    println!(
        "found {}",
        serde_json::to_string(&found.checks[found.checks.len().min(2) - 1]).unwrap()
    );
}

/// What the look at the credentials found, with these variables and nothing else.
async fn told(emulator: &Emulator, variables: &[(&str, &str)]) -> String {
    let output = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "credentials::preflight_by_the_environment", "--ignored", "--nocapture"])
        .env_clear()
        .env("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", emulator.url())
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let line = said.lines().find_map(|line| line.split_once("found "));
    line.unwrap_or_else(|| panic!("{said}")).1.to_owned()
}

#[tokio::test]
async fn the_usual_chain_gives_tokens() {
    let emulator = Emulator::start().await;
    let host = emulator.url().trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let well_known = folder.path().join(".config/gcloud/application_default_credentials.json");
    std::fs::create_dir_all(well_known.parent().unwrap()).unwrap();
    let user = |token: &str| {
        let file = json!({
            "type": "authorized_user", "client_id": "a client", "client_secret": "a $ecret",
            "refresh_token": token, "token_uri": format!("http://{host}/token"),
            "quota_project_id": PROJECT,
        });
        file.to_string()
    };
    let home = folder.path().to_str().unwrap();

    // A logged-in user, whose file also names the project.
    std::fs::write(&well_known, user("good")).unwrap();
    let found = told(&emulator, &[("HOME", home)]).await;
    assert!(found.contains("passed") && found.contains(PROJECT), "{found}");

    // The same by the variable, which is stronger.
    let named = folder.path().join("named.json");
    std::fs::write(&named, user("revoked")).unwrap();
    let path = named.to_str().unwrap();
    let found = told(&emulator, &[("HOME", home), ("GOOGLE_APPLICATION_CREDENTIALS", path)]).await;
    assert!(found.contains("failed") && found.contains("it has been revoked"), "{found}");
    assert!(found.contains("gcloud auth application-default login"), "{found}");
    assert!(!found.contains("a $ecret"), "{found}");

    // A machine at Google, with the project in a variable.
    std::fs::remove_file(&well_known).unwrap();
    let at_google =
        [("HOME", home), ("GCE_METADATA_HOST", &*host), ("GOOGLE_CLOUD_PROJECT", PROJECT)];
    let found = told(&emulator, &at_google).await;
    assert!(found.contains("passed"), "{found}");

    // A file that is none.
    std::fs::write(&named, r#"{"type": "house key"}"#).unwrap();
    let wrong = [("GOOGLE_APPLICATION_CREDENTIALS", path), ("GOOGLE_CLOUD_PROJECT", PROJECT)];
    let found = told(&emulator, &wrong).await;
    assert!(found.contains("failed") && found.contains("house key"), "{found}");
}
