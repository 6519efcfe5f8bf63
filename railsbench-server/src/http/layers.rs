//! What happens around every request: request id, log, metrics, headers, limits.

use std::any::Any;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, timeout};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;

use super::App;
use super::problem::ApiError;

/// Names a request in the log; taken from the client if it sends a tame one.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Routes that answer while the server drains.
const ALWAYS_ANSWERED: [&str; 2] = ["/health", "/up"];

fn route(request: &Request) -> String {
    // Never the path itself: its query may be a signature, and it has no bound.
    let matched = request.extensions().get::<MatchedPath>();
    matched.map_or("unmatched", MatchedPath::as_str).to_owned()
}

fn request_id(request: &Request) -> String {
    let sent = request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let tame = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    sent.filter(tame).map_or_else(|| format!("{:016x}", rand::random::<u64>()), ToOwned::to_owned)
}

/// Counts and logs each request, and names it.
pub(crate) async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let _under_way = app.in_flight.token();
    let started = Instant::now();
    let id = request_id(&request);
    let method = request.method().clone();
    let route = route(&request);
    let span = tracing::info_span!("request", %method, %route, request_id = %id);
    async move {
        let mut response = next.run(request).await;
        let status = response.status();
        app.metrics.count_request(&method, &route, status);
        let milliseconds = started.elapsed().as_millis();
        if status.is_server_error() {
            tracing::warn!(status = status.as_u16(), milliseconds, "answered");
        } else {
            tracing::debug!(status = status.as_u16(), milliseconds, "answered");
        }
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }
    .instrument(span)
    .await
}

/// Headers that keep browsers from doing more with an answer than it is for.
pub(crate) async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let defaults = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    for (name, value) in defaults {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Sends new requests away while the server ends; what is under way goes on.
pub(crate) async fn refuse_while_draining(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Response {
    if app.draining.is_cancelled() && !ALWAYS_ANSWERED.contains(&request.uri().path()) {
        let mut response =
            ApiError::unavailable("draining", "the server is shutting down; try again soon")
                .into_response();
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        return response;
    }
    next.run(request).await
}

/// Gives up on a request that takes too long.
pub(crate) async fn deadline(
    State(limit): State<Duration>,
    request: Request,
    next: Next,
) -> Response {
    match timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::unavailable(
            "timeout",
            format!("the request took longer than {} s; try again", limit.as_secs()),
        )
        .into_response(),
    }
}

/// Turns a panic, which is a defect, into an answer.
pub(crate) fn catch_panics() -> CatchPanicLayer<fn(Box<dyn Any + Send>) -> Response> {
    #[expect(clippy::needless_pass_by_value, reason = "the layer gives it away")]
    fn answer(panic: Box<dyn Any + Send>) -> Response {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        ApiError::internal(&text.unwrap_or_else(|| "a panic without words".to_owned()))
            .into_response()
    }
    CatchPanicLayer::custom(answer as fn(Box<dyn Any + Send>) -> Response)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_problem_of_status_500() {
        async fn broken() {
            panic!("secret cause");
        }
        let service = Router::new().route("/", get(broken)).layer(catch_panics());
        let response = service
            .oneshot(Request::builder().uri("/").body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        assert!(!String::from_utf8_lossy(&body).contains("secret cause"));
    }

    #[tokio::test]
    async fn a_request_that_takes_too_long_is_given_up() {
        async fn endless() {
            std::future::pending::<()>().await;
        }
        let service = Router::new()
            .route("/", get(endless))
            .layer(axum::middleware::from_fn_with_state(Duration::from_millis(1), deadline));
        let response = service
            .oneshot(Request::builder().uri("/").body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key("retry-after"));
    }

    #[test]
    fn only_tame_request_ids_are_taken_from_the_client() {
        let with = |id: &str| {
            request_id(&Request::builder().header(REQUEST_ID, id).body(Body::empty()).unwrap())
        };
        assert_eq!(with("abc-1"), "abc-1");
        for wild in ["", "a b", "a\"b", &"x".repeat(65)] {
            assert_ne!(with(wild), wild);
        }
    }
}
