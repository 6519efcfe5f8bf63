//! PUT and GET of artifacts that this server keeps itself. The URL is the permission; there is
//! no other authentication. Bytes are streamed, never held.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::header::{
    CONNECTION, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderValue,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use railsbench_core::id::TaskId;
use railsbench_core::protocol::Problem;
use tokio::time::timeout;
use tower_http::timeout::RequestBodyTimeoutLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::problem::ApiError;
use crate::artifacts::filesystem::{FilesystemArtifacts, Operation};
use crate::artifacts::{ArtifactError, ArtifactKey};

/// How long an upload may pause.
const UPLOAD_PAUSE: Duration = Duration::from_mins(1);

/// How much of a refused upload is read, so that a client that sends first and reads the answer
/// later gets to see it, in bytes.
const REFUSED_READ: usize = 16 << 20;

/// For how long a refused upload is read.
const REFUSED_READ_TIME: Duration = Duration::from_secs(10);

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(put, get)).layer(RequestBodyTimeoutLayer::new(UPLOAD_PAUSE))
}

/// The artifact store, if it is this server's own.
fn embedded(app: &App) -> Result<&FilesystemArtifacts, ApiError> {
    app.artifacts.embedded().ok_or_else(|| {
        ApiError::not_found("this server keeps no artifacts itself; use the URLs that it gives")
    })
}

/// Stores an object. The URL is one that the server gave, with its signature in the query.
#[utoipa::path(put, path = "/artifacts/{*key}", tag = "artifacts",
    params(("key" = String, Path, description = "Key of the object, with slashes")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "Stored, durably"),
        (status = 403, description = "The signature is wrong, or its time has passed",
            body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The task has completed with this object",
            body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Larger than the URL allows",
            body = Problem, content_type = "application/problem+json")))]
async fn put(
    State(app): State<App>,
    Path(key): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let content_length = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let waits = request.headers().contains_key(EXPECT);
    let mut body = request.into_body().into_data_stream();
    let stored = async {
        let store = embedded(&app)?;
        let query = query.unwrap_or_default();
        let permission = store.verify(Operation::Put, &key, &query, app.clock.now())?;
        refuse_accepted(&app, permission.key()).await?;
        store.write(&permission, &mut body, content_length).await?;
        Ok::<_, ApiError>(())
    };
    match stored.await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => {
            if !waits {
                let rest = async {
                    let mut seen = 0;
                    while let Some(Ok(chunk)) = body.next().await {
                        seen += chunk.len();
                        if seen > REFUSED_READ {
                            break;
                        }
                    }
                };
                // The answer is the same whether the client came to its end or not.
                let _ = timeout(REFUSED_READ_TIME, rest).await;
            }
            let mut response = error.into_response();
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            response
        }
    }
}

/// Refuses to replace what a task has completed with: its URL may still be good.
async fn refuse_accepted(app: &App, key: &ArtifactKey) -> Result<(), ApiError> {
    let mut segments = key.as_str().split('/');
    let (Some("runs"), Some(_), Some(Ok(task))) =
        (segments.next(), segments.next(), segments.next().map(TaskId::new))
    else {
        return Ok(());
    };
    let found = app.store.task(&task).await?;
    let accepted = found.and_then(|(_, task)| task.result).map(|result| result.key);
    if accepted.as_deref() == Some(key.as_str()) {
        return Err(ApiError::new(
            StatusCode::CONFLICT,
            "already_accepted",
            "the task has completed with this object; it is not replaced",
        ));
    }
    Ok(())
}

/// Gives an object. The URL is one that the server gave, with its signature in the query.
#[utoipa::path(get, path = "/artifacts/{*key}", tag = "artifacts",
    params(("key" = String, Path, description = "Key of the object, with slashes")),
    responses(
        (status = 200, description = "The object", body = Vec<u8>,
            content_type = "application/octet-stream"),
        (status = 403, description = "The signature is wrong, or its time has passed",
            body = Problem, content_type = "application/problem+json")))]
async fn get(
    State(app): State<App>,
    Path(key): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let store = embedded(&app)?;
    let query = query.unwrap_or_default();
    let permission = store.verify(Operation::Get, &key, &query, app.clock.now())?;
    let key = permission.key();
    let info =
        app.artifacts.head(key).await?.ok_or_else(|| ArtifactError::NotFound(key.clone()))?;
    let bytes = app.artifacts.read(key).await?;
    let mut headers = HeaderMap::new();
    let kind = if key.file_name().ends_with(".tar.gz") {
        "application/gzip"
    } else {
        "application/octet-stream"
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(info.size));
    let name = format!("attachment; filename=\"{}\"", key.file_name());
    let name = HeaderValue::from_str(&name).map_err(|error| ApiError::internal(&error))?;
    headers.insert(CONTENT_DISPOSITION, name);
    Ok((headers, Body::from_stream(bytes)).into_response())
}
