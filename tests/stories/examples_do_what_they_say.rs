//! The examples are programs: they are run, not only compiled.

use std::process::Command;

use railsbench::config::RunConfig;

use crate::support::program;

fn run(example: &str) -> String {
    let output = Command::new(program(&format!("examples/{example}")))
        .env("RAILSBENCH_RUNNER", program("railsbench-runner"))
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
    stdout
}

#[test]
fn a_program_can_embed_a_campaign() {
    assert!(run("embed_campaign").contains("1 task completed"));
}

#[test]
fn a_program_can_bring_its_own_provider() {
    assert!(run("custom_provider").contains("2 tasks completed"));
}

#[test]
fn the_example_configurations_are_valid() {
    for text in
        [include_str!("../../examples/local.json"), include_str!("../../examples/mock.json")]
    {
        RunConfig::parse(text).unwrap();
    }
}
