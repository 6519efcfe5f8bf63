//! The runner's executable, for machines that start with nothing.

use std::io::SeekFrom;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH,
    IF_RANGE, RANGE,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use railsbench_core::protocol::Problem;
use railsbench_core::provider::{RunnerTarget, UnknownTarget};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::auth::Runner;
use super::problem::ApiError;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(runner))
}

/// The runner for machines of a target triple, e.g. `x86_64-unknown-linux-musl`. The entity tag
/// is its SHA-256 in hexadecimal digits; a part can be asked for by a `Range` of bytes.
#[utoipa::path(get, path = "/runner/{target}", tag = "runners", security(("bearer" = [])),
    params(("target" = String, Path, description = "What it was built for, as rustc names it")),
    responses(
        (status = 200, description = "The executable", body = Vec<u8>,
            content_type = "application/octet-stream"),
        (status = 206, description = "The part of it that was asked for", body = Vec<u8>,
            content_type = "application/octet-stream"),
        (status = 304, description = "The entity tag is among those of If-None-Match"),
        (status = 416, description = "It has no such part",
            body = Problem, content_type = "application/problem+json")))]
async fn runner(
    _: Runner,
    State(app): State<App>,
    Path(target): Path<String>,
    request: HeaderMap,
) -> Result<Response, ApiError> {
    let target: RunnerTarget =
        target.parse().map_err(|error: UnknownTarget| ApiError::not_found(error.to_string()))?;
    let path = app.config.runners.path(target).ok_or_else(|| {
        ApiError::not_found(format!(
            "no runner for {target} is at hand; build it (cargo build --release -p \
             railsbench-runner --target {target}) and start the server with --runners DIR"
        ))
    })?;
    let failed = |error: &dyn std::fmt::Display| {
        tracing::error!(path = %path.display(), %error, "the runner cannot be read");
        ApiError::unavailable("runner_unavailable", "the runner cannot be read; try again")
    };
    let mut file = tokio::fs::File::open(path).await.map_err(|error| failed(&error))?;
    let length = file.metadata().await.map_err(|error| failed(&error))?.len();
    // What is sent is the file that was measured, also if it is replaced meanwhile.
    let measured = file.try_clone().await.map_err(|error| failed(&error))?.into_std().await;
    let files = app.config.runners.clone();
    let sha256 = tokio::task::spawn_blocking(move || files.sha256(target, measured))
        .await
        .map_err(|error| failed(&error))?
        .map_err(|error| failed(&error))?;
    let tag = format!("\"{sha256}\"");
    let entity_tag = HeaderValue::from_str(&tag).map_err(|error| ApiError::internal(&error))?;
    let mut headers = HeaderMap::new();
    headers.insert(ETAG, entity_tag);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if lists(&request, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    // A part of another version is of no use: then all of this one is sent.
    let asked = request
        .get(RANGE)
        .filter(|_| request.get(IF_RANGE).is_none_or(|known| known.as_bytes() == tag.as_bytes()));
    let part = asked.map_or(Part::All, |range| part_of(range.to_str().unwrap_or(""), length));
    let (status, first, count) = match part {
        Part::All => (StatusCode::OK, 0, length),
        Part::Bytes { first, count } => {
            let range = format!("bytes {first}-{}/{length}", first + count - 1);
            headers.insert(CONTENT_RANGE, header(&range)?);
            (StatusCode::PARTIAL_CONTENT, first, count)
        }
        Part::None => {
            let mut response = ApiError::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "no_such_part",
                format!("the runner has {length} bytes"),
            )
            .into_response();
            response.headers_mut().insert(CONTENT_RANGE, header(&format!("bytes */{length}"))?);
            return Ok(response);
        }
    };
    file.seek(SeekFrom::Start(first)).await.map_err(|error| failed(&error))?;
    headers.insert(CONTENT_LENGTH, HeaderValue::from(count));
    let body = Body::from_stream(ReaderStream::with_capacity(file.take(count), 1 << 16));
    Ok((status, headers, body).into_response())
}

fn header(text: &str) -> Result<HeaderValue, ApiError> {
    HeaderValue::from_str(text).map_err(|error| ApiError::internal(&error))
}

fn lists(request: &HeaderMap, tag: &str) -> bool {
    let known = request.get_all(IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    known.flat_map(|value| value.split(',')).any(|value| {
        let value = value.trim();
        value == "*" || value.strip_prefix("W/").unwrap_or(value) == tag
    })
}

/// What to send.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    All,
    Bytes { first: u64, count: u64 },
    None,
}

/// What a `Range` of one part means (RFC 9110, section 14.1.2). Of anything else all is sent,
/// which the RFC allows.
fn part_of(range: &str, length: u64) -> Part {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|part| part.split_once('-'))
    else {
        return Part::All;
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (first, last) = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => (first, last),
        (Some(first), None) if last.trim().is_empty() => (first, u64::MAX),
        (None, Some(0)) if first.trim().is_empty() => return Part::None,
        (None, Some(suffix)) if first.trim().is_empty() => {
            (length.saturating_sub(suffix), u64::MAX)
        }
        _ => return Part::All,
    };
    if first >= length {
        return Part::None;
    }
    Part::Bytes { first, count: last.min(length - 1) - first + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_can_be_asked_for() {
        let bytes = |first, count| Part::Bytes { first, count };
        let cases = [
            ("bytes=0-0", bytes(0, 1)),
            ("bytes=2-", bytes(2, 8)),
            ("bytes=2-5", bytes(2, 4)),
            ("bytes=2-999", bytes(2, 8)),
            ("bytes=-3", bytes(7, 3)),
            ("bytes=-999", bytes(0, 10)),
            ("bytes=10-", Part::None),
            ("bytes=-0", Part::None),
            ("bytes=5-2", Part::All),
            ("bytes=0-1,4-5", Part::All),
            ("bytes=a-b", Part::All),
            ("lines=0-1", Part::All),
            ("", Part::All),
        ];
        for (range, part) in cases {
            assert_eq!(part_of(range, 10), part, "{range}");
        }
        assert_eq!(part_of("bytes=0-", 0), Part::None);
        assert_eq!(part_of("bytes=18446744073709551615-", 10), Part::None);
    }
}
