//! Every help text, as a snapshot: a change of the command line shows up in review.

use super::run;

const COMMANDS: [&str; 18] = [
    "plan",
    "run",
    "resume",
    "status",
    "watch",
    "logs",
    "stop",
    "results",
    "report",
    "cost",
    "teardown",
    "nuke",
    "providers",
    "doctor",
    "instance-types",
    "token",
    "completions",
    "version",
];

#[test]
fn the_overview() {
    let ran = run(&["--help"]);
    assert_eq!(ran.code, 0);
    insta::assert_snapshot!("help", ran.stdout);
    for command in COMMANDS {
        assert!(ran.stdout.contains(&format!("\n  {command} ")), "{command}");
    }
}

#[test]
fn each_command() {
    for command in COMMANDS {
        let ran = run(&[command, "--help"]);
        assert_eq!(ran.code, 0, "{command}");
        assert!(ran.stdout.contains("Examples:\n  railsbench "), "{command}");
        assert!(ran.stdout.contains("Exit codes: 0 ok, 1 "), "{command}");
        assert!(ran.stdout.contains("--json"), "{command}");
        insta::assert_snapshot!(format!("help_{}", command.replace('-', "_")), ran.stdout);
    }
}

#[test]
fn help_never_shows_the_value_of_a_secret_variable() {
    let folder = tempfile::tempdir().unwrap();
    let output = super::command(folder.path())
        .args(["run", "--help"])
        .env("RAILSBENCH_API_KEY", "hush-hush")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("RAILSBENCH_API_KEY"));
    assert!(!text.contains("hush-hush"), "{text}");
}
