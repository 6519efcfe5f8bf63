//! Whether a machine can reach the artifact store: it puts a tiny probe there, and asks.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use railsbench_core::id::InvalidId;
use railsbench_core::protocol::{ConnectivityProbe, ConnectivityUpload};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::auth::{Principal, Runner};
use super::extract::PathId;
use super::problem::ApiError;
use super::results::measure;
use crate::artifacts::{ArtifactError, ArtifactKey};

/// Largest probe, in bytes.
const MAX_PROBE: u64 = 64 << 10;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(offer)).routes(routes!(probe))
}

/// Name of a probe: 26 characters of Crockford base32.
#[derive(Debug)]
struct ProbeId(String);

impl std::str::FromStr for ProbeId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.len() == 26 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidId {
            kind: "probe",
            value: text.chars().take(80).collect(),
            rule: "it must be the 26 letters and digits that POST /connectivity/upload gave",
        })
    }
}

/// A place to put a probe of at most 64 KiB. It is removed an hour later.
#[utoipa::path(post, path = "/connectivity/upload", tag = "connectivity", security(("bearer" = [])),
    responses((status = 201, body = ConnectivityUpload)))]
async fn offer(
    _: Runner,
    State(app): State<App>,
) -> Result<(StatusCode, Json<ConnectivityUpload>), ApiError> {
    let now = app.clock.now();
    let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or(0);
    let id = ulid::Ulid::from_parts(milliseconds, rand::random()).to_string();
    let key = ArtifactKey::probe(&id)?;
    let valid = app.config.upload_url_valid;
    let signed = app.artifacts.sign_put(&key, MAX_PROBE, valid, now).await?;
    let offer = ConnectivityUpload { id, upload_url: signed.url, max_bytes: MAX_PROBE };
    Ok((StatusCode::CREATED, Json(offer)))
}

/// Whether a probe arrived, and what arrived.
#[utoipa::path(get, path = "/connectivity/upload/{id}", tag = "connectivity",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "The probe")),
    responses((status = 200, body = ConnectivityProbe)))]
async fn probe(
    _: Principal,
    State(app): State<App>,
    PathId(ProbeId(id)): PathId<ProbeId>,
) -> Result<Json<ConnectivityProbe>, ApiError> {
    let found = match measure(app.artifacts.as_ref(), &ArtifactKey::probe(&id)?).await {
        Ok(found) => Some(found),
        Err(ArtifactError::NotFound(_)) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Json(ConnectivityProbe {
        id,
        arrived: found.is_some(),
        size: found.as_ref().map(|object| object.size),
        sha256: found.map(|object| object.sha256),
    }))
}
