//! Tokens by name, so that each of several people has one of their own that can be taken back.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use railsbench_core::id::TokenName;
use railsbench_core::protocol::{CreatedToken, NewToken, TokenList, TokenScope, TokenView};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::auth::{self, Operator};
use super::extract::{Call, PathId};
use super::problem::ApiError;
use crate::store::{Scope, StoredToken, TokenOwner};

/// How long a token is good for if nothing is said.
const VALID: Duration = Duration::from_hours(365 * 24);

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(revoke))
}

/// Makes a token for a person or program. The answer's `secret` is shown this once.
#[utoipa::path(post, path = "/tokens", tag = "tokens", security(("bearer" = [])),
    request_body(content = NewToken, content_type = "application/json"),
    responses(
        (status = 201, body = CreatedToken),
        (status = 409, description = "There is a token of this name",
            body = railsbench_core::protocol::Problem, content_type = "application/problem+json")))]
async fn create(
    _: Operator,
    State(app): State<App>,
    Call(wanted): Call<NewToken>,
) -> Result<(StatusCode, Json<CreatedToken>), ApiError> {
    let created_at = app.clock.now();
    let expires_at = auth::end(created_at, wanted.valid_seconds.map_or(VALID, Duration::from_secs));
    let scope = match wanted.scope {
        TokenScope::Operator => Scope::Operator,
        TokenScope::Reader => Scope::Reader,
    };
    let owner = TokenOwner { name: wanted.name.clone(), created_at };
    let secret = auth::store(&app, scope, expires_at, Some(owner)).await?;
    tracing::info!(name = %wanted.name, scope = wanted.scope.as_str(), "token created");
    let token = TokenView { name: wanted.name, scope: wanted.scope, created_at, expires_at };
    Ok((StatusCode::CREATED, Json(CreatedToken { token, secret })))
}

/// The tokens that were made by name and have not ended. What they are is not known any more.
#[utoipa::path(get, path = "/tokens", tag = "tokens", security(("bearer" = [])),
    responses((status = 200, body = TokenList)))]
async fn list(_: Operator, State(app): State<App>) -> Result<Json<TokenList>, ApiError> {
    let stored = app.store.owned_tokens(app.clock.now()).await?;
    Ok(Json(TokenList { tokens: stored.into_iter().filter_map(view).collect() }))
}

/// Ends a token: whoever bears it is refused from now on.
#[utoipa::path(delete, path = "/tokens/{name}", tag = "tokens", security(("bearer" = [])),
    params(("name" = String, Path, description = "Whose it is")),
    responses((status = 204, description = "It has ended")))]
async fn revoke(
    _: Operator,
    State(app): State<App>,
    PathId(name): PathId<TokenName>,
) -> Result<StatusCode, ApiError> {
    if !app.store.revoke_token(&name).await? {
        return Err(ApiError::not_found(format!("there is no token {name}")));
    }
    tracing::info!(%name, "token revoked");
    Ok(StatusCode::NO_CONTENT)
}

fn view(token: StoredToken) -> Option<TokenView> {
    let TokenOwner { name, created_at } = token.owner?;
    let scope = match token.scope {
        Scope::Operator => TokenScope::Operator,
        Scope::Reader => TokenScope::Reader,
        Scope::Run(_) | Scope::Login => return None,
    };
    Some(TokenView { name, scope, created_at, expires_at: token.expires_at })
}
