//! JSON that keeps what matters for good messages: the order of keys, and keys given twice.

use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::FieldError;

/// Longest excerpt of a document in a message, in characters.
const EXCERPT: usize = 60;

/// JSON in which each key of an object is kept, also when it is given twice.
pub(super) enum Json {
    Object(Vec<(String, Json)>),
    Array(Vec<Json>),
    Scalar(Value),
}

impl Json {
    /// Reads a document.
    ///
    /// # Errors
    /// What is wrong with its syntax, with line and column, and how to put it right.
    pub(super) fn parse(text: &str) -> Result<Self, FieldError> {
        serde_json::from_str(text).map_err(|error| {
            let (problem, fix) = explain(text, &error);
            FieldError { field: String::new(), problem, fix }
        })
    }

    /// The value in a few words, for messages.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Object(_) => "an object".to_owned(),
            Self::Array(_) => "a list".to_owned(),
            Self::Scalar(value) => excerpt(&value.to_string()),
        }
    }
}

/// A text from the document as it may stand in a message: short, and on one line.
pub(super) fn excerpt(text: &str) -> String {
    let mut shown = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == EXCERPT {
            shown.push('…');
            break;
        }
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// What is wrong with the syntax, and the fix.
fn explain(text: &str, error: &serde_json::Error) -> (String, String) {
    const EXAMPLE: &str = r#"{"ruby_version": "system", "local": ["host"]}"#;
    if text.starts_with('\u{feff}') {
        return (
            "it begins with a byte order mark (U+FEFF)".to_owned(),
            "save it as UTF-8 without one".to_owned(),
        );
    }
    if text.trim().is_empty() {
        return ("it is empty".to_owned(), format!("write a run configuration, e.g. {EXAMPLE}"));
    }
    let said = error.to_string();
    let found = text
        .lines()
        .nth(error.line().saturating_sub(1))
        .and_then(|line| line.get(error.column().saturating_sub(1)..))
        .unwrap_or_default();
    let fix = if error.is_eof() {
        "close what is open: a bracket, a brace or a quote is missing at the end"
    } else if said.starts_with("trailing comma") {
        "remove the comma before the closing bracket or brace"
    } else if said.starts_with("trailing characters") {
        "end the file after the closing brace"
    } else if said.starts_with("recursion limit") {
        "nest less: a run configuration is at most four levels deep"
    } else if said.starts_with("number out of range") {
        "write a smaller number"
    } else if said.starts_with("control character") {
        "end the text with a quote on the same line; write a line break in it as \\n"
    } else if found.starts_with('\'') {
        "use double quotes: JSON has no single ones"
    } else if found.starts_with("//") || found.starts_with("/*") || found.starts_with('#') {
        "remove the comment: JSON has none"
    } else if said.starts_with("key must be a string") {
        "put the key in double quotes"
    } else if said.starts_with("expected `,`") {
        "put a comma before what stands there, or close the bracket or brace"
    } else {
        "correct the JSON at that place"
    };
    (format!("not JSON: {said}"), fix.to_owned())
}

impl<'de> serde::Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keep;
        impl<'de> Visitor<'de> for Keep {
            type Value = Json;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_bool<E>(self, v: bool) -> Result<Json, E> {
                Ok(Json::Scalar(v.into()))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Json, E> {
                Ok(Json::Scalar(v.into()))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Json, E> {
                Ok(Json::Scalar(v.into()))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Json, E> {
                Ok(Json::Scalar(v.into()))
            }
            fn visit_str<E>(self, v: &str) -> Result<Json, E> {
                Ok(Json::Scalar(v.into()))
            }
            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Scalar(Value::Null))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Json::Array(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Json::Object(entries))
            }
        }
        deserializer.deserialize_any(Keep)
    }
}
