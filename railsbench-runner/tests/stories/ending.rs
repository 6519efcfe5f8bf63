//! How a runner ends before its work does.

use std::time::Duration;

use railsbench_runner::agent::Ending;

use crate::interruption::until_file;
use crate::stub::{Fault, Stub, World};
use crate::world::{GOOD, Running, Script, config, task};

const WAITS: &str = r#"sleep 1000 & echo $! > "$SHARED/child"; wait"#;

#[tokio::test]
async fn told_to_end_it_gives_the_task_back() {
    let script = Script::new(WAITS);
    let stub = Stub::start(World::with_tasks([task(1)]));
    let runner = Running::start(&stub, vec![script.workload()]);
    until_file(&script, "child").await;
    runner.shutdown.cancel();
    assert_eq!(runner.end().await.unwrap(), Ending::Stopped);
    script.assert_gone("child");
    stub.assert_no_violation();
    assert_eq!(stub.names(), ["claim", "release"]);
}

#[tokio::test]
async fn its_lifetime_over_it_gives_the_task_back() {
    let script = Script::new(WAITS);
    let stub = Stub::start(World::with_tasks([task(1)]));
    let mut config = config(&stub.url());
    config.max_lifetime = Some(Duration::from_secs(2));
    let runner = Running::start_with(config, vec![script.workload()]);
    assert_eq!(runner.end().await.unwrap(), Ending::LifetimeOver);
    script.assert_gone("child");
    stub.assert_no_violation();
    assert_eq!(stub.names(), ["claim", "release"]);
}

#[tokio::test]
async fn its_lifetime_ends_also_while_no_server_answers() {
    let down = std::iter::repeat_n(Fault::Status(503), 1000);
    let stub = Stub::start(World::default().fault("claim", down));
    let mut config = config(&stub.url());
    config.max_lifetime = Some(Duration::from_secs(1));
    let runner = Running::start_with(config, Vec::new());
    assert_eq!(runner.end().await.unwrap(), Ending::LifetimeOver);
}

#[tokio::test]
async fn told_to_end_a_result_that_is_nearly_home_still_gets_there() {
    let script = Script::new(GOOD);
    let world = World::with_tasks([task(1)]).fault("put result", [Fault::Status(503)]);
    let stub = Stub::start(world);
    let runner = Running::start(&stub, vec![script.workload()]);
    stub.until("the first upload", |world| {
        world.calls.iter().any(|call| call.name == "put result")
    })
    .await;
    runner.shutdown.cancel();
    assert_eq!(runner.end().await.unwrap(), Ending::Stopped);
    stub.assert_no_violation();
    assert_eq!(stub.names(), ["claim", "put result", "put result", "complete"]);
}

#[tokio::test]
async fn told_to_end_a_result_that_does_not_get_through_is_given_back() {
    let script = Script::new(GOOD);
    let down = std::iter::repeat_n(Fault::Status(503), 1000);
    let world = World::with_tasks([task(1)]).fault("put result", down);
    let stub = Stub::start(world);
    let runner = Running::start(&stub, vec![script.workload()]);
    stub.until("the first upload", |world| {
        world.calls.iter().any(|call| call.name == "put result")
    })
    .await;
    runner.shutdown.cancel();
    assert_eq!(runner.end().await.unwrap(), Ending::Stopped);
    stub.assert_no_violation();
    assert_eq!(stub.names().last(), Some(&"release"));
}
