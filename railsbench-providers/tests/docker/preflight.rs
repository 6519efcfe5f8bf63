//! What stands in the way is found before anything is made.

use railsbench_core::provider::{Check, Outcome, Provider};
use railsbench_providers::docker::{Daemon, DockerProvider};

use crate::fixture::{left, new_run, plan, provider, request};

fn check<'a>(checks: &'a [Check], name: &str) -> &'a Outcome {
    &checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("{checks:?}")).outcome
}

#[tokio::test]
async fn all_is_well_and_nothing_is_made() {
    let run_id = new_run();
    let preflight = provider().preflight(&plan(&run_id, 1)).await.unwrap();
    assert!(preflight.checks.iter().all(Check::has_passed), "{:?}", preflight.checks);
    let names: Vec<&str> = preflight.checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(names, ["daemon", "limits", "room", "image", "orchestrator"]);
    assert_eq!(left(&run_id).await, Vec::<String>::new());
    assert!(provider().setup().await.is_complete());
}

#[tokio::test]
async fn the_address_for_containers_is_one_of_this_host() {
    let address = provider().host_address().await.unwrap();
    assert!(!address.is_loopback(), "{address}");
    std::net::TcpListener::bind((address, 0)).unwrap();
}

#[tokio::test]
async fn an_image_that_is_not_there_is_to_be_made_or_to_be_got() {
    let run_id = new_run();
    let mut request = request(&run_id, "1c1g", 1);
    request.vars.runner_image = Some("railsbench-test:none".parse().unwrap());
    let plan = provider().plan(&request).unwrap();
    let preflight = provider().preflight(&plan).await.unwrap();
    let Outcome::Failed { problem, fix } = check(&preflight.checks, "image") else {
        panic!("{preflight:?}")
    };
    assert!(problem.contains("railsbench-test:none"), "{problem}");
    assert!(fix.contains("railsbench image build --tag railsbench-test:none"), "{fix}");

    request.vars.runner_image = None;
    request.vars.ruby_version = Some("3.1.99".parse().unwrap());
    let plan = provider().plan(&request).unwrap();
    let preflight = provider().preflight(&plan).await.unwrap();
    let Outcome::NeedsConsent { command, .. } = check(&preflight.checks, "image") else {
        panic!("{preflight:?}")
    };
    assert_eq!(
        command,
        "railsbench image build --ruby 3.1.99 --base ruby:3.1.99-slim --tag railsbench-runner:3.1.99"
    );
}

#[tokio::test]
async fn an_image_with_another_runner_is_made_again_from_what_it_was_made_of() {
    let run_id = new_run();
    let mut request = request(&run_id, "1c1g", 1);
    // An executable that is not the runner in the image.
    request.vars.runner = Some(std::env::current_exe().unwrap().display().to_string());
    let plan = provider().plan(&request).unwrap();
    let preflight = provider().preflight(&plan).await.unwrap();
    let Outcome::NeedsConsent { problem, command } = check(&preflight.checks, "image") else {
        panic!("{preflight:?}")
    };
    assert!(problem.contains("another runner"), "{problem}");
    assert!(command.contains("--base railsbench-test-base:"), "{command}");
}

#[tokio::test]
async fn a_daemon_that_does_not_answer_is_the_first_thing_to_be_said() {
    let nowhere = DockerProvider::new(Daemon::at("unix:///nonexistent/docker.sock"));
    let preflight = nowhere.preflight(&plan(&new_run(), 1)).await.unwrap();
    assert_eq!(preflight.checks.len(), 1);
    let Outcome::Failed { problem, .. } = check(&preflight.checks, "daemon") else {
        panic!("{preflight:?}")
    };
    assert!(problem.contains("apt-get install docker.io"), "{problem}");
}
