//! Killing the process that provisions, at each call that it makes.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use railsbench_core::id::RunId;
use railsbench_core::provider::Provider;
use railsbench_emulators::aws::Moment;
use railsbench_providers::FileJournal;

use crate::world::{REGION, World, provider, request};

const TYPE: &str = "c7g.medium";
const MACHINES: u32 = 2;

/// Not a test: what the test below starts as a process of its own.
#[tokio::test]
#[ignore = "it is started by a_crash_at_any_call_leaves_nothing_that_a_teardown_misses"]
async fn provision_and_die() {
    let variable = |name| std::env::var(name).expect("it is set by the test that starts this");
    let provider = provider(&variable("TEST_ENDPOINT").parse().unwrap());
    let run_id = RunId::new(variable("TEST_RUN_ID")).unwrap();
    let plan = provider.plan(&request(&run_id, TYPE, MACHINES)).unwrap();
    let journal = FileJournal::open(&PathBuf::from(variable("TEST_JOURNAL"))).unwrap();
    provider.provision(&plan, Arc::new(journal)).await.unwrap();
}

/// Provisions in another process, which is killed at a call; says whether it was.
async fn provision(world: &World, journal: &PathBuf, number: usize, moment: Moment) -> bool {
    world.proxy.kill_at(number, moment);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crashes::provision_and_die", "--ignored"])
        .env("TEST_ENDPOINT", world.proxy.url.as_str())
        .env("TEST_RUN_ID", world.run_id.as_str())
        .env("TEST_JOURNAL", journal)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    world.proxy.victim(child.id());
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    world.proxy.kill_no_more();
    assert!(status.success() || status.signal() == Some(9), "{status}");
    status.signal() == Some(9)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_call_leaves_nothing_that_a_teardown_misses() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let mut deaths = 0;
    for moment in [Moment::Before, Moment::After] {
        for number in 1.. {
            let journal = folder.path().join(format!("{moment:?}-{number}.jsonl"));
            let died = provision(&world, &journal, number, moment).await;
            let calls: Vec<String> =
                world.proxy.calls().into_iter().map(|call| call.action).collect();
            if !died {
                assert!(number > calls.len(), "{calls:?}");
                let made = world.moto.instances(REGION).await.len();
                assert_eq!(made, MACHINES as usize);
                world.teardown().await;
                break;
            }
            deaths += 1;
            // From nothing: neither memory nor journal.
            world.teardown().await;

            // With the journal of the dead: what its calls have made is taken over, once.
            let died = provision(&world, &journal, number, moment).await;
            assert!(died, "the journal of another run does no harm: {calls:?}");
            let plan = world.plan(TYPE, MACHINES);
            let journal = Arc::new(FileJournal::open(&journal).unwrap());
            let deployment = world.provider().provision(&plan, journal).await.unwrap();
            let made = world.moto.instances(REGION).await.len();
            assert_eq!(
                made, MACHINES as usize,
                "after {calls:?}, {moment:?} the last: {deployment:?}"
            );
            world.teardown().await;
        }
    }
    assert!(deaths >= 2 * 10, "only {deaths} calls");
}
