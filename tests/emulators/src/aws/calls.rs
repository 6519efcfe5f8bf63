//! A call as EC2, SSM and STS get it.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::http::HeaderMap;

/// A call that was made.
#[derive(Debug, Clone)]
pub struct Call {
    /// The action, e.g. `RunInstances`.
    pub action: String,
    /// The region that it is signed for.
    pub region: String,
    /// Its parameters by their names on the wire, e.g. `NetworkInterface.1.SubnetId`.
    pub values: HashMap<String, String>,
}

impl Call {
    pub(super) fn read(headers: &HeaderMap, body: &Bytes) -> Self {
        let text = |name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        // Credential=KEY/DATE/REGION/SERVICE/aws4_request
        let region = text("authorization").split('/').nth(2).unwrap_or_default().to_owned();
        let target = text("x-amz-target");
        if let Some((_, action)) = target.split_once('.') {
            let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
            let values = json.as_object().into_iter().flatten();
            let values =
                values.map(|(key, value)| (key.clone(), value.as_str().unwrap_or("").to_owned()));
            return Self { action: action.to_owned(), region, values: values.collect() };
        }
        let values: HashMap<String, String> =
            serde_urlencoded::from_bytes(body).unwrap_or_default();
        Self { action: values.get("Action").cloned().unwrap_or_default(), region, values }
    }

    /// A parameter, or nothing if it was not sent.
    pub fn value(&self, key: &str) -> &str {
        self.values.get(key).map_or("", String::as_str)
    }
}
