//! `doctor` at the clouds, which are emulators on this host.

use railsbench_emulators::aws::Proxy;
use railsbench_emulators::moto::Moto;
use railsbench_emulators::{azure, gcp, heroku};
use std::fmt::Write as _;

use super::super::{Ran, json};
use super::Operator;

/// How long the random part of the name of a Heroku app is.
const RANDOM: usize = 10;

/// An operator whose orchestrator hands out runners for both architectures.
fn operator() -> Operator {
    let operator = Operator::new();
    for (target, machine) in [("x86_64", 62), ("aarch64", 183)] {
        let mut runner = vec![0; 64];
        runner[..6].copy_from_slice(b"\x7fELF\x02\x01");
        runner[18] = machine;
        operator.file(&format!("runners/railsbench-runner-{target}-unknown-linux-musl"), &runner);
    }
    operator
}

/// Runs it while the emulators of this process answer.
fn doctor(operator: &Operator, arguments: &[&str]) -> Ran {
    let all = [&["doctor", "--runners", "runners"], arguments].concat();
    tokio::task::block_in_place(|| operator.run(&all, b""))
}

/// All that was said by several calls, each with its exit code.
#[derive(Default)]
struct Told(String);

impl Told {
    fn add(&mut self, case: &str, ran: &Ran) {
        assert_eq!(ran.stderr, "", "{case}");
        let mut said = ran.stdout.clone();
        if let Some((_, rest)) = said.split_once("railsbencher-runner-") {
            let name = format!("railsbencher-runner-{}", &rest[..RANDOM]);
            said = said.replace(&name, "railsbencher-runner-[random]");
        }
        writeln!(self.0, "# {case}: exit {}\n{said}", ran.code).expect("a string takes all");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn aws() {
    let moto = Moto::start().await;
    let proxy = Proxy::start(moto.url.clone()).await;
    let nobody = operator().with("AWS_ENDPOINT_URL", proxy.url.as_str().trim_end_matches('/'));
    let mut told = Told::default();
    told.add("no credentials", &doctor(&nobody, &["aws"]));
    assert!(proxy.calls().is_empty(), "{:?}", proxy.calls());
    // What the AWS SDK warns of while it looks for credentials is for who asks for more.
    let nobody = nobody
        .with("AWS_EC2_METADATA_DISABLED", "false")
        .with("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
    assert_eq!(doctor(&nobody, &["aws"]).stderr, "");
    assert!(doctor(&nobody, &["aws", "-v"]).stderr.contains("WARN aws_config"));
    let operator = nobody.with("AWS_ACCESS_KEY_ID", "key").with("AWS_SECRET_ACCESS_KEY", "hush");
    proxy.set_quota(8.0);
    let ran = doctor(&operator, &["aws", "--type", "t3.micro"]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    told.add("all is well", &ran);
    told.add("a region that there is not", &doctor(&operator, &["aws", "--region", "us-est-1"]));
    proxy.set_quota(0.0);
    told.add("no quota", &doctor(&operator, &["aws", "--type", "t3.micro"]));
    assert_eq!(moto.everything("us-east-1").await, Vec::<String>::new());
    insta::assert_snapshot!("doctor_aws", told.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn azure() {
    let emulator = azure::Emulator::start().await;
    let nobody = operator().with("AZURE_RESOURCE_MANAGER_URL", emulator.url());
    let mut told = Told::default();
    told.add("nothing is set up", &doctor(&nobody, &["azure"]));
    assert!(emulator.world().calls.is_empty());
    let operator = nobody
        .with("AZURE_ACCESS_TOKEN", "given")
        .with("AZURE_SUBSCRIPTION_ID", azure::SUBSCRIPTION);
    let ran = doctor(&operator, &["azure", "--type", "Standard_D2ps_v5"]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    told.add("all is well", &ran);
    told.add("the cheapest type", &doctor(&operator, &["azure"]));
    let elsewhere = ["azure", "--type", "Standard_D2ps_v5", "--region", "east us"];
    told.add("a region that cannot be one", &doctor(&operator, &elsewhere));
    emulator.world().registered = false;
    let ran = doctor(&operator, &["azure", "--type", "Standard_D2ps_v5"]);
    told.add("nothing is registered", &ran);
    insta::assert_snapshot!("doctor_azure", told.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn gcp() {
    let emulator = gcp::Emulator::start().await;
    let host = emulator.url().trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let nobody = operator().with("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", emulator.url());
    let mut told = Told::default();
    told.add("nothing is set up", &doctor(&nobody, &["gcp"]));
    assert!(emulator.world().calls.is_empty());
    // Without a file, the metadata service of an instance is asked.
    let operator = nobody
        .without("GOOGLE_APPLICATION_CREDENTIALS")
        .with("GCE_METADATA_HOST", &host)
        .with("GOOGLE_CLOUD_PROJECT", gcp::PROJECT);
    let ran = doctor(&operator, &["gcp", "--type", "e2-micro"]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    told.add("all is well", &ran);
    emulator.world().networks.clear();
    told.add("no network", &doctor(&operator, &["gcp", "--type", "e2-micro"]));
    insta::assert_snapshot!("doctor_gcp", told.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn heroku() {
    let emulator = heroku::Emulator::start().await;
    let nobody = operator().with("HEROKU_API_URL", &emulator.url());
    let mut told = Told::default();
    told.add("nobody is logged in", &doctor(&nobody, &["heroku"]));
    let operator = nobody.with("HEROKU_API_KEY", heroku::OPERATOR);
    let ran = doctor(&operator, &["heroku", "--type", "standard-2x"]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    told.add("all is well", &ran);
    emulator.world().verified = false;
    told.add("an account that may not", &doctor(&operator, &["heroku", "--region", "mars"]));
    emulator.assert_no_mistakes();
    insta::assert_snapshot!("doctor_heroku", told.0);
}

/// Heroku and Azure as they are: an orchestrator on this host is out of their reach, and one that
/// does not answer is found out first. Nobody is called but the orchestrator.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_of_a_plan_is_a_finding() {
    let arm = ["--type", if cfg!(target_arch = "x86_64") { "c7g.medium" } else { "c7i.large" }];
    let operator = Operator::new();
    let mut told = Told::default();
    let plain = |arguments: &[&str]| operator.run(&[&["doctor"], arguments].concat(), b"");
    let ran = plain(&[&["aws", "--json"], &arm[..]].concat());
    let found = json(&ran.stdout);
    let checks = found["providers"][0]["checks"].as_array().unwrap();
    let of = |name: &str| checks.iter().find(|check| check["name"] == name).unwrap();
    assert_eq!((ran.code, &of("runner")["outcome"]), (3, &"failed".into()), "{found}");
    assert!(of("runner")["fix"].as_str().unwrap().contains("cargo build"), "{found}");
    assert!(of("orchestrator")["problem"].as_str().unwrap().contains("is this host"), "{found}");
    let ran = doctor(&super::doctor::operator(), &["heroku"]);
    told.add("heroku without an orchestrator", &ran);
    let ran = plain(&["azure", "--orchestrator", "http://127.0.0.1:1", "--json"]);
    assert_eq!(ran.code, 3);
    let found = json(&ran.stdout);
    assert_eq!(found["orchestrator"][0]["outcome"], "failed", "{found}");
    insta::assert_snapshot!("doctor_without_a_plan", told.0);
}

/// Without a provider, those that are set up are looked at, and the others are named.
#[tokio::test(flavor = "multi_thread")]
async fn all_that_are_set_up() {
    let emulator = heroku::Emulator::start().await;
    let operator =
        operator().with("HEROKU_API_URL", &emulator.url()).with("HEROKU_API_KEY", heroku::OPERATOR);
    let ran = doctor(&operator, &["--json"]);
    let found = json(&ran.stdout);
    let names: Vec<&str> = found["providers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|examined| examined["provider"].as_str().unwrap())
        .collect();
    // This host has no shell on the PATH of the test.
    assert_eq!((ran.code, names), (3, vec!["docker", "heroku", "local"]), "{found}");
    assert_eq!(found["not_configured"], serde_json::json!(["aws", "azure", "gcp"]));
    let local = found["providers"][2]["checks"].as_array().unwrap();
    assert!(local.iter().any(|check| check["outcome"] == "failed"), "{found}");
    let text = doctor(&operator, &[]).stdout;
    assert!(text.contains("settings are missing: aws, azure, gcp;"), "{text}");
}
