//! Killing the process that provisions, at every call that it makes.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use railsbench_core::provider::Provider;
use railsbench_emulators::gcp::{Death, Emulator, TOKEN};
use railsbench_providers::FileJournal;

use crate::fixture::{instances, plan, provider_with, settings, teardown};

const RUN: &str = "Run.1";

/// Not a test: what the tests below start as a process of its own.
#[tokio::test]
#[ignore = "it is started by a_crash_at_any_call_leaves_nothing_that_a_teardown_misses"]
async fn provision_and_die() {
    let variable = |name| std::env::var(name).expect("it is set by the test that starts this");
    // The parent knows this process by now, and goes on when the pipe is closed.
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
    let provider = provider_with(settings(&variable("TEST_EMULATOR")), TOKEN);
    let journal = FileJournal::open(variable("TEST_JOURNAL").as_ref()).unwrap();
    provider.provision(&plan(RUN, 2), Arc::new(journal)).await.unwrap();
}

/// Starts the process above and kills it at one call, counted from 1. Gives whether it came so
/// far.
async fn killed(emulator: &Emulator, journal: &Path, call: usize, after_effect: bool) -> bool {
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crashes::provision_and_die", "--ignored"])
        .env("TEST_EMULATOR", emulator.url())
        .env("TEST_JOURNAL", journal)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    emulator.world().death = Some(Death { call, after_effect, process: child.id().unwrap() });
    drop(child.stdin.take());
    let status = child.wait().await.unwrap();
    assert!(status.success() || status.signal() == Some(9), "{status}");
    emulator.world().death = None;
    !status.success()
}

#[tokio::test]
async fn a_crash_at_any_call_leaves_nothing_that_a_teardown_misses() {
    let mut crashes = 0;
    let mut left_something = 0;
    for call in 1.. {
        let mut ended = 0;
        for after_effect in [false, true] {
            let emulator = Emulator::start().await;
            // What was made a moment ago does not show in the next lists.
            emulator.world().lag = 3;
            let folder = tempfile::tempdir().unwrap();
            let journal = folder.path().join("journal.jsonl");
            if killed(&emulator, &journal, call, after_effect).await {
                crashes += 1;
            } else {
                ended += 1;
            }
            left_something += usize::from(!emulator.world().everything().is_empty());
            // By a stranger, without any state of the one that died.
            teardown(&emulator, RUN).await;
        }
        if ended == 2 {
            break;
        }
    }
    assert!(crashes >= 2 * 15 && left_something > 20, "{crashes} crashes, {left_something}");
}

/// Going on after the crash is as good as a first provision, wherever it was, and also if a
/// stranger has torn down in between what the journal tells of.
#[tokio::test]
async fn a_provision_after_a_crash_takes_up_what_is_there() {
    for call in 1.. {
        let mut died = false;
        for torn_down in [false, true] {
            let emulator = Emulator::start().await;
            let folder = tempfile::tempdir().unwrap();
            let journal = folder.path().join("journal.jsonl");
            died |= killed(&emulator, &journal, call, true).await;
            if torn_down {
                teardown(&emulator, RUN).await;
            }
            let journal = Arc::new(FileJournal::open(&journal).unwrap());
            let again = provider_with(settings(emulator.url()), TOKEN);
            let deployment = again.provision(&plan(RUN, 2), journal).await.unwrap();
            let machines = (deployment.machines.len(), instances(&emulator).len());
            assert_eq!(machines, (2, 2), "call {call}, torn down: {torn_down}");
            let made = emulator.world().everything().len();
            assert_eq!(made, 2 + 2 + 3, "call {call}: instances, their disks, rules");
            teardown(&emulator, RUN).await;
        }
        if !died {
            break;
        }
    }
}
