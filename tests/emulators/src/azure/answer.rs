//! What the emulator is asked, and what it answers.

use std::collections::HashMap;

use serde_json::{Value, json};

/// A request, taken apart.
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// As it was sent.
    pub path: String,
    /// The parameters of the query.
    pub query: HashMap<String, String>,
    /// The token of the `Authorization` header.
    pub bearer: Option<String>,
    /// The `Metadata` header.
    pub metadata: Option<String>,
    /// The body, whatever it is.
    pub body: Vec<u8>,
}

impl Request {
    /// The parts of the path.
    pub fn parts(&self) -> Vec<&str> {
        self.path.split('/').filter(|part| !part.is_empty()).collect()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// Azure's refusal of what is none.
    pub fn json(&self) -> Result<Value, Answer> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Answer::error(400, "InvalidRequestContent", &error.to_string()))
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers by their names in small letters.
    pub headers: Vec<(&'static str, String)>,
    /// The body; none if it is null.
    pub body: Value,
    /// A body that is no JSON.
    pub text: Option<String>,
}

impl Answer {
    /// An answer with a JSON body.
    pub fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body, text: None }
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self::json(status, Value::Null)
    }

    /// A text, with status 200.
    pub fn text(text: String) -> Self {
        Self { text: Some(text), ..Self::empty(200) }
    }

    /// A refusal in Azure's form.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, json!({"error": {"code": code, "message": message}}))
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
