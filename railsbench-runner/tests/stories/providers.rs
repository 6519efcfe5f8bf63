//! The provider's name changes nothing.

use railsbench_core::config::PROVIDERS;
use railsbench_core::id::ProviderName;
use serde_json::Value;

use crate::stub::{Fault, Stub, World};
use crate::world::{Running, Script, config, task};

/// Two tasks, the first with trouble on the way, the second one that fails: all calls but
/// heartbeats, with their bodies as far as they are the same each time.
async fn calls(provider: &str) -> Vec<(&'static str, Value)> {
    let script = Script::new(&format!(
        r#"{}
        if [ -e "$SHARED/second" ]; then exit 1; fi
        touch "$SHARED/second""#,
        crate::world::GOOD
    ));
    let provider = ProviderName::new(provider).unwrap();
    let tasks = [1, 2].map(|number| {
        let mut task = task(number);
        task.provider = provider.clone();
        task
    });
    let world = World::with_tasks(tasks)
        .fault("claim", [Fault::Status(503), Fault::LoseAnswer])
        .fault("put result", [Fault::Expire])
        .fault("complete", [Fault::Status(422)]);
    let stub = Stub::start(World { waits: 1, ..world });
    let mut config = config(&stub.url());
    config.provider = provider;
    Running::start_with(config, vec![script.workload()]).done().await;
    stub.assert_no_violation();
    let world = stub.world();
    let calls = world.calls.iter().filter(|call| call.name != "heartbeat");
    calls
        .map(|call| {
            let mut body = call.body.clone();
            match &mut body {
                Value::Object(fields) => {
                    for varying in ["provider", "runner", "sha256", "size"] {
                        fields.remove(varying);
                    }
                }
                // Archives hold times, and so differ by some bytes.
                _ => body = Value::Null,
            }
            (call.name, body)
        })
        .collect()
}

#[tokio::test]
async fn every_provider_is_treated_alike() {
    let expected = calls("local").await;
    let names: Vec<_> = expected.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "claim",
            "claim",
            "claim",
            "put result",
            "uploads",
            "put result",
            "complete",
            "put result",
            "complete",
            "claim",
            "put error",
            "fail",
            "claim",
            "claim"
        ]
    );
    let mut others = tokio::task::JoinSet::new();
    for provider in PROVIDERS {
        others.spawn(async move { (provider, calls(provider).await) });
    }
    for (provider, calls) in others.join_all().await {
        assert_eq!(calls, expected, "{provider}");
    }
}
