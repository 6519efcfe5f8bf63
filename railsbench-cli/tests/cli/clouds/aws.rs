//! AWS, as moto and a proxy before it have it.

use railsbench_emulators::aws::{Call, Fault, Proxy};
use railsbench_emulators::moto::Moto;

use super::{NOBODY, Operator, PlainOrchestrator, Told};

const KEYS: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
const MACHINES: &str = r#""aws": ["t3.micro"]"#;

fn operator(proxy: &Proxy) -> Operator {
    Operator::new(&[
        ("AWS_ENDPOINT_URL", proxy.url.as_str().trim_end_matches('/')),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        (KEYS[0], "a-key-id"),
        (KEYS[1], "a-secret"),
    ])
}

fn changes(call: &Call) -> bool {
    let looks = ["Describe", "Get"].iter().any(|word| call.action.starts_with(word));
    !looks && call.value("DryRun") != "true"
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_at_aws_is_said_before_anything_is_made() {
    let moto = Moto::start().await;
    let proxy = Proxy::start(moto.url.clone()).await;
    let mut told = Told::default();
    told.add("an unknown type", &operator(&proxy).run(r#""aws": ["t3.mirco"]"#).await);
    told.add(
        "a type that the region does not offer",
        &operator(&proxy).run(r#""aws": ["c9i.large"]"#).await,
    );
    let regions = format!(r#"{MACHINES}, "regions": {{"aws": "us-est-1"}}"#);
    told.add("a region that there is not", &operator(&proxy).run(&regions).await);
    told.add("no credentials", &operator(&proxy).without(&KEYS).run(MACHINES).await);
    let profile = operator(&proxy).without(&KEYS).with("AWS_PROFILE", "work");
    told.add("a profile that there is not", &profile.run(MACHINES).await);
    let identity = |call: &Call| call.action == "GetCallerIdentity";
    proxy.fail(1, Fault::Refuse(403, "ExpiredToken"), identity);
    told.add("expired credentials", &operator(&proxy).run(MACHINES).await);
    proxy
        .fail(1, Fault::Refuse(403, "UnauthorizedOperation"), |call| call.action == "RunInstances");
    told.add("an account that may not", &operator(&proxy).run(MACHINES).await);
    let away = operator(&proxy).with_orchestrator(&format!("https://{NOBODY}/"));
    told.add("an orchestrator that does not answer", &away.run(MACHINES).await);
    let plain = operator(&proxy);
    let orchestrator = PlainOrchestrator::start(&plain).await;
    let plain = orchestrator.for_operator(plain);
    told.add("an orchestrator without https", &plain.run(MACHINES).await);
    proxy.set_quota(0.0);
    told.add("a quota of nothing", &operator(&proxy).run(MACHINES).await);

    let changed: Vec<Call> = proxy.calls().into_iter().filter(changes).collect();
    assert!(changed.is_empty(), "{changed:?}");
    assert_eq!(moto.everything("us-east-1").await, Vec::<String>::new());
    insta::assert_snapshot!("aws", told.0);
}
