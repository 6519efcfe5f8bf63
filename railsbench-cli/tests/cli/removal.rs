//! `teardown` and `nuke` on this host. Nothing here removes what other runs have: other tests are
//! at work.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::{json, run, run_in};

/// What a local machine of a run leaves, made this long ago.
fn leave(state: &Path, run: &str, age: Duration) {
    let folder = state.join("machines").join(run).join("host-1");
    fs::create_dir_all(&folder).unwrap();
    let script = File::create(folder.join("user-data.sh")).unwrap();
    script.set_modified(SystemTime::now() - age).unwrap();
}

/// Longer ago than this host has been up.
const AGES_AGO: Duration = Duration::from_hours(24 * 4_000);

#[test]
fn only_what_is_older_than_asked_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join(".railsbench");
    leave(&state, "old", AGES_AGO);
    leave(&state, "young", Duration::from_mins(5));
    let arguments = ["nuke", "local", "--older-than", "3000d"];

    let dry = run_in(folder.path(), &[&arguments[..], &["--dry-run", "--json"]].concat());
    assert_eq!((dry.code, dry.stderr.as_str()), (0, ""));
    let found = &json(&dry.stdout)["found"][0];
    assert_eq!(found["provider"], "local");
    let runs: Vec<_> =
        found["resources"].as_array().unwrap().iter().map(|r| &r["run_id"]).collect();
    assert_eq!(runs, ["old"]);
    assert!(state.join("machines/old").exists(), "a dry run removes nothing");

    let refused = run_in(folder.path(), &arguments);
    assert_eq!((refused.code, refused.stdout.as_str()), (3, ""));
    let told = "to agree, run: railsbench nuke local --older-than 3000d --yes";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
    assert!(refused.stderr.contains("old") && !refused.stderr.contains("young"));
    assert!(state.join("machines/old").exists());

    let removed = run_in(folder.path(), &[&arguments[..], &["--yes"]].concat());
    let told = "local: removed 1 resource\nnothing is left\n";
    assert_eq!((removed.code, removed.stdout.as_str()), (0, told), "{}", removed.stderr);
    assert!(!state.join("machines/old").exists() && state.join("machines/young").exists());

    let again = run_in(folder.path(), &[&arguments[..], &["--yes"]].concat());
    assert_eq!((again.code, again.stdout.as_str()), (0, "nothing is left\n"));
}

#[test]
fn a_run_is_torn_down_and_told_in_json() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join(".railsbench");
    leave(&state, "one-of-two", AGES_AGO);
    leave(&state, "two-of-two", AGES_AGO);
    let ran = run_in(folder.path(), &["teardown", "one-of-two", "--yes", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let told = json(&ran.stdout);
    assert_eq!(told["removed"][0]["resources"][0]["kind"], "folder");
    assert_eq!((&told["left"], &told["problems"]), (&json("[]"), &json("[]")));
    assert!(!state.join("machines/one-of-two").exists());
    assert!(state.join("machines/two-of-two").exists(), "a folder has no expiry");
}

#[test]
fn wrong_command_lines_name_what_is_wrong() {
    let cases: [(&str, &[&str]); 7] = [
        ("no_scope", &["nuke"]),
        ("two_scopes", &["nuke", "--all", "--expired"]),
        ("bad_age", &["nuke", "--older-than", "6"]),
        ("no_age", &["nuke", "--older-than", "0h"]),
        ("two_reaches", &["nuke", "--all", "--region", "eu-west-1", "--all-regions"]),
        ("unknown_provider", &["nuke", "azrue", "--all", "--dry-run"]),
        ("unknown_region", &["nuke", "local", "--all", "--dry-run", "--region", "eu-west-1"]),
    ];
    let mut told = String::new();
    for (name, arguments) in cases {
        let ran = run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{name}: {}", ran.stderr);
        writeln!(told, "# {name}\n{}", ran.stderr).expect("a string takes all");
    }
    insta::assert_snapshot!("usage_of_nuke", told);
}
