//! The server dies without warning while tasks are under way; started again, it goes on where it
//! was, and the runners with it.

use futures::StreamExt;
use railsbench::lifecycle::Replay;
use railsbench::protocol::TaskStatus;

use crate::support::{
    RunnerProcess, ServerProcess, assert_completed, ended_run, mock_config, run_id, run_when,
};

#[tokio::test]
async fn nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = ServerProcess::start(&folder.path().join("server"), &[]);
    let id = run_id("restart");
    let token = server.client.create_run(&mock_config(3), &id).await.unwrap().run_token.unwrap();
    let runner = RunnerProcess::start(&server, "restart", &token, "steady", folder.path());

    for round in 1..=2 {
        run_when(&server.client, &id, "a running task", |run| {
            run.tasks.iter().any(|task| task.status == TaskStatus::Running)
                && run.summary.task_counts.completed + 1 >= round
        })
        .await;
        let before: Vec<_> = collect_now(&server, &id).await;
        server.kill();
        server.restart();
        let after = collect_now(&server, &id).await;
        assert_eq!(before, after[..before.len()], "an event that was told is gone or changed");
    }

    let run = ended_run(&server.client, &id).await;
    assert_completed(&run, 3);
    // The runner held its tasks all along: no attempt was lost to the restarts.
    assert!(run.tasks.iter().all(|task| task.failures == 0), "{run:#?}");
    assert_eq!(runner.exit_code().await, Some(0));

    let mut replay = Replay::default();
    let mut events = server.client.events(&id, 0);
    while let Some(event) = events.next().await {
        replay.push(&event.unwrap()).unwrap();
    }
    assert_eq!(replay.run.counts, run.summary.task_counts);
}

/// The events there are now, without waiting for more.
async fn collect_now(
    server: &ServerProcess,
    id: &railsbench::id::RunId,
) -> Vec<railsbench::protocol::EventRecord> {
    let mut events = server.client.events(id, 0);
    let mut seen = Vec::new();
    // The past comes at once; a pause means that it is over.
    let pause = std::time::Duration::from_millis(300);
    while let Ok(Some(event)) = tokio::time::timeout(pause, events.next()).await {
        seen.push(event.unwrap());
    }
    seen
}
