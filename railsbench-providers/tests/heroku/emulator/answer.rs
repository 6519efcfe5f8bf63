//! How Heroku says no.

use serde_json::{Value, json};

/// A refusal: status and body.
#[derive(Debug)]
pub struct Refused {
    pub status: u16,
    pub body: Value,
}

/// A refusal in Heroku's words.
pub fn refused(status: u16, id: &str, message: &str) -> Refused {
    Refused { status, body: json!({"id": id, "message": message}) }
}
