//! What preflight finds, and that it makes nothing.

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use railsbench_core::provider::{Check, Outcome, Plan, Provider};
use railsbench_emulators::aws::{Call, Fault};

use crate::world::{World, provider, request};

async fn checks(world: &World, plan: &Plan) -> Vec<Check> {
    let found = world.provider().preflight(plan).await.unwrap().checks;
    world.is_empty().await;
    found
}

/// All checks in words, one a line.
fn shown(checks: &[Check]) -> String {
    let line = |check: &Check| match &check.outcome {
        Outcome::Passed { detail } => format!("{}: passed: {detail}\n", check.name),
        Outcome::NeedsConsent { problem, command } => {
            format!("{}: needs consent: {problem}: {command}\n", check.name)
        }
        Outcome::Failed { problem, fix } => format!("{}: failed: {problem}: {fix}\n", check.name),
    };
    checks.iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_well() {
    let world = World::new().await;
    world.proxy.set_quota(8.0);
    let found = checks(&world, &world.plan("c7g.medium", 2)).await;
    insta::assert_snapshot!(shown(&found));
    let dry: Vec<Call> = world
        .proxy
        .calls()
        .into_iter()
        .filter(|call| ["RunInstances", "CreateSecurityGroup"].contains(&call.action.as_str()))
        .collect();
    assert_eq!(dry.len(), 2);
    assert!(dry.iter().all(|call| call.value("DryRun") == "true"), "{dry:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named_with_its_fix() {
    let world = World::new().await;
    world.proxy.set_quota(1.0);
    let mut found = String::new();
    found += &shown(&checks(&world, &world.plan("c7g.medium", 2)).await);

    world.proxy.offer("c6g.medium", &[]);
    let mut elsewhere = request(&world.run_id, "c6g.medium", 1);
    elsewhere.vars.orchestrator_url = "http://127.0.0.1:4000/".to_owned();
    found += "\n# a type that is offered nowhere\n";
    found += &shown(&checks(&world, &world.provider().plan(&elsewhere).unwrap()).await);

    elsewhere.region = Some("us-est-1".to_owned());
    elsewhere.vars.orchestrator_url = "http://bench.example.com/".to_owned();
    found += "\n# a region that there is not, an orchestrator without https\n";
    found += &shown(&checks(&world, &world.provider().plan(&elsewhere).unwrap()).await);

    let plan = world.plan("c7g.medium", 1);
    for (action, code) in [
        ("GetCallerIdentity", "ExpiredToken"),
        ("GetParameter", "AccessDeniedException"),
        ("DescribeInstanceTypeOfferings", "UnauthorizedOperation"),
        ("CreateSecurityGroup", "UnauthorizedOperation"),
        ("RunInstances", "UnauthorizedOperation"),
    ] {
        world.proxy.fail(1, Fault::Refuse(403, code), move |call| call.action == action);
        found.extend(["\n# ", code, " at ", action, "\n"]);
        found += &shown(&checks(&world, &plan).await);
    }
    insta::assert_snapshot!(found);
}

/// Who may not ask for quotas is not kept from running.
#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_not_known_is_no_failure() {
    let world = World::new().await;
    let found = checks(&world, &world.plan("c7g.medium", 1)).await;
    assert!(found.iter().all(|check| matches!(check.outcome, Outcome::Passed { .. })), "{found:?}");
    assert!(shown(&found).contains("quota: passed: not known"), "{found:?}");
}

/// What the chain does that finds nothing.
#[derive(Debug)]
struct Nobody;

impl ProvideCredentials for Nobody {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let none: provider::Result = Err(CredentialsError::not_loaded("the test has none"));
        future::ProvideCredentials::ready(none)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_credentials_are_named_with_the_fix() {
    let world = World::new().await;
    let nobody =
        provider(&world.proxy.url).with_credentials(SharedCredentialsProvider::new(Nobody));
    let plan = world.plan("c7g.medium", 1);
    let found = nobody.preflight(&plan).await.unwrap().checks;
    let said = shown(&found);
    assert!(said.contains("credentials: failed: there are no AWS credentials"), "{said}");
    assert!(said.contains("AWS_ACCESS_KEY_ID"), "{said}");
    assert_eq!(found.len(), 2, "nothing else was looked at: {said}");
    let error = nobody.list(&world.scope()).await.unwrap_err().to_string();
    assert!(error.contains("there are no AWS credentials"), "{error}");
    assert!(world.proxy.calls().is_empty());
}
