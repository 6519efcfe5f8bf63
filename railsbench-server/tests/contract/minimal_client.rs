//! The smallest client: four calls, form bodies, no ids.

use reqwest::StatusCode;

use crate::support::{Bench, OPERATOR, good_archive};

#[tokio::test]
async fn four_calls_with_forms_and_no_ids_do_the_whole_job() {
    let bench = Bench::start().await;
    let token = bench.run("1732470000", 2).await;
    let claim = [("provider", "local"), ("instance_type", "host")];
    for number in 1..=2 {
        let claimed =
            bench.form("/runs/1732470000/tasks/claim", &token, &claim).await.expect(StatusCode::OK);
        assert_eq!(claimed["status"], "assigned");
        assert_eq!(claimed["run_number"], number);
        let task = claimed["task_id"].as_str().unwrap();

        let beat = [("status", "running"), ("progress_pct", "50"), ("current_benchmark", "boot")];
        let heard = bench.form(&format!("/tasks/{task}/heartbeat"), &token, &beat).await;
        let heard = heard.expect(StatusCode::OK);
        assert_eq!(heard["message"], "Heartbeat received");
        assert_eq!(heard["directive"], "continue");

        let stored = bench.put(claimed["upload_url"].as_str().unwrap(), good_archive()).await;
        stored.expect(StatusCode::OK);
        let ended = bench.form(&format!("/tasks/{task}/complete"), &token, &[]).await;
        ended.expect(StatusCode::OK);
    }
    let done =
        bench.form("/runs/1732470000/tasks/claim", &token, &claim).await.expect(StatusCode::OK);
    assert_eq!(done["status"], "done");
    let run = bench.get("/runs/1732470000").await.expect(StatusCode::OK);
    assert_eq!(run["status"], "completed");
    assert_eq!(run["task_counts"]["completed"], 2);
    assert_eq!(run["tasks"][0]["progress_pct"], 100.0);
}

#[tokio::test]
async fn a_form_can_fail_a_task() {
    let bench = Bench::start().await;
    let token = bench.run("r", 1).await;
    let claim = [("provider", "local"), ("instance_type", "host")];
    let claimed = bench.form("/runs/r/tasks/claim", &token, &claim).await.expect(StatusCode::OK);
    let task = claimed["task_id"].as_str().unwrap();
    let failure = [("error_type", "workload_crashed"), ("error_message", "exit code 1")];
    bench.form(&format!("/tasks/{task}/fail"), &token, &failure).await.expect(StatusCode::OK);
    let run = bench.get("/runs/r").await.expect(StatusCode::OK);
    assert_eq!(run["status"], "failed");
    assert_eq!(run["tasks"][0]["message"], "workload_crashed: exit code 1");
}

#[tokio::test]
async fn the_operator_token_works_for_runners_too() {
    let bench = Bench::start().await;
    bench.run("r", 1).await;
    let claim = [("provider", "local"), ("instance_type", "host")];
    let claimed = bench.form("/runs/r/tasks/claim", OPERATOR, &claim).await.expect(StatusCode::OK);
    assert_eq!(claimed["status"], "assigned");
}
