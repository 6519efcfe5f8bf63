//! The published interface: which calls there are, and what their bodies may hold.
//!
//! `schemas/heroku-platform.json` is Heroku's own hyper-schema of the Platform API, reduced to the calls that
//! railsbench makes; its source and version are in it. A request that is not in it, or that
//! holds what it does not allow, is a mistake of railsbench.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use regex::Regex;
use serde_json::{Map, Value};

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../schemas/heroku-platform.json")).unwrap()
});

const UUID: &str = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$";

const NO_HYPHENS: &str = "-(?!-)";

/// One call of the interface.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    link: &'static Value,
}

impl Link {
    /// The call of this method and path.
    pub fn find(method: &str, path: &str) -> Result<Self, String> {
        let links = SCHEMA["definitions"]
            .as_object()
            .unwrap()
            .values()
            .filter_map(|definition| definition["links"].as_array())
            .flatten()
            .filter(|link| link["method"] == method);
        let mut closest = format!("the interface has no {method} {path}");
        for link in links {
            match matches(link["href"].as_str().unwrap(), path) {
                Some(Ok(())) => return Ok(Self { link }),
                Some(Err(problem)) => closest = problem,
                None => {}
            }
        }
        Err(closest)
    }

    /// Whether a request's body is allowed. Unlike Heroku, which skips what it does not know,
    /// this refuses it.
    pub fn check_request(self, body: &Value) -> Result<(), String> {
        match self.link.get("schema") {
            Some(schema) => check(schema, body, "body", true),
            None if body.is_null() => Ok(()),
            None => Err(format!("a body where none belongs: {body}")),
        }
    }

    /// Whether this emulator's own answer is what the interface promises.
    pub fn check_answer(self, body: &Value) -> Result<(), String> {
        match self.link.get("targetSchema") {
            Some(schema) => check(schema, body, "answer", false),
            None => Ok(()),
        }
    }
}

/// Whether a path is of a form, and if so whether its parameters are what they must be.
fn matches(href: &str, path: &str) -> Option<Result<(), String>> {
    let (forms, parts) = (href.split('/'), path.split('/'));
    if forms.clone().count() != parts.clone().count() {
        return None;
    }
    let mut outcome = Ok(());
    for (form, part) in forms.zip(parts) {
        let parameter = form.strip_prefix("{(").and_then(|form| form.strip_suffix(")}"));
        match parameter {
            None if form == part => {}
            None => return None,
            // What the interface has as a word of its own is no name: /teams/apps.
            Some(_) if part == "apps" => return None,
            Some(parameter) => {
                let pointer = parameter.replace("%23", "#").replace("%2F", "/");
                let schema = resolve(&pointer);
                let checked = check(schema, &Value::from(part), "path", false);
                outcome = outcome.and(checked);
            }
        }
    }
    Some(outcome)
}

fn resolve(reference: &str) -> &'static Value {
    let pointer = reference.strip_prefix('#').unwrap();
    SCHEMA.pointer(pointer).unwrap_or_else(|| panic!("the schema lacks {reference}"))
}

fn check(schema: &Value, value: &Value, place: &str, strict: bool) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return check(resolve(reference), value, place, strict);
    }
    let wrong = |what: &str| Err(format!("{place} {what}: {value}"));
    if let Some(choices) = schema["anyOf"].as_array()
        && !choices.iter().any(|choice| check(choice, value, place, strict).is_ok())
    {
        return wrong("is none of what it may be");
    }
    if let Some(types) = schema["type"].as_array()
        && !types.iter().any(|name| is_of(name.as_str().unwrap(), value))
    {
        return wrong(&format!("is not of the types {}", schema["type"]));
    }
    if let Some(choices) = schema["enum"].as_array()
        && !choices.contains(value)
    {
        return wrong(&format!("is none of {}", schema["enum"]));
    }
    if let Some(text) = value.as_str() {
        if let Some(pattern) = schema["pattern"].as_str()
            && !is_match(pattern, text)
        {
            return wrong(&format!("does not match {pattern}"));
        }
        let formed = match schema["format"].as_str() {
            Some("uuid") => is_match(UUID, text),
            Some("date-time") => text.parse::<jiff::Timestamp>().is_ok(),
            _ => true,
        };
        if !formed {
            return wrong(&format!("is no {}", schema["format"]));
        }
    }
    if let (Some(items), Some(schema)) = (value.as_array(), schema.get("items")) {
        for (index, item) in items.iter().enumerate() {
            check(schema, item, &format!("{place}[{index}]"), strict)?;
        }
    }
    match value.as_object() {
        Some(object) => check_object(schema, object, place, strict),
        None => Ok(()),
    }
}

