//! The published contract.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::Value;

use crate::support::Bench;

/// Every call of the contract.
pub const CALLS: [(&str, &str); 38] = [
    ("get", "/"),
    ("get", "/alerts"),
    ("get", "/artifacts/{key}"),
    ("put", "/artifacts/{key}"),
    ("get", "/assets/dashboard.css"),
    ("get", "/assets/dashboard.js"),
    ("post", "/connectivity/upload"),
    ("get", "/connectivity/upload/{id}"),
    ("get", "/dashboard/runs/{id}"),
    ("get", "/health"),
    ("get", "/login"),
    ("post", "/login"),
    ("post", "/login-links"),
    ("post", "/logout"),
    ("get", "/metrics"),
    ("get", "/openapi.json"),
    ("get", "/ready"),
    ("get", "/runner/{target}"),
    ("get", "/runs"),
    ("post", "/runs"),
    ("get", "/runs/{id}"),
    ("get", "/runs/{id}/events"),
    ("get", "/runs/{id}/results"),
    ("get", "/runs/{id}/results.tar.gz"),
    ("post", "/runs/{id}/stop"),
    ("get", "/runs/{id}/tasks"),
    ("post", "/runs/{id}/tasks/claim"),
    ("post", "/runs/{id}/token"),
    ("post", "/tasks/{id}/complete"),
    ("post", "/tasks/{id}/fail"),
    ("post", "/tasks/{id}/heartbeat"),
    ("get", "/tasks/{id}/log"),
    ("post", "/tasks/{id}/release"),
    ("post", "/tasks/{id}/uploads"),
    ("get", "/tokens"),
    ("post", "/tokens"),
    ("delete", "/tokens/{name}"),
    ("get", "/up"),
];

pub fn calls(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(|method| (method.clone(), path.clone())).collect::<Vec<_>>()
        })
        .collect()
}

#[tokio::test]
async fn the_document_has_every_call_and_resolves() {
    let bench = Bench::start().await;
    let document = bench.get("/openapi.json").await.expect(StatusCode::OK);
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    let expected: BTreeSet<_> =
        CALLS.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(calls(&document), expected);
    resolve(&document, &document);
    for (method, path) in calls(&document) {
        let operation = &document["paths"][&path][&method];
        assert!(operation["summary"].is_string() || operation["description"].is_string(), "{path}");
        assert!(operation["responses"].as_object().is_some_and(|it| it.len() > 1), "{path}");
        let named = path.matches('{').count();
        let described = operation["parameters"]
            .as_array()
            .map_or(0, |all| all.iter().filter(|it| it["in"] == "path").count());
        assert_eq!(named, described, "{method} {path}");
    }
}

/// Every reference leads somewhere.
fn resolve(document: &Value, value: &Value) {
    match value {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                let pointer = reference.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
            }
            fields.values().for_each(|value| resolve(document, value));
        }
        Value::Array(items) => items.iter().for_each(|value| resolve(document, value)),
        _ => {}
    }
}
