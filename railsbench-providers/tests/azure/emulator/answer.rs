//! What the emulator is asked, and what it answers.

use std::collections::HashMap;

use serde_json::{Value, json};

/// A request, taken apart.
pub struct Request {
    pub method: String,
    /// As it was sent.
    pub path: String,
    pub query: HashMap<String, String>,
    pub bearer: Option<String>,
    /// The `Metadata` header.
    pub metadata: Option<String>,
    pub body: Vec<u8>,
}

impl Request {
    /// The parts of the path.
    pub fn parts(&self) -> Vec<&str> {
        self.path.split('/').filter(|part| !part.is_empty()).collect()
    }

    pub fn json(&self) -> Result<Value, Answer> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Answer::error(400, "InvalidRequestContent", &error.to_string()))
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Value,
    /// A body that is no JSON.
    pub text: Option<String>,
}

impl Answer {
    pub fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body, text: None }
    }

    pub fn empty(status: u16) -> Self {
        Self::json(status, Value::Null)
    }

    pub fn text(text: String) -> Self {
        Self { text: Some(text), ..Self::empty(200) }
    }

    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, json!({"error": {"code": code, "message": message}}))
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
