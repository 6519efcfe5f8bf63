//! Of two runners that ask for the only task, one gets it; the other is told to go.

use railsbench::protocol::EventKind;

use crate::support::{
    RunnerProcess, ServerProcess, assert_completed, ended_run, mock_config, run_id,
};
use futures::StreamExt;

#[tokio::test]
async fn one_task_is_done_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(&folder.path().join("server"), &[]);
    let id = run_id("race");
    let token = server.client.create_run(&mock_config(1), &id).await.unwrap().run_token.unwrap();
    let runners: Vec<_> = ["left", "right"]
        .map(|name| RunnerProcess::start(&server, "race", &token, name, folder.path()))
        .into_iter()
        .collect();
    assert_completed(&ended_run(&server.client, &id).await, 1);
    for runner in runners {
        assert_eq!(runner.exit_code().await, Some(0));
    }
    let events: Vec<_> = server.client.events(&id, 0).collect().await;
    let count = |wanted: fn(&EventKind) -> bool| {
        events.iter().filter(|event| wanted(&event.as_ref().unwrap().event.kind)).count()
    };
    assert_eq!(count(|kind| matches!(kind, EventKind::TaskClaimed { .. })), 1);
    assert_eq!(count(|kind| matches!(kind, EventKind::TaskCompleted { .. })), 1);
    assert_eq!(server.client.results(&id).await.unwrap().tasks.len(), 1);
}
