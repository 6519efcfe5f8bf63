//! How a browser gets to look: a one-time link, or a token typed into a form, becomes a cookie
//! with a reader token of its own.

use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::header::{HeaderValue, SET_COOKIE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Form, Json};
use railsbench_core::protocol::LoginLink;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::auth::{self, Operator, Principal, SESSION_COOKIE};
use super::extract::Params;
use super::problem::ApiError;
use crate::dashboard;
use crate::store::Scope;

/// How long a login link is good for.
const LINK_VALID: Duration = Duration::from_mins(15);

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(login_link))
        .routes(routes!(login_page, login))
        .routes(routes!(logout))
}

/// Makes a link that opens the dashboard in a browser once, within 15 minutes.
#[utoipa::path(post, path = "/login-links", tag = "dashboard", security(("bearer" = [])),
    responses((status = 201, body = LoginLink)))]
async fn login_link(
    _: Operator,
    State(app): State<App>,
) -> Result<(StatusCode, Json<LoginLink>), ApiError> {
    let (code, expires_at) = auth::mint(&app, Scope::Login, LINK_VALID).await?;
    let url = SecretString::from(app.url(&format!("/login?code={}", code.expose_secret())));
    Ok((StatusCode::CREATED, Json(LoginLink { url, expires_at })))
}

/// A link's code.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Code {
    /// Of a login link, good once.
    code: Option<String>,
}

/// The login form; with a good `code`, a page that is logged in and leads to the dashboard.
#[utoipa::path(get, path = "/login", tag = "dashboard", params(Code),
    responses(
        (status = 200, description = "A page", body = String, content_type = "text/html"),
        (status = 401, description = "The code is unknown, used or expired", body = String,
            content_type = "text/html")))]
async fn login_page(
    method: Method,
    State(app): State<App>,
    Params(Code { code }): Params<Code>,
) -> Result<Response, ApiError> {
    // Programs that look at links before people do mostly ask with HEAD: that uses none up.
    let Some(code) = code.filter(|_| method == Method::GET) else {
        return dashboard::login(&app, StatusCode::OK, None);
    };
    let taken = app.store.take_token(&auth::hash(&code), app.clock.now()).await?;
    match taken.map(|token| token.scope) {
        Some(Scope::Login) => enter(&app).await,
        _ => dashboard::login(
            &app,
            StatusCode::UNAUTHORIZED,
            Some(
                "This link has been used or has expired. Ask for a new one, or log in with a token.",
            ),
        ),
    }
}

/// What the login form sends.
#[derive(Deserialize, ToSchema)]
struct Credentials {
    /// An operator or reader token.
    token: String,
}

/// Logs a browser in with an operator or reader token.
#[utoipa::path(post, path = "/login", tag = "dashboard",
    request_body(content = Credentials, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "Logged in: a page that leads to the dashboard", body = String,
            content_type = "text/html"),
        (status = 401, description = "The token is unknown, or not one to look with",
            body = String, content_type = "text/html")))]
async fn login(
    State(app): State<App>,
    form: Result<Form<Credentials>, FormRejection>,
) -> Result<Response, ApiError> {
    let Form(credentials) = form.map_err(|rejection| {
        ApiError::new(rejection.status(), "malformed", "send a form with the field token")
    })?;
    match Principal::of_token(&app, credentials.token.trim()).await? {
        Some(Principal::Operator | Principal::Reader) => enter(&app).await,
        _ => dashboard::login(
            &app,
            StatusCode::UNAUTHORIZED,
            Some("This token is unknown, has expired, or is not one to look with."),
        ),
    }
}

/// Ends a browser's session.
#[utoipa::path(post, path = "/logout", tag = "dashboard",
    responses((status = 200, description = "Logged out", body = String, content_type = "text/html")))]
async fn logout(State(app): State<App>, headers: HeaderMap) -> Result<Response, ApiError> {
    if let Some(token) = auth::session_cookie(&headers) {
        let hash = auth::hash(token);
        // Only what the dashboard gave out is taken away: a cookie may hold anything.
        let known = app.store.token(&hash, app.clock.now()).await?;
        if known.is_some_and(|token| token.scope == Scope::Reader) {
            app.store.take_token(&hash, app.clock.now()).await?;
        }
    }
    let response = dashboard::login(&app, StatusCode::OK, Some("You are logged out."))?;
    with_cookie(&app, response, "", Duration::ZERO)
}

/// Gives the browser a reader token of its own. The page leads on by itself, because a redirect
/// after a click in another site would not carry a strict cookie.
async fn enter(app: &App) -> Result<Response, ApiError> {
    let valid = app.config.session_valid;
    let (token, _) = auth::mint(app, Scope::Reader, valid).await?;
    let page = dashboard::welcome(app)?;
    with_cookie(app, page, token.expose_secret(), valid)
}

fn with_cookie(
    app: &App,
    page: Response,
    token: &str,
    valid: Duration,
) -> Result<Response, ApiError> {
    let secure = if app.base_url.starts_with("https:") { "; Secure" } else { "" };
    let cookie = format!(
        "{SESSION_COOKIE}={token}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}",
        valid.as_secs()
    );
    let mut cookie = HeaderValue::from_str(&cookie).map_err(|error| ApiError::internal(&error))?;
    cookie.set_sensitive(true);
    let mut response = page.into_response();
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}
