//! Heroku, as the emulator has it.

use railsbench_emulators::heroku::{Emulator, OPERATOR};

use super::{NOBODY, Operator, PlainOrchestrator, Told};

const MACHINES: &str = r#""heroku": ["standard-2x"]"#;

fn operator(emulator: &Emulator) -> Operator {
    let url = emulator.url();
    Operator::new(&[("HEROKU_API_URL", url.as_str()), ("HEROKU_API_KEY", OPERATOR)])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_at_heroku_is_said_before_anything_is_made() {
    let emulator = Emulator::start().await;
    let mut told = Told::default();
    let mistyped = operator(&emulator).run(r#""heroku": ["standard-3x"]"#).await;
    told.add("an unknown type", &mistyped);
    let unoffered = operator(&emulator).run(r#""heroku": ["performance-2xl"]"#).await;
    told.add("a size that Heroku does not offer any more", &unoffered);
    told.add(
        "a size for private spaces",
        &operator(&emulator).run(r#""heroku": ["private-s"]"#).await,
    );
    let regions = format!(r#"{MACHINES}, "regions": {{"heroku": "mars"}}"#);
    told.add("a region that there is not", &operator(&emulator).run(&regions).await);
    let nobody = operator(&emulator).without(&["HEROKU_API_KEY"]);
    told.add("no credentials", &nobody.run(MACHINES).await);
    let expired = operator(&emulator).with("HEROKU_API_KEY", "of-yesterday");
    told.add("expired credentials", &expired.run(MACHINES).await);
    let other = operator(&emulator).with("HEROKU_TEAM", "strangers");
    told.add("another team", &other.run(MACHINES).await);
    let away = operator(&emulator).with_orchestrator(&format!("https://{NOBODY}/"));
    told.add("an orchestrator that does not answer", &away.run(MACHINES).await);
    let plain = operator(&emulator);
    let orchestrator = PlainOrchestrator::start(&plain).await;
    let plain = orchestrator.for_operator(plain);
    told.add("an orchestrator without https", &plain.run(MACHINES).await);
    emulator.world().calls_left = 0;
    told.add("a quota of nothing", &operator(&emulator).run(MACHINES).await);
    emulator.world().calls_left = 4500;
    emulator.world().verified = false;
    told.add("an account that nobody pays for", &operator(&emulator).run(MACHINES).await);

    let changed: Vec<String> =
        emulator.calls().into_iter().filter(|call| !call.starts_with("GET ")).collect();
    assert!(changed.is_empty(), "{changed:?}");
    assert!(emulator.world().apps.is_empty());
    emulator.assert_no_mistakes();
    insta::assert_snapshot!("heroku", told.0);
}
