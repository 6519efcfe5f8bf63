//! Collecting everything that is wrong while a document is walked, and reading typed values.

use std::collections::HashSet;

use serde_json::Value;

use super::FieldError;
use super::json::{Json, excerpt};
use super::suggest::fix_for;

/// Most problems that are reported of one document.
const MOST: usize = 50;

/// The problems found so far.
#[derive(Default)]
pub(super) struct Problems {
    found: Vec<FieldError>,
    more: usize,
}

impl Problems {
    /// Whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them; of very many the first and how many more.
    pub(super) fn into_errors(mut self) -> Vec<FieldError> {
        if self.more > 0 {
            self.found.push(FieldError {
                field: String::new(),
                problem: format!("{} more problems", self.more),
                fix: "correct these first".to_owned(),
            });
        }
        self.found
    }

    pub(super) fn add(&mut self, field: &str, problem: impl Into<String>, fix: impl Into<String>) {
        if self.found.len() >= MOST {
            self.more += 1;
            return;
        }
        self.found.push(FieldError {
            field: field.to_owned(),
            problem: problem.into(),
            fix: fix.into(),
        });
    }

    /// A value of the wrong type.
    fn wrong(&mut self, field: &str, found: &Json, wanted: &str, fix: String) {
        self.add(field, format!("{} is not {wanted}", found.describe()), fix);
    }

    /// The entries of an object; unknown and repeated keys are problems.
    pub(super) fn entries<'a>(
        &mut self,
        field: &str,
        json: &'a Json,
        known: &[&str],
    ) -> Vec<(&'a str, &'a Json)> {
        let Json::Object(entries) = json else {
            self.wrong(field, json, "an object", "write an object in braces: {…}".to_owned());
            return Vec::new();
        };
        let mut seen = HashSet::new();
        let mut kept = Vec::new();
        for (key, value) in entries {
            let shown = excerpt(key);
            let path = if field.is_empty() { shown } else { format!("{field}.{shown}") };
            if !known.contains(&key.as_str()) {
                self.add(&path, "unknown key", fix_for(key, known));
            } else if seen.insert(key.as_str()) {
                kept.push((key.as_str(), value));
            } else {
                self.add(&path, "given twice", "keep one of the two");
            }
        }
        kept
    }

    pub(super) fn text<'a>(&mut self, field: &str, json: &'a Json) -> Option<&'a str> {
        let fix = match json {
            Json::Scalar(Value::String(text)) => return Some(text),
            Json::Scalar(Value::Null) | Json::Object(_) | Json::Array(_) => {
                "write text in quotes".to_owned()
            }
            Json::Scalar(_) => format!("put it in quotes: \"{}\"", json.describe()),
        };
        self.wrong(field, json, "text", fix);
        None
    }

    pub(super) fn boolean(&mut self, field: &str, json: &Json) -> Option<bool> {
        if let Json::Scalar(Value::Bool(value)) = json {
            return Some(*value);
        }
        self.wrong(field, json, "true or false", "write true or false, without quotes".to_owned());
        None
    }

    pub(super) fn whole(&mut self, field: &str, json: &Json, low: u32, high: u32) -> Option<u32> {
        let number = match json {
            Json::Scalar(Value::Number(n)) => n.as_u64().and_then(|n| u32::try_from(n).ok()),
            _ => None,
        };
        let found = number.filter(|n| (low..=high).contains(n));
        if found.is_none() {
            self.wrong_number(field, json, &format!("a whole number from {low} to {high}"));
        }
        found
    }

    pub(super) fn number(&mut self, field: &str, json: &Json, low: f64, high: f64) -> Option<f64> {
        let number = match json {
            Json::Scalar(Value::Number(n)) => n.as_f64(),
            _ => None,
        };
        let found = number.filter(|n| (low..=high).contains(n));
        if found.is_none() {
            self.wrong_number(field, json, &format!("a number from {low} to {high}"));
        }
        found
    }

    fn wrong_number(&mut self, field: &str, json: &Json, wanted: &str) {
        let quotes = match json {
            Json::Scalar(Value::String(_)) => ", without quotes",
            _ => "",
        };
        self.wrong(field, json, wanted, format!("write {wanted}{quotes}"));
    }

    pub(super) fn list<'a>(&mut self, field: &str, json: &'a Json) -> Option<&'a [Json]> {
        let fix = match json {
            Json::Array(items) => return Some(items),
            Json::Scalar(Value::Null) => "write a list in brackets: […]".to_owned(),
            Json::Scalar(_) => format!("put it in brackets: [{}]", json.describe()),
            Json::Object(_) => "put it in brackets: [{…}]".to_owned(),
        };
        self.wrong(field, json, "a list", fix);
        None
    }
}
