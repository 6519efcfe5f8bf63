//! The main job in containers of a real Docker daemon: the orchestrator of the command line is
//! reached from them, tasks are done, and nothing is left. `bin/test docker` makes the image.

use std::fs::File;
use std::process::{Command, Stdio};

use railsbench::results::Output;
use serde_json::Value;

use crate::support::{Cli, program};

const IMAGE: &str = "railsbench-test-runner:latest";

/// The one who may start containers: there are CPUs for few, whoever runs these tests.
fn turn() -> File {
    let file = File::create(std::env::temp_dir().join("railsbench-docker-tests.lock")).unwrap();
    file.lock().unwrap();
    file
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {arguments:?}: {said}; bin/test docker starts one");
    String::from_utf8(output.stdout).unwrap()
}

/// Everything at the daemon that is labelled with a run.
fn left(run: &str) -> String {
    let label = format!("label=railsbench-run={run}");
    docker(&["ps", "--all", "--quiet", "--filter", &label])
        + &docker(&["network", "ls", "--quiet", "--filter", &label])
        + &docker(&["volume", "ls", "--quiet", "--filter", &label])
}

fn metadata(folder: &std::path::Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("metadata.json")).unwrap()).unwrap()
}

#[test]
fn a_mock_run_leaves_results_and_nothing_else() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let run = format!("docker-mock-{}", std::process::id());
    let config = format!(
        r#"{{"ruby_version":"system","docker":[{{"instance_type":"1c1g","alias":"small"}}],
            "local":["host"],"runs_per_instance_type":2,"mock":true,"runner_image":"{IMAGE}"}}"#
    );
    std::fs::write(folder.path().join("mock.json"), config).unwrap();
    let volumes = docker(&["volume", "ls", "--quiet"]);
    let cli = Cli::new(folder.path());
    let printed = cli.expect(0, &["run", "mock.json", "--run-id", &run, "--yes", "--json"]);
    let events: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ready = events.iter().find(|event| event["event"] == "run_ready").unwrap();
    let url = ready["url"].as_str().unwrap();
    assert!(url.starts_with("https://"), "containers are not called by plain http: {url}");
    assert!(!printed.contains("BEGIN"), "{printed}");

    let results = folder.path().join("results").join(&run);
    for number in 1..=2 {
        let told = metadata(&results.join(format!("small-{number}")));
        assert_eq!(told["provider"], "docker");
        assert_eq!((&told["vcpus"], &told["image"]), (&1.into(), &IMAGE.into()), "{told}");
        assert_eq!(metadata(&results.join(format!("host-{number}")))["provider"], "local");
    }
    assert!(results.join("report.html").is_file());
    assert_eq!(left(&run), "");
    assert_eq!(docker(&["volume", "ls", "--quiet"]), volumes);
    let again = cli.expect(0, &["teardown", &run, "--dry-run", "--json"]);
    assert!(!again.contains("container"), "{again}");
}

#[test]
fn rails_runs_in_a_container_without_rights() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let run = format!("docker-rails-{}", std::process::id());
    let config = format!(
        r#"{{"ruby_version":"system","docker":["1c2g"],"runner_image":"{IMAGE}","workload":
            {{"suite":"rails","benchmarks":["rails_request_json","puma_http"],"quick":true}}}}"#
    );
    std::fs::write(folder.path().join("rails.json"), config).unwrap();
    let cli = Cli::new(folder.path());
    cli.expect(0, &["run", "rails.json", "--run-id", &run, "--yes"]);
    let results = folder.path().join("results").join(&run).join("1c2g-1");
    let output = Output::parse(&std::fs::read(results.join("output.json")).unwrap()).unwrap();
    for variant in output.raw_data.values() {
        for benchmark in ["rails_request_json", "puma_http"] {
            assert!(variant[benchmark].bench.len() > 1, "{benchmark}");
        }
    }
    assert_eq!(left(&run), "");
}

/// A process that is killed cannot clean up; whoever comes later can, without its state.
#[test]
fn a_killed_run_is_torn_down_by_its_labels() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let run = format!("docker-killed-{}", std::process::id());
    let config = format!(
        r#"{{"ruby_version":"system","docker":["1c1g"],"runner_image":"{IMAGE}",
            "runs_per_instance_type":100,"mock":true}}"#
    );
    std::fs::write(folder.path().join("long.json"), config).unwrap();
    let cli = Cli::new(folder.path());
    let mut child = cli
        .command(&["run", "long.json", "--run-id", &run, "--yes"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = std::time::Instant::now();
    while left(&run).lines().count() < 2 {
        assert!(begun.elapsed() < crate::support::PATIENCE, "no container is started");
        assert_eq!(child.try_wait().unwrap(), None, "it has ended");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let stranger = tempfile::tempdir().unwrap();
    Cli::new(stranger.path()).expect(0, &["teardown", &run, "--yes"]);
    assert_eq!(left(&run), "");
}

/// The runner is the one of this build: the image is made anew by `bin/test docker`.
#[test]
fn the_image_holds_the_runner_of_this_build() {
    let format = r#"{{index .Config.Labels "railsbench-runner"}}"#;
    let made = docker(&["image", "inspect", "--format", format, IMAGE]);
    let made: Value = serde_json::from_str(&made).unwrap();
    let own = Command::new("sha256sum").arg(program("railsbench-runner")).output().unwrap();
    let own = String::from_utf8(own.stdout).unwrap();
    assert_eq!(
        own.split_whitespace().next(),
        made["runner_sha256"].as_str(),
        "run bin/test docker"
    );
}
