//! The script that is shown as user data does what the calls do.

use std::collections::BTreeSet;
use std::process::Command;

use bollard::models::ContainerInspectResponse;
use railsbench_core::provider::{Plan, Provider, UserDataVars};
use serde_json::{Value, json};

use crate::fixture::{Turn, docker, inspect, new_run, provider, provision, request, teardown};

/// All that is asked for of a container and its network, without what is new each time.
async fn asked_for(name: &str) -> Value {
    let found: ContainerInspectResponse = inspect(name).await;
    let network = found.host_config.as_ref().unwrap().network_mode.clone().unwrap();
    let network = docker().await.inspect_network(&network, None).await.unwrap();
    let config = found.config.unwrap();
    let mut environment = config.env.unwrap();
    environment.sort();
    let labels = config.labels.unwrap().into_keys().filter(|name| name != "railsbench-owner");
    let labels: BTreeSet<String> = labels.collect();
    let mut limits = serde_json::to_value(found.host_config.unwrap()).unwrap();
    limits["NetworkMode"] = network.name.clone().into();
    // A daemon keeps what was left out as it was sent: as nothing, or as an empty value.
    limits.as_object_mut().unwrap().retain(|_, value| !is_nothing(value));
    json!({
        "environment": environment,
        "image": config.image,
        "user": config.user,
        "entrypoint": config.entrypoint,
        "arguments": config.cmd,
        "workdir": config.working_dir,
        "labels": labels,
        "limits": limits,
        "network": [network.name, network.driver],
        "network_options": network.options,
        "network_is_internal": network.internal,
    })
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => matches!(number.as_i64(), Some(-1 | 0)),
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.iter().all(is_nothing),
        Value::Object(values) => values.is_empty(),
    }
}

fn plan(ca: bool) -> Plan {
    let run_id = new_run();
    let mut request = request(&run_id, "1c1g", 1);
    if ca {
        let pem = "-----BEGIN CERTIFICATE-----\nMIIBAAAA\n-----END CERTIFICATE-----\n";
        request.vars = UserDataVars { ca_certificate: Some(pem.parse().unwrap()), ..request.vars };
    }
    provider().plan(&request).unwrap()
}

#[tokio::test]
async fn the_script_does_what_the_calls_do() {
    let _turn = Turn::take().await;
    for ca in [false, true] {
        let plan = plan(ca);
        let name = plan.machines[0].name.as_str();
        provision(&plan).await.unwrap();
        let by_calls = asked_for(name).await;
        let cpus = by_calls["limits"]["CpusetCpus"].as_str().unwrap().to_owned();
        teardown(&plan.run_id).await;

        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("user-data.sh");
        std::fs::write(&script, plan.user_data.expose()).unwrap();
        let output = Command::new("sh").arg(&script).args([name, &cpus]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "this test needs the command docker: {said}");
        let by_script = asked_for(name).await;
        teardown(&plan.run_id).await;
        assert_eq!(by_calls, by_script, "with a CA: {ca}");
    }
}
