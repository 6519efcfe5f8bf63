//! Who gives tokens: the login service, and a machine's metadata service.

use serde_json::json;

use super::answer::{Answer, Request};
use super::world::World;

impl World {
    pub(super) fn application_token(&mut self, request: &Request) -> Answer {
        let form = String::from_utf8_lossy(&request.body).into_owned();
        let expected = [
            "grant_type=client_credentials",
            "client_id=app",
            "client_secret=right",
            "scope=",
            "%2F.default",
        ];
        if expected.iter().all(|part| form.contains(part)) {
            self.tokens.push("issued".to_owned());
            return Answer::json(
                200,
                json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "issued"}),
            );
        }
        let message = "AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 1";
        Answer::json(401, json!({"error": "invalid_client", "error_description": message}))
    }

    pub(super) fn identity_token(&mut self, request: &Request) -> Answer {
        if request.metadata.as_deref() != Some("true") || !request.query.contains_key("resource") {
            return Answer::json(400, json!({"error": "invalid_request"}));
        }
        self.tokens.push("machine".to_owned());
        Answer::json(200, json!({"expires_in": "3599", "access_token": "machine"}))
    }
}
