//! Killing the process that provisions or removes, at every call that changes something.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use railsbench_core::provider::{Journal, Provider, Scope};
use railsbench_emulators::azure::Emulator;

use crate::setup::{journal, plan, provider, provider_at, provision, run, settings, teardown};

/// Not a test: what the tests below start as a process of its own.
#[tokio::test]
#[ignore = "it is started by the tests of this file"]
async fn act_and_die() {
    let variable = |name| std::env::var(name).expect("it is set by the test that starts this");
    let provider = provider_at(settings(&variable("TEST_BASE")));
    if variable("TEST_ACT") == "teardown" {
        provider.teardown(&Scope::run(run("r1"))).await.unwrap();
    } else {
        let plan = plan(&provider, "r1", "Standard_D2ps_v5", 2);
        let journal = journal(&PathBuf::from(variable("TEST_JOURNAL")));
        provider.provision(&plan, journal).await.unwrap();
    }
}

fn start(emulator: &Emulator, act: &str, journal: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crashes::act_and_die", "--ignored"])
        .env("TEST_BASE", emulator.url())
        .env("TEST_ACT", act)
        .env("TEST_JOURNAL", journal)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills the process when it makes the changing call of this number. Gives false if it came to
/// its end before.
async fn killed_at(
    emulator: &Emulator,
    act: &str,
    journal: &Path,
    number: usize,
    with_effect: bool,
) -> bool {
    emulator.halt_at(number, with_effect);
    let mut child = start(emulator, act, journal);
    let finished = async {
        while child.try_wait().unwrap().is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let killed = tokio::select! {
        () = emulator.halted() => true,
        () = finished => false,
    };
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(killed || status.success(), "it failed by itself: {status}");
    emulator.go_on();
    killed
}

#[tokio::test]
async fn a_crash_at_any_call_of_a_provision_leaves_nothing_that_a_teardown_misses() {
    let mut number = 0;
    loop {
        let mut killed = false;
        for with_effect in [false, true] {
            let emulator = Emulator::start().await;
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("journal.jsonl");
            killed = killed_at(&emulator, "provision", &path, number, with_effect).await;
            let written = journal(&path).entries().unwrap();
            for id in made(&emulator) {
                let known = written.iter().any(|entry| entry.token == id);
                assert!(known || id.contains("/disks/"), "{id} is not in the journal");
            }
            // What is there is taken up, and nothing is there twice.
            if with_effect {
                let provider = provider(&emulator);
                let plan = plan(&provider, "r1", "Standard_D2ps_v5", 2);
                provision(&provider, &plan).await.unwrap();
                assert_eq!(emulator.machines().len(), 2, "after a crash at call {number}");
            }
            teardown(&emulator, "r1").await;
        }
        if !killed {
            break;
        }
        number += 1;
    }
    // Group, security group and network, and for each machine address, interface, machine.
    assert_eq!(number, 9);
}

fn made(emulator: &Emulator) -> Vec<String> {
    let world = emulator.world();
    let all = world.groups.values().chain(world.resources.values());
    all.map(|resource| resource["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_crash_in_a_teardown_is_finished_by_the_next() {
    for with_effect in [false, true] {
        let emulator = Emulator::start().await;
        let provider = provider(&emulator);
        provision(&provider, &plan(&provider, "r1", "Standard_D2ps_v5", 2)).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        assert!(killed_at(&emulator, "teardown", &path, 0, with_effect).await);
        teardown(&emulator, "r1").await;
    }
}
