//! The suite that every provider must pass, run against `wrapper`, and what that does not ask.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use railsbench::providers::MemoryJournal;
use railsbench::providers::conformance::{Subject, check};
use railsbench::providers::testing;

use super::*;

/// A runner that runs until it is asked to end.
const PATIENT: &str = "#!/bin/sh\ntrap 'exit 0' TERM\nwhile :; do sleep 0.1; done\n";

fn provider(command: &str, folder: &Path) -> Wrapper {
    let words = command.split(' ').map(str::to_owned);
    Wrapper::new(words.collect(), folder.join("machines"))
}

/// A request with a run of its own for each test, which may run beside others.
fn request(folder: &Path, test: &str, instance_type: &str) -> ProvisionRequest {
    let runner = folder.join("runner");
    fs::write(&runner, PATIENT).unwrap();
    fs::set_permissions(&runner, fs::Permissions::from_mode(0o755)).unwrap();
    let vars = UserDataVars {
        run_id: RunId::new(format!("{test}-{}", std::process::id())).unwrap(),
        orchestrator_url: "http://127.0.0.1:9/".to_owned(),
        api_key: "run-token-that-nobody-may-see".to_owned().into(),
        max_lifetime: Duration::from_mins(1),
        runner: Some(runner.display().to_string()),
        ..testing::vars("wrapper", instance_type)
    };
    testing::request(vars, 2)
}

#[tokio::test]
async fn it_passes_the_suite() {
    let folder = tempfile::tempdir().unwrap();
    for instance_type in ["bare", "wrapped"] {
        let provider = provider("nice -n 19", folder.path());
        let shape = provider.shape(instance_type).unwrap();
        let subject = Subject {
            request: request(folder.path(), "suite", instance_type),
            shapes: vec![(instance_type.to_owned(), shape)],
            misspelt: ("bear".to_owned(), "bare".to_owned()),
            patience: Duration::from_secs(30),
        };
        check(Arc::new(provider), &subject).await.unwrap();
    }
}

#[test]
fn its_script_is_without_fault() {
    let folder = tempfile::tempdir().unwrap();
    let provider = provider("nice -n 19", folder.path());
    let vars = request(folder.path(), "script", "bare").vars;
    let data = provider.render_user_data(&vars).unwrap();
    testing::assert_tells_runner(&data, &vars);
    testing::assert_shell_finds_no_fault(&data);
    testing::assert_no_value_breaks_out(&provider, &vars);
}

/// How much a process gives way to others: the 19th field of its `stat`, the 17th after the name.
/// Nothing if it has ended.
fn niceness(pid: &str) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(16)?.parse().ok()
}

#[tokio::test]
async fn the_command_is_used_and_its_processes_are_found_without_memory() {
    let folder = tempfile::tempdir().unwrap();
    let maker = provider("nice -n 7", folder.path());
    for (instance_type, expected) in [("bare", 0), ("wrapped", 7)] {
        let request = request(folder.path(), "memory", instance_type);
        let plan = maker.plan(&request).unwrap();
        maker.provision(&plan, Arc::new(MemoryJournal::default())).await.unwrap();
        let other = provider("true", folder.path());
        let scope = Scope::run(request.run_id);
        let found = other.list(&scope).await.unwrap();
        let base = niceness("self").unwrap();
        let nices: Vec<i32> = found.iter().filter_map(|process| niceness(&process.id)).collect();
        // There are two machines, and what each of them has started comes and goes.
        assert!(nices.len() >= 2 && nices.iter().all(|nice| nice - base == expected), "{nices:?}");
        assert!(found.iter().all(|process| process.expires_at.is_some()), "{found:?}");
        other.teardown(&scope).await.unwrap();
        assert_eq!(maker.list(&scope).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_command_that_starts_nothing_is_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    for (command, expected) in [
        ("no-such-command", "cannot be run"),
        ("false", "starts no shell"),
        ("env -i", "starts no shell"),
    ] {
        let provider = provider(command, folder.path());
        let plan = provider.plan(&request(folder.path(), "finding", "wrapped")).unwrap();
        let found = provider.preflight(&plan).await.unwrap();
        let failures: Vec<&Check> = found.failures().collect();
        let [Check { outcome: Outcome::Failed { problem, .. }, .. }] = &failures[..] else {
            panic!("{command}: {found:?}")
        };
        assert!(problem.contains(expected), "{problem}");
    }
}
