//! How Heroku says no.

use serde_json::{Value, json};

/// A refusal.
#[derive(Debug)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// What it says, as JSON.
    pub body: Value,
}

/// A refusal in Heroku's words.
pub(super) fn refused(status: u16, id: &str, message: &str) -> Refused {
    Refused { status, body: json!({"id": id, "message": message}) }
}
