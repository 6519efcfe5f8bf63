//! Google's own description of its interface, by which every request is checked:
//! `schemas/gcp-compute.json`, which names its source and revision.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

static SCHEMA: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../schemas/gcp-compute.json")).unwrap());

/// A request that Google's description allows.
pub struct Call {
    /// The method, e.g. `compute.instances.insert`.
    pub method: String,
    /// The parameters in its path.
    pub path: Map<String, Value>,
    /// The parameters of its query.
    pub query: Vec<(String, String)>,
    /// Its body; null if it has none.
    pub body: Value,
}

impl Call {
    /// A parameter in the path, which the description says is there.
    pub fn path(&self, name: &str) -> &str {
        self.path[name].as_str().unwrap()
    }

    /// A parameter of the query.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The methods that railsbench calls, e.g. `compute.instances.insert`.
pub fn methods() -> Vec<String> {
    SCHEMA["methods"].as_object().unwrap().keys().cloned().collect()
}

/// Finds the method that a request is for and checks every part of it.
pub(super) fn check(verb: &str, path: &str, query: &str, body: &[u8]) -> Result<Call, String> {
    let path = path
        .strip_prefix(SCHEMA["basePath"].as_str().unwrap())
        .ok_or_else(|| format!("{path} is not below the base path"))?;
    let (method, described, parts) = SCHEMA["methods"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, described)| described["httpMethod"] == verb)
        .find_map(|(name, described)| {
            let parts = matches(described["path"].as_str().unwrap(), path)?;
            Some((name, described, parts))
        })
        .ok_or_else(|| format!("Google has no {verb} {path}"))?;
    let query: Vec<(String, String)> =
        serde_urlencoded::from_str(query).map_err(|error| error.to_string())?;
    let known = &described["parameters"];
    for (location, name, value) in parts
        .iter()
        .map(|(name, value)| ("path", name, value.as_str().unwrap()))
        .chain(query.iter().map(|(name, value)| ("query", name, value.as_str())))
    {
        let rule = &known[name];
        if rule["location"] != location {
            return Err(format!("{method} has no {location} parameter {name}"));
        }
        text(rule, value, name)?;
        if rule["type"] == "integer" {
            let number: i64 = value.parse().map_err(|_| format!("{name} is no number"))?;
            let bound = |bound: &str| rule[bound].as_str().and_then(|text| text.parse().ok());
            if number < bound("minimum").unwrap_or(i64::MIN)
                || number > bound("maximum").unwrap_or(i64::MAX)
            {
                return Err(format!("{name} is out of bounds: {value}"));
            }
        }
    }
    let body = match described["request"].as_str() {
        None if body.is_empty() => Value::Null,
        None => return Err(format!("{method} takes no body")),
        Some(schema) => {
            let body = serde_json::from_slice(body).map_err(|error| error.to_string())?;
            value(&SCHEMA["schemas"][schema], &body, schema)?;
            body
        }
    };
    Ok(Call { method: method.clone(), path: parts, query, body })
}

/// The parameters in a path, if it is of this form.
fn matches(form: &str, path: &str) -> Option<Map<String, Value>> {
    let (form, path): (Vec<&str>, Vec<&str>) =
        (form.split('/').collect(), path.split('/').collect());
    if form.len() != path.len() {
        return None;
    }
    let mut found = Map::new();
    for (form, part) in form.iter().zip(path) {
        match form.strip_prefix('{').and_then(|form| form.strip_suffix('}')) {
            Some(name) => {
                found.insert(name.to_owned(), part.into());
            }
            None if *form == part => {}
            None => return None,
        }
    }
    Some(found)
}

fn value(schema: &Value, found: &Value, place: &str) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        return value(&SCHEMA["schemas"][name], found, place);
    }
    if schema["readOnly"] == true {
        return Err(format!("{place} is read-only"));
    }
    match (schema["type"].as_str(), found) {
        (Some("object"), Value::Object(members)) => {
            for (name, member) in members {
                let place = format!("{place}.{name}");
                let properties = &schema["properties"][name];
                let described =
                    if properties.is_null() { &schema["additionalProperties"] } else { properties };
                if described.is_null() {
                    return Err(format!("{place} is not known"));
                }
                value(described, member, &place)?;
            }
            Ok(())
        }
        (Some("array"), Value::Array(items)) => {
            // Google writes the pattern of items beside the list.
            for (index, item) in items.iter().enumerate() {
                let place = format!("{place}[{index}]");
                value(&schema["items"], item, &place)?;
                if let (true, Some(item)) = (schema["pattern"].is_string(), item.as_str()) {
                    text(schema, item, &place)?;
                }
            }
            Ok(())
        }
        (Some("string"), Value::String(item)) => text(schema, item, place),
        (Some("boolean"), Value::Bool(_)) | (Some("number"), Value::Number(_)) => Ok(()),
        (Some("integer"), Value::Number(number)) if number.is_i64() => Ok(()),
        (kind, found) => Err(format!("{place} must be {kind:?}, and is {found}")),
    }
}

fn text(rule: &Value, found: &str, place: &str) -> Result<(), String> {
    if let Some(allowed) = rule["enum"].as_array()
        && !allowed.iter().any(|item| item == found)
    {
        return Err(format!("{place} cannot be {found:?}"));
    }
    if let Some(pattern) = rule["pattern"].as_str()
        && !Regex::new(&format!("^(?:{pattern})$")).unwrap().is_match(found)
    {
        return Err(format!("{place}: {found:?} is not of the form {pattern}"));
    }
    let number = matches!(rule["format"].as_str(), Some("int64" | "uint64"));
    if number && found.parse::<i64>().is_err() {
        return Err(format!("{place}: {found:?} is no whole number"));
    }
    Ok(())
}

#[test]
fn what_google_does_not_know_is_refused() {
    let path = "/compute/v1/projects/p/zones/z-a/instances";
    let refused = |verb: &str, path: &str, query: &str, body: &str| {
        check(verb, path, query, body.as_bytes()).err().unwrap_or_default()
    };
    for (body, problem) in [
        (r#"{"name":"A"}"#, "not of the form"),
        (r#"{"nam":"a"}"#, "not known"),
        (r#"{"status":"RUNNING"}"#, "read-only"),
        (r#"{"scheduling":{"onHostMaintenance":"STAY"}}"#, "cannot be"),
        (r#"{"scheduling":{"maxRunDuration":{"seconds":5}}}"#, "must be"),
        (r#"{"disks":[{"initializeParams":{"diskSizeGb":"big"}}]}"#, "no whole number"),
        (r#"{"tags":{"items":["Bad_tag"]}}"#, "not of the form"),
    ] {
        let said = refused("POST", path, "requestId=1", body);
        assert!(said.contains(problem), "{body}: {said}");
    }
    assert!(refused("POST", path, "request=1", "{}").contains("no query parameter"));
    assert!(refused("PUT", path, "", "{}").contains("Google has no PUT"));
    assert!(refused("GET", "/other/projects/p", "", "").contains("base path"));
    assert!(check("POST", path, "requestId=1", br#"{"name":"a","labels":{"x":"y"}}"#).is_ok());
}
