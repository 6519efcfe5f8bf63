//! Azure, as the emulator has it.

use railsbench_emulators::azure::{Emulator, SUBSCRIPTION};

use super::{NOBODY, Operator, PlainOrchestrator, Told};

const MACHINES: &str = r#""azure": ["Standard_D4s_v5"]"#;

fn operator(emulator: &Emulator) -> Operator {
    Operator::new(&[
        ("AZURE_RESOURCE_MANAGER_URL", emulator.url()),
        ("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION),
        ("AZURE_ACCESS_TOKEN", "given"),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_at_azure_is_said_before_anything_is_made() {
    let emulator = Emulator::start().await;
    let mut told = Told::default();
    let mistyped = operator(&emulator).run(r#""azure": ["Standard_D4sv5"]"#).await;
    told.add("an unknown type", &mistyped);
    let unoffered = operator(&emulator).run(r#""azure": ["Standard_D2s_v9"]"#).await;
    told.add("a type that the region does not offer", &unoffered);
    let barred = operator(&emulator).run(r#""azure": ["Standard_D8s_v3"]"#).await;
    told.add("a type that the subscription may not have", &barred);
    let nobody = operator(&emulator).without(&["AZURE_ACCESS_TOKEN"]);
    told.add("no credentials", &nobody.run(MACHINES).await);
    let expired = operator(&emulator).with("AZURE_ACCESS_TOKEN", "of-yesterday");
    told.add("expired credentials", &expired.run(MACHINES).await);
    let unnamed = operator(&emulator).without(&["AZURE_SUBSCRIPTION_ID"]);
    told.add("no subscription", &unnamed.run(MACHINES).await);
    let other = "11111111-1111-1111-1111-111111111111";
    let other = operator(&emulator).with("AZURE_SUBSCRIPTION_ID", other);
    told.add("another subscription", &other.run(MACHINES).await);
    let away = operator(&emulator).with_orchestrator(&format!("https://{NOBODY}/"));
    told.add("an orchestrator that does not answer", &away.run(MACHINES).await);
    let plain = operator(&emulator);
    let orchestrator = PlainOrchestrator::start(&plain).await;
    let plain = orchestrator.for_operator(plain);
    told.add("an orchestrator without https", &plain.run(MACHINES).await);
    emulator.world().free_vcpus = 0;
    told.add("a quota of nothing", &operator(&emulator).run(MACHINES).await);

    let world = emulator.world();
    let changed: Vec<_> = world.calls.iter().filter(|(method, ..)| method != "GET").collect();
    assert!(changed.is_empty(), "{changed:?}");
    assert!(world.groups.is_empty() && world.resources.is_empty());
    insta::assert_snapshot!("azure", told.0);
}
