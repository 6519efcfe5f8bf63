//! Making runner images, and what one of them is.

use bollard::query_parameters::RemoveImageOptions;
use railsbench_core::provider::ProviderError;
use railsbench_providers::docker::Daemon;
use railsbench_providers::docker::image::{Recipe, build};
use sha2::{Digest, Sha256};

use crate::fixture::{IMAGE, docker};

/// The base that `bin/test docker` makes: its tag is the hash of the script that makes it.
fn base() -> String {
    let script = include_bytes!("../../../railsbench-runner/image/debian-base.sh");
    let hash = hex::encode(&Sha256::digest(script)[..6]);
    format!("railsbench-test-base:{hash}")
}

fn recipe(tag: &str, base: &str) -> Recipe {
    let recipe = Recipe::new(None, Some(base.parse().unwrap())).unwrap();
    Recipe { tag: tag.parse().unwrap(), ..recipe }
}

async fn failure(recipe: &Recipe, runner: &std::path::Path) -> String {
    let built = build(&Daemon::from_environment(), recipe, runner.to_owned(), |_| ()).await;
    let error: ProviderError = built.unwrap_err();
    error.to_string()
}

#[tokio::test]
async fn an_image_is_small_and_says_what_it_is_made_of() {
    let image = docker().await.inspect_image(IMAGE).await.unwrap_or_else(|error| {
        panic!("this test needs {IMAGE} ({error}); bin/test docker makes it")
    });
    let config = image.config.unwrap();
    assert_eq!(config.user.as_deref(), Some("10001:10001"));
    assert_eq!(config.entrypoint.unwrap(), ["railsbench-runner"]);
    let labels = config.labels.unwrap();
    let made: serde_json::Value = serde_json::from_str(&labels["railsbench-runner"]).unwrap();
    assert_eq!(made["base"], base(), "bin/test docker makes it anew");
    assert_eq!(made["runner_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(labels.get("railsbench"), None, "or containers by hand would be taken for ours");
}

#[tokio::test]
async fn a_build_that_cannot_succeed_says_why() {
    let folder = tempfile::tempdir().unwrap();
    // Any executable of this architecture; it is no runner, and not asked to be one so early.
    let runner = std::env::current_exe().unwrap();
    let mut other_ruby = recipe("railsbench-test:never", &base());
    other_ruby.ruby = Some("9.9".to_owned());
    let said = failure(&other_ruby, &runner).await;
    assert!(said.contains("the base has Ruby") && said.contains("not 9.9"), "{said}");

    let script = folder.path().join("script");
    std::fs::write(&script, "#!/bin/sh\n").unwrap();
    let said = failure(&recipe("railsbench-test:never", &base()), &script).await;
    assert!(said.contains("no Linux executable"), "{said}");
    let said =
        failure(&recipe("railsbench-test:never", &base()), &folder.path().join("none")).await;
    assert!(said.contains("cargo build --release -p railsbench-runner"), "{said}");

    let mut arm = std::fs::read(&runner).unwrap()[..64].to_vec();
    arm[18] = if cfg!(target_arch = "x86_64") { 183 } else { 62 };
    std::fs::write(&script, arm).unwrap();
    let said = failure(&recipe("railsbench-test:never", &base()), &script).await;
    assert!(said.contains("unknown-linux-musl"), "{said}");
    assert!(docker().await.inspect_image("railsbench-test:never").await.is_err());
}

/// What starts on this host and not in the base is found when the image is made.
#[tokio::test]
async fn a_runner_that_the_base_cannot_start_makes_no_image() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken");
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    std::fs::write(&broken, &own[..4096]).unwrap();
    let said = failure(&recipe("railsbench-test:broken", &base()), &broken).await;
    assert!(said.contains("railsbench-runner"), "{said}");
    let gone = docker().await;
    let gone = gone.remove_image("railsbench-test:broken", None::<RemoveImageOptions>, None).await;
    assert!(gone.is_err(), "there is none");
}
