//! A runner that dies in the middle of a task costs one attempt, not the result.

use railsbench::id::Attempt;
use railsbench::protocol::TaskStatus;

use crate::support::{
    RunnerProcess, ServerProcess, assert_completed, ended_run, mock_config, run_id, run_when,
};

#[tokio::test]
async fn the_task_is_requeued_and_finished() {
    let folder = tempfile::tempdir().unwrap();
    let short_leases = ["--heartbeat-seconds", "1", "--lease-seconds", "3"];
    let server = ServerProcess::start(&folder.path().join("server"), &short_leases);
    let id = run_id("killed");
    let token = server.client.create_run(&mock_config(1), &id).await.unwrap().run_token.unwrap();

    let mut first = RunnerProcess::start(&server, "killed", &token, "first", folder.path());
    run_when(&server.client, &id, "a running task", |run| {
        run.tasks[0].status == TaskStatus::Running
    })
    .await;
    first.kill();

    let second = RunnerProcess::start(&server, "killed", &token, "second", folder.path());
    let run = ended_run(&server.client, &id).await;
    assert_completed(&run, 1);
    assert_eq!(run.tasks[0].attempt, Attempt(2));
    assert_eq!(run.tasks[0].failures, 1);
    assert_eq!(run.tasks[0].runner_id.as_ref().unwrap().as_str(), "second");
    assert_eq!(second.exit_code().await, Some(0));
}
