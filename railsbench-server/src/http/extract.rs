//! From outside bytes to typed values, with answers that name what is wrong.

use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use railsbench_core::id::InvalidId;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::form_urlencoded;

use super::App;
use super::problem::ApiError;

/// Longest query or form value that is repeated in an answer, in characters.
const SHOWN: usize = 200;

/// The `{id}` of a path.
#[derive(Debug)]
pub(crate) struct PathId<T>(pub(crate) T);

impl<T: FromStr<Err = InvalidId>> FromRequestParts<App> for PathId<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, app)
            .await
            .map_err(|_| ApiError::not_found("the id in the path is not valid UTF-8"))?;
        Ok(Self(text.parse::<T>()?))
    }
}

/// The query of a URL. Empty values count as absent, as in forms.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, ApiError> {
        let query = tidy_pairs(parts.uri.query().unwrap_or("").as_bytes());
        let query = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        serde_path_to_error::deserialize(query)
            .map(Self)
            .map_err(|error| ApiError::malformed(shorten(&format!("the query is wrong: {error}"))))
    }
}

/// The bytes of a body, within the limit of its route.
pub(crate) fn body_bytes(body: Result<Bytes, BytesRejection>) -> Result<Bytes, ApiError> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            "the body is larger than this call takes",
        ),
        _ => ApiError::malformed("the body broke off"),
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Json,
    Form,
}

fn encoding(content_type: &str) -> Option<Encoding> {
    let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => Some(Encoding::Json),
        "application/x-www-form-urlencoded" => Some(Encoding::Form),
        other if other.starts_with("application/") && other.ends_with("+json") => {
            Some(Encoding::Json)
        }
        _ => None,
    }
}

/// The body of a call: JSON or a form; no body at all is an empty object.
#[derive(Debug)]
pub(crate) struct Call<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Call<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let content_type = request
            .headers()
            .get(CONTENT_TYPE)
            .map(|value| value.to_str().unwrap_or("not ASCII").to_owned());
        let bytes = body_bytes(Bytes::from_request(request, app).await)?;
        let encoding = match &content_type {
            None if bytes.is_empty() => Some(Encoding::Json),
            None => None,
            Some(text) => encoding(text),
        };
        match encoding {
            Some(Encoding::Json) => from_json(&bytes).map(Self),
            Some(Encoding::Form) => from_form(&bytes).map(Self),
            None => Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                format!(
                    "Content-Type is {}; send application/json or \
                     application/x-www-form-urlencoded",
                    content_type.as_deref().map_or("missing".to_owned(), shorten)
                ),
            )),
        }
    }
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut value: Value = if bytes.iter().all(u8::is_ascii_whitespace) {
        Value::Object(serde_json::Map::new())
    } else {
        serde_json::from_slice(bytes)
            .map_err(|error| ApiError::malformed(format!("the body is not JSON: {error}")))?
    };
    let Some(fields) = value.as_object_mut() else {
        return Err(ApiError::field("", "the body is not an object", "send a JSON object"));
    };
    if fields.contains_key("heartbeat_status") {
        fields.remove("status");
    }
    serde_path_to_error::deserialize(value)
        .map_err(|error| wrong_field(&error.path().to_string(), &error.inner().to_string()))
}

/// Reads a form.
fn from_form<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if std::str::from_utf8(bytes).is_err() {
        return Err(ApiError::malformed("the body is not a form: it is not UTF-8"));
    }
    let form = tidy_pairs(bytes);
    let form = serde_urlencoded::Deserializer::new(form_urlencoded::parse(form.as_bytes()));
    serde_path_to_error::deserialize(form)
        .map_err(|error| wrong_field(&error.path().to_string(), &error.inner().to_string()))
}

