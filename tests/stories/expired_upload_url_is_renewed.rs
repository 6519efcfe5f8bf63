//! Benchmarks outlive any URL: a runner whose upload URL has ended asks for another.

use crate::support::{
    RunnerProcess, ServerProcess, assert_completed, ended_run, mock_config, run_id,
};

#[tokio::test]
async fn the_result_arrives_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    // A mock task takes longer than a second, so the URL that came with the claim has ended.
    let server =
        ServerProcess::start(&folder.path().join("server"), &["--upload-url-seconds", "1"]);
    let id = run_id("expired");
    let token = server.client.create_run(&mock_config(1), &id).await.unwrap().run_token.unwrap();
    let runner = RunnerProcess::start(&server, "expired", &token, "patient", folder.path());
    let run = ended_run(&server.client, &id).await;
    assert_completed(&run, 1);
    assert_eq!(run.tasks[0].failures, 0, "{run:#?}");
    assert_eq!(runner.exit_code().await, Some(0));
}
