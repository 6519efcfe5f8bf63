//! Google Cloud, as the emulator has it.

use railsbench_emulators::gcp::{Emulator, PROJECT};
use url::Url;

use super::{NOBODY, Operator, PlainOrchestrator, Told};

const CREDENTIALS: &str = "GOOGLE_APPLICATION_CREDENTIALS";
const MACHINES: &str = r#""gcp": ["e2-micro"]"#;

/// One who has logged in, with this refresh token.
fn logged_in(emulator: &Emulator, refresh_token: &str) -> Operator {
    let operator = Operator::new(&[
        ("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", emulator.url()),
        ("GOOGLE_CLOUD_PROJECT", PROJECT),
        // No test may ask the metadata service of the machine that it runs on.
        ("GCE_METADATA_HOST", NOBODY),
    ]);
    let url: Url = emulator.url().parse().unwrap();
    let token_uri = url.join("/token").unwrap();
    let file = format!(
        r#"{{"type": "authorized_user", "client_id": "a client", "client_secret": "a secret",
            "refresh_token": "{refresh_token}", "token_uri": "{token_uri}"}}"#
    );
    let path = operator.file("credentials.json", &file);
    operator.with(CREDENTIALS, &path)
}

fn operator(emulator: &Emulator) -> Operator {
    logged_in(emulator, "good")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_at_google_is_said_before_anything_is_made() {
    let emulator = Emulator::start().await;
    let mut told = Told::default();
    told.add("an unknown type", &operator(&emulator).run(r#""gcp": ["e2-mirco"]"#).await);
    let unoffered = operator(&emulator).run(r#""gcp": ["e2-small"]"#).await;
    told.add("a type that the region does not offer", &unoffered);
    let regions = format!(r#"{MACHINES}, "regions": {{"gcp": "us-central9"}}"#);
    told.add("a region that there is not", &operator(&emulator).run(&regions).await);
    let nobody = operator(&emulator).without(&[CREDENTIALS]);
    told.add("no credentials", &nobody.run(MACHINES).await);
    told.add("expired credentials", &logged_in(&emulator, "old").run(MACHINES).await);
    let unnamed = operator(&emulator).without(&["GOOGLE_CLOUD_PROJECT"]);
    told.add("no project", &unnamed.run(MACHINES).await);
    let other = operator(&emulator).with("GOOGLE_CLOUD_PROJECT", "bench-2");
    told.add("another project", &other.run(MACHINES).await);
    let away = operator(&emulator).with_orchestrator(&format!("https://{NOBODY}/"));
    told.add("an orchestrator that does not answer", &away.run(MACHINES).await);
    let plain = operator(&emulator);
    let orchestrator = PlainOrchestrator::start(&plain).await;
    let plain = orchestrator.for_operator(plain);
    told.add("an orchestrator without https", &plain.run(MACHINES).await);
    for (_, limit, _) in &mut emulator.world().quotas {
        *limit = 0.0;
    }
    told.add("a quota of nothing", &operator(&emulator).run(MACHINES).await);

    let world = emulator.world();
    let looks = [".get", ".getFromFamily", ".list"];
    let changes = |call: &&String| {
        let method = call.split(' ').next().unwrap_or_default();
        !looks.iter().any(|look| method.ends_with(look))
    };
    let unwanted: Vec<&String> = world.calls.iter().filter(changes).collect();
    assert!(unwanted.is_empty(), "{unwanted:?}");
    assert_eq!(world.everything(), Vec::<String>::new());
    assert_eq!(world.offences, Vec::<String>::new());
    drop(world);
    insta::assert_snapshot!("gcp", told.0);
}