/// The pairs of a form or query without empty values, because those are what a shell script
/// sends for a variable that is not set, and with one name for a heartbeat's status.
fn tidy_pairs(bytes: &[u8]) -> String {
    let mut pairs: Vec<_> =
        form_urlencoded::parse(bytes).filter(|(_, value)| !value.is_empty()).collect();
    if pairs.iter().any(|(name, _)| name == "heartbeat_status") {
        pairs.retain(|(name, _)| name != "status");
    }
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Says which field is wrong, from the path and the words that serde gives.
fn wrong_field(path: &str, problem: &str) -> ApiError {
    let quoted = |text: &str| text.split('`').nth(1).map(ToOwned::to_owned);
    let missing = problem.strip_prefix("missing field ").and_then(quoted);
    let field = match (&missing, path) {
        (Some(name), "." | "") => name.clone(),
        (Some(name), parent) => format!("{parent}.{name}"),
        (None, "." | "") => String::new(),
        (None, path) => path.to_owned(),
    };
    let (problem, fix) = if missing.is_some() {
        ("missing".to_owned(), "send it".to_owned())
    } else if let Some((problem, choices)) = problem.split_once(", expected one of ") {
        (problem.to_owned(), format!("use one of {choices}"))
    } else {
        (problem.to_owned(), "see GET /openapi.json".to_owned())
    };
    ApiError::field(&field, shorten(&problem), fix)
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use railsbench_core::protocol::{
        ClaimRequest, CompleteRequest, HeartbeatRequest, Phase, ReleaseRequest,
    };

    use super::*;

    async fn detail(error: ApiError) -> String {
        assert_eq!(error.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let response = error.into_response();
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await;
        String::from_utf8(body.unwrap().to_vec()).unwrap()
    }

    #[test]
    fn forms_carry_numbers_and_leave_out_what_is_empty() {
        let claim: ClaimRequest =
            from_form(b"provider=aws&instance_type=c7g.medium&runner_id=&wait_seconds=7&x=y")
                .unwrap();
        assert_eq!(claim.wait_seconds, Some(7));
        assert_eq!(claim.runner_id, None);
        let beat: HeartbeatRequest =
            from_form(b"status=running&progress_pct=12.5&attempt=3&message=a+b%26").unwrap();
        assert_eq!(beat.heartbeat_status, Phase::Running);
        assert_eq!(beat.progress_pct, Some(12.5));
        assert_eq!(beat.attempt.map(|attempt| attempt.0), Some(3));
        assert_eq!(beat.message.as_deref(), Some("a b&"));
    }

    #[test]
    fn heartbeat_status_wins_over_status() {
        let json = br#"{"heartbeat_status":"boot","status":"alive"}"#;
        assert_eq!(from_json::<HeartbeatRequest>(json).unwrap().heartbeat_status, Phase::Boot);
        let form = b"status=alive&heartbeat_status=boot";
        assert_eq!(from_form::<HeartbeatRequest>(form).unwrap().heartbeat_status, Phase::Boot);
    }

    #[tokio::test]
    async fn a_wrong_phase_names_the_six() {
        for answer in [
            from_json::<HeartbeatRequest>(br#"{"heartbeat_status":"nap"}"#).unwrap_err(),
            from_form::<HeartbeatRequest>(b"heartbeat_status=nap").unwrap_err(),
        ] {
            let text = detail(answer).await;
            for phase in Phase::ALL {
                assert!(text.contains(phase.as_str()), "{text}");
            }
            assert!(text.contains("heartbeat_status"), "{text}");
        }
    }

    #[tokio::test]
    async fn missing_and_mistyped_fields_are_named() {
        let missing =
            detail(from_json::<ClaimRequest>(b"{\"provider\":\"aws\"}").unwrap_err()).await;
        assert!(missing.contains(r#""field":"instance_type","problem":"missing""#), "{missing}");
        let nested = br#"{"provider":"aws","instance_type":"x","runner":{"vcpus":"two"}}"#;
        let nested = detail(from_json::<ClaimRequest>(nested).unwrap_err()).await;
        assert!(nested.contains(r#""field":"runner.vcpus""#), "{nested}");
        let form = detail(from_form::<CompleteRequest>(b"size=big").unwrap_err()).await;
        assert!(form.contains(r#""field":"size""#), "{form}");
    }

    #[test]
    fn an_empty_body_is_an_empty_object() {
        assert_eq!(from_json::<ReleaseRequest>(b"").unwrap(), ReleaseRequest::default());
        assert_eq!(from_form::<ReleaseRequest>(b"").unwrap(), ReleaseRequest::default());
        assert_eq!(from_json::<ReleaseRequest>(b"[").unwrap_err().status(), 400);
        assert_eq!(from_json::<ReleaseRequest>(b"[]").unwrap_err().status(), 422);
    }

    #[test]
    fn encodings_are_told_by_their_media_type() {
        assert_eq!(encoding("application/json; charset=utf-8"), Some(Encoding::Json));
        assert_eq!(encoding("Application/X-WWW-Form-Urlencoded"), Some(Encoding::Form));
        assert_eq!(encoding("application/merge-patch+json"), Some(Encoding::Json));
        assert_eq!(encoding("text/plain"), None);
        assert_eq!(encoding(""), None);
    }
}
