//! Killing the process that provisions, at every call that it makes.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::Arc;

use railsbench_core::provider::{Provider, Scope};
use railsbench_emulators::heroku::{Emulator, Fault, Kind};
use railsbench_providers::FileJournal;

use crate::fixture::{plan, provider, provider_with, provision, scope, settings};

/// A run whose app's name tells it, and one whose does not.
const RUNS: [&str; 2] = ["r1", "a-run-with-a-long-name"];

/// Not a test: what the test below starts as a process of its own.
#[tokio::test]
#[ignore = "it is started by a_crash_at_any_call_leaves_nothing_that_a_teardown_misses"]
async fn provision_and_die() {
    let variable = |name| std::env::var(name).expect("it is set by the test that starts this");
    // The parent knows this process by now, and goes on when the pipe is closed.
    let provider = provider_with(settings(&variable("TEST_EMULATOR")));
    let plan = plan(&provider, &variable("TEST_RUN_ID"), &variable("TEST_SIZE"), 2);
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
    let journal = FileJournal::open(variable("TEST_JOURNAL").as_ref()).unwrap();
    provider.provision(&plan, Arc::new(journal)).await.unwrap();
}

/// Starts the process above and kills it at one call. Gives whether it came so far.
async fn killed(emulator: &Emulator, run: &str, size: &str, call: usize, after: bool) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crashes::provision_and_die", "--ignored"])
        .env("TEST_EMULATOR", emulator.url())
        .env("TEST_RUN_ID", run)
        .env("TEST_SIZE", size)
        .env("TEST_JOURNAL", folder.path().join("journal.jsonl"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let process = child.id().unwrap();
    let kind = if after { Kind::KillAfter(process) } else { Kind::KillBefore(process) };
    emulator.break_with(Fault { call: "", after: call, times: 1, kind });
    drop(child.stdin.take());
    let status = child.wait().await.unwrap();
    assert!(status.success() || status.signal() == Some(9), "{status}");
    emulator.mend();
    !status.success()
}

#[tokio::test]
async fn a_crash_at_any_call_leaves_nothing_that_a_teardown_misses() {
    let mut crashes = 0;
    for (run, size) in RUNS.into_iter().zip(["standard-1x", "basic"]) {
        for call in 0.. {
            let mut ended = 0;
            for after in [false, true] {
                let emulator = Emulator::start().await;
                if killed(&emulator, run, size, call, after).await {
                    crashes += 1;
                } else {
                    ended += 1;
                }
                // A stranger, without any state of the one that died.
                let stranger = provider(&emulator);
                let made = emulator.world().apps.len();
                let listed = stranger.list(&scope(run)).await.unwrap();
                assert_eq!(listed.len(), made, "call {call}, after {after}: {listed:?}");
                assert_eq!(stranger.list(&Scope::all()).await.unwrap().len(), made);
                let removed = stranger.teardown(&scope(run)).await.unwrap().removed;
                assert_eq!(removed.len(), made);
                assert!(emulator.world().apps.is_empty(), "call {call}, after {after}");
                emulator.assert_no_mistakes();
            }
            if ended == 2 {
                break;
            }
        }
    }
    assert!(crashes >= 2 * 2 * 10, "{crashes} crashes");
}

/// Going on after the crash is as good as a first provision, wherever it was.
#[tokio::test]
async fn a_provision_after_a_crash_takes_up_what_is_there() {
    for call in 0.. {
        let emulator = Emulator::start().await;
        let died = killed(&emulator, "r1", "standard-1x", call, true).await;
        let again = provider(&emulator);
        let deployment = provision(&again, &plan(&again, "r1", "standard-1x", 2)).await.unwrap();
        assert_eq!(deployment.machines.len(), 2);
        {
            let world = emulator.world();
            let app = &world.apps["railsbencher-runner-r1"];
            assert_eq!((world.apps.len(), app.builds.len()), (1, 1), "call {call}");
            assert_eq!(app.dynos.len(), 2);
            assert_eq!(app.restarts, 0, "call {call}");
        }
        emulator.assert_no_mistakes();
        if !died {
            break;
        }
    }
}
