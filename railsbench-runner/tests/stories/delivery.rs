//! Bringing a result home, whatever the way there is like.

use crate::stub::{Fault, Stub, World};
use crate::world::{GOOD, Running, Script, task};

async fn deliver(world: World) -> Stub {
    let script = Script::new(GOOD);
    let stub = Stub::start(world);
    Running::start(&stub, vec![script.workload()]).done().await;
    stub.assert_no_violation();
    stub
}

#[tokio::test]
async fn an_upload_url_that_has_ended_is_replaced() {
    let world = World::with_tasks([task(1)]).fault("put result", [Fault::Expire, Fault::Expire]);
    let stub = deliver(world).await;
    assert_eq!(
        stub.names(),
        [
            "claim",
            "put result",
            "uploads",
            "put result",
            "uploads",
            "put result",
            "complete",
            "claim"
        ]
    );
    assert_eq!(stub.world().results.len(), 1);
}

#[tokio::test]
async fn an_artifact_store_that_is_down_is_waited_for() {
    let down = [Fault::Status(503), Fault::Status(503)];
    let stub = deliver(World::with_tasks([task(1)]).fault("put result", down)).await;
    let put = "put result";
    assert_eq!(stub.names(), ["claim", put, put, put, "complete", "claim"]);
}

#[tokio::test]
async fn refusals_between_outages_do_not_add_up() {
    let faults = [
        Fault::Expire,
        Fault::Status(503),
        Fault::Expire,
        Fault::Status(503),
        Fault::Expire,
        Fault::Status(503),
        Fault::Expire,
    ];
    let stub = deliver(World::with_tasks([task(1)]).fault("put result", faults)).await;
    assert_eq!(stub.world().results.len(), 1);
}

#[tokio::test]
async fn a_store_that_always_refuses_fails_the_attempt_but_not_for_good() {
    let refusals = [Fault::Status(400), Fault::Status(409), Fault::Status(400)];
    let stub = deliver(World::with_tasks([task(1)]).fault("put result", refusals)).await;
    let fail = &stub.bodies("fail")[0];
    assert_eq!(fail["error_type"], "upload_failed");
    assert_eq!(fail["retryable"], true);
    assert!(!fail.to_string().contains("signature"), "{fail}");
}

#[tokio::test]
async fn a_rejected_result_is_uploaded_once_more() {
    let world = World::with_tasks([task(1)]).fault("complete", [Fault::Status(422)]);
    let stub = deliver(world).await;
    assert_eq!(
        stub.names(),
        ["claim", "put result", "complete", "put result", "complete", "claim"]
    );
}

#[tokio::test]
async fn a_result_that_is_rejected_twice_fails_the_attempt() {
    let rejected = [Fault::Status(422), Fault::Status(422)];
    let stub = deliver(World::with_tasks([task(1)]).fault("complete", rejected)).await;
    let fail = &stub.bodies("fail")[0];
    assert_eq!(fail["error_type"], "result_rejected");
    assert_eq!(fail["retryable"], true);
    assert_eq!(stub.world().error_archives.len(), 1);
}

#[tokio::test]
async fn a_lost_complete_answer_is_asked_for_again() {
    let world = World::with_tasks([task(1)]).fault("complete", [Fault::LoseAnswer]);
    let stub = deliver(world).await;
    assert_eq!(stub.names(), ["claim", "put result", "complete", "complete", "claim"]);
    assert_eq!(stub.world().results.len(), 1);
}

#[tokio::test]
async fn a_result_of_an_expired_lease_is_delivered_all_the_same() {
    let script = Script::new(GOOD);
    let down = std::iter::repeat_n(Fault::Status(503), 4);
    let stub = Stub::start(World::with_tasks([task(1)]).fault("put result", down));
    let runner = Running::start(&stub, vec![script.workload()]);
    let uploads = |world: &World| world.calls.iter().filter(|c| c.name == "put result").count();
    stub.until("the first upload", |world| uploads(world) > 0).await;
    stub.world().faults.entry("heartbeat").or_default().push_back(Fault::Status(409));
    stub.until("the heartbeat was told", |world| world.faults["heartbeat"].is_empty()).await;
    runner.done().await;
    stub.assert_no_violation();
    assert_eq!(stub.world().results.len(), 1);
}

#[tokio::test]
async fn told_to_stop_it_gives_up_an_upload_that_does_not_get_through() {
    let script = Script::new(GOOD);
    let down = std::iter::repeat_n(Fault::Status(503), 1000);
    let stub = Stub::start(World::with_tasks([task(1)]).fault("put result", down));
    let runner = Running::start(&stub, vec![script.workload()]);
    stub.until("the first upload", |world| world.calls.iter().any(|c| c.name == "put result"))
        .await;
    stub.world().directive = Some(railsbench_core::protocol::Directive::Stop);
    runner.done().await;
    stub.assert_no_violation();
    assert!(stub.world().results.is_empty());
}

#[tokio::test]
async fn a_result_that_is_too_large_is_not_sent() {
    let world = World { max_bytes: Some(100), ..World::with_tasks([task(1)]) };
    let stub = deliver(world).await;
    assert_eq!(stub.names(), ["claim", "fail", "claim"]);
    let fail = &stub.bodies("fail")[0];
    assert_eq!(fail["error_type"], "workload_result_too_large");
    assert_eq!(fail["retryable"], false);
}

#[tokio::test]
async fn a_result_whose_task_is_lost_is_dropped() {
    for (call, status) in [("complete", 409), ("complete", 403), ("complete", 404)] {
        let world = World::with_tasks([task(1)]).fault(call, [Fault::Status(status)]);
        let script = Script::new(GOOD);
        let stub = Stub::start(world);
        // The stub hands the same task out again, as its lease still holds.
        Running::start(&stub, vec![script.workload()]).done().await;
        stub.assert_no_violation();
        let once = ["claim", "put result", "complete"];
        assert_eq!(stub.names(), [once.as_slice(), &once, &["claim"]].concat(), "{status}");
    }
}