fn check_object(
    schema: &Value,
    object: &Map<String, Value>,
    place: &str,
    strict: bool,
) -> Result<(), String> {
    for name in schema["required"].as_array().into_iter().flatten() {
        if !object.contains_key(name.as_str().unwrap()) {
            return Err(format!("{place} lacks {name}"));
        }
    }
    let patterns = schema["patternProperties"].as_object();
    for (name, value) in object {
        let inner = format!("{place}.{name}");
        let by_pattern =
            patterns.into_iter().flatten().find(|(pattern, _)| is_match(pattern, name));
        if let Some(property) = schema["properties"].get(name) {
            check(property, value, &inner, strict)?;
        } else if let Some((_, property)) = by_pattern {
            check(property, value, &inner, strict)?;
        } else if strict || schema["additionalProperties"] == false {
            return Err(format!("{inner} is not known"));
        }
    }
    Ok(())
}

/// Whether a text is of a pattern. A look ahead, which the interface has in one pattern to say
/// that no two hyphens follow each other, is looked at apart.
fn is_match(pattern: &str, text: &str) -> bool {
    static PATTERNS: LazyLock<Mutex<HashMap<String, Regex>>> = LazyLock::new(Mutex::default);
    let mut patterns = PATTERNS.lock().unwrap();
    let known = patterns
        .entry(pattern.to_owned())
        .or_insert_with(|| Regex::new(&pattern.replace(NO_HYPHENS, "-")).unwrap());
    known.is_match(text) && !(pattern.contains(NO_HYPHENS) && text.contains("--"))
}

fn is_of(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the schema has the type {other}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_heroku_would_refuse_is_refused() {
        let body = |method: &str, path: &str, body: Value| {
            Link::find(method, path).and_then(|link| link.check_request(&body))
        };
        let good = [
            body("POST", "/apps", json!({"name": "railsbencher-runner-r1", "stack": "heroku-24"})),
            body("GET", "/apps/railsbencher-runner-r1/dynos", Value::Null),
            body("PATCH", "/apps/x-1/config-vars", json!({"A_B": "c", "D": null})),
            body(
                "PATCH",
                "/apps/x-1/formation",
                json!({"updates": [{"type": "a-1x", "quantity": 2}]}),
            ),
            body("POST", "/teams/apps", json!({"name": "abc", "team": "t"})),
            body("GET", "/teams/a-team/apps", Value::Null),
        ];
        for good in good {
            assert_eq!(good, Ok(()));
        }
        let bad = [
            (body("PUT", "/apps", Value::Null), "no PUT /apps"),
            (body("GET", "/spaces/a--space", Value::Null), "is none of what it may be"),
            (body("POST", "/apps", json!({"name": "Upper"})), "does not match"),
            (body("POST", "/apps", json!({"name": "x".repeat(31)})), "does not match"),
            (body("POST", "/apps", json!({"title": "x"})), "title is not known"),
            (body("GET", "/apps/a/dynos", Value::Null), "is none of what it may be"),
            (body("GET", "/apps/x-1/dynos", json!({})), "a body where none belongs"),
            (body("PATCH", "/apps/x-1/config-vars", json!({"A-B": "c"})), "A-B is not known"),
            (body("PATCH", "/apps/x-1/config-vars", json!({"A": 1})), "is not of the types"),
            (body("PATCH", "/apps/x-1/formation", json!({})), "lacks \"updates\""),
            (
                body("PATCH", "/apps/x-1/formation", json!({"updates": [{"quantity": 1}]})),
                "lacks \"type\"",
            ),
            (
                body("PATCH", "/apps/x-1/formation", json!({"updates": [{"type": "a.b"}]})),
                "does not match",
            ),
            (
                body(
                    "PATCH",
                    "/apps/x-1/formation",
                    json!({"updates": [{"type": "a", "size": "b"}]}),
                ),
                "size is not known",
            ),
        ];
        for (found, expected) in bad {
            let problem = found.unwrap_err();
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
