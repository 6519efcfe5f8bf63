//! Killing the process that provisions, at every call that it makes.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use railsbench_core::id::RunId;
use railsbench_core::provider::{Provider, Scope};
use railsbench_providers::docker::{Daemon, DockerProvider};
use railsbench_providers::{FileJournal, MemoryJournal};

use crate::fixture::{Turn, left, new_run, plan, provider, teardown};
use crate::proxy::{Death, Proxy};

/// Not a test: what the tests below start as a process of its own.
#[tokio::test]
#[ignore = "it is started by a_crash_at_any_call_leaves_nothing_that_a_teardown_misses"]
async fn provision_and_die() {
    let variable = |name| std::env::var(name).expect("it is set by the test that starts this");
    let run_id = RunId::new(variable("TEST_RUN_ID")).unwrap();
    let plan = plan(&run_id, 1);
    let provider = DockerProvider::new(Daemon::at(variable("TEST_DOCKER_HOST")));
    let journal = FileJournal::open(variable("TEST_JOURNAL").as_ref()).unwrap();
    provider.provision(&plan, Arc::new(journal)).await.unwrap();
}

/// Starts the process above and kills it at one call. Gives the calls that it made, and whether
/// it came so far as to be killed.
async fn killed(folder: &Path, run_id: &RunId, death: Death) -> (Vec<String>, bool) {
    let proxy = Proxy::start(folder, death);
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crashes::provision_and_die", "--ignored"])
        .env("TEST_DOCKER_HOST", proxy.url())
        .env("TEST_RUN_ID", run_id.as_str())
        .env("TEST_JOURNAL", folder.join("journal.jsonl"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    proxy.victim(child.id().unwrap());
    let status = child.wait().await.unwrap();
    assert!(status.success() || status.signal() == Some(9), "{status}");
    (proxy.calls(), !status.success())
}

#[tokio::test]
async fn a_crash_at_any_call_leaves_nothing_that_a_teardown_misses() {
    let _turn = Turn::take().await;
    let (mut crashes, mut left_something) = (0, 0);
    for call in 1.. {
        let mut ended = 0;
        for after_effect in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let run_id = new_run();
            let death = Death { call, after_effect };
            let (calls, died) = killed(folder.path(), &run_id, death).await;
            if died {
                crashes += 1;
            } else {
                ended += 1;
            }
            let there = left(&run_id).await;
            left_something += usize::from(!there.is_empty());
            // By a stranger, without any state of the one that died.
            let scope = Scope::run(run_id.clone());
            let listed = provider().list(&scope).await.unwrap();
            assert_eq!(listed.len(), there.len(), "{death:?}: {calls:?}: {there:?} {listed:?}");
            assert_eq!(teardown(&run_id).await, there.len(), "{death:?}: {calls:?}");
        }
        if ended == 2 {
            break;
        }
    }
    assert!(crashes >= 2 * 10 && left_something >= 8, "{crashes} crashes, {left_something}");
}

/// Going on after the crash is as good as a first provision, wherever it was.
#[tokio::test]
async fn a_provision_after_a_crash_takes_up_what_is_there() {
    let _turn = Turn::take().await;
    for call in 1.. {
        let folder = tempfile::tempdir().unwrap();
        let run_id = new_run();
        let death = Death { call, after_effect: true };
        let (calls, died) = killed(folder.path(), &run_id, death).await;
        let changes = calls.last().is_some_and(|call| call.starts_with("POST"));
        if died && !changes {
            // What the next provision finds is the same as after the call before.
            teardown(&run_id).await;
            continue;
        }
        let journal = Arc::new(MemoryJournal::default());
        let deployment = provider().provision(&plan(&run_id, 1), journal).await.unwrap();
        assert_eq!(deployment.machines.len(), 1, "{calls:?}");
        let there = left(&run_id).await;
        assert_eq!(there.len(), 2, "a container and a network after {calls:?}: {there:?}");
        teardown(&run_id).await;
        if !died {
            break;
        }
    }
}
