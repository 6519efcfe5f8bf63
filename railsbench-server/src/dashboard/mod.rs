//! The dashboard's pages: what the routes of `http/pages.rs` and `http/login.rs` show.
//!
//! Pages are rendered here and work without the script; the script only asks for them again
//! when there is news. Everything from outside passes through the templates' escaping, and the
//! content security policy allows neither inline script nor inline style.

mod runs;

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use handlebars::Handlebars;
use serde::Serialize;
use serde_json::json;

pub(crate) use runs::{home, run};

use crate::http::{ApiError, App};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

const PAGES: [(&str, &str); 5] = [
    ("layout", include_str!("templates/layout.hbs")),
    ("home", include_str!("templates/home.hbs")),
    ("run", include_str!("templates/run.hbs")),
    ("login", include_str!("templates/login.hbs")),
    ("welcome", include_str!("templates/welcome.hbs")),
];

/// The templates, parsed.
pub(crate) struct Templates(Handlebars<'static>);

impl Templates {
    pub(crate) fn new() -> Self {
        let mut templates = Handlebars::new();
        templates.set_strict_mode(true);
        for (name, text) in PAGES {
            templates
                .register_template_string(name, text)
                .expect("the templates are part of the program, and a test renders each of them");
        }
        Self(templates)
    }

    fn render(&self, name: &str, data: &impl Serialize) -> Result<Response, ApiError> {
        let html = self.0.render(name, data).map_err(|error| ApiError::internal(&error))?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        Ok((headers, html).into_response())
    }
}

/// The login form, with something to say or not.
pub(crate) fn login(
    app: &App,
    status: StatusCode,
    message: Option<&str>,
) -> Result<Response, ApiError> {
    let data = json!({"title": "Log in", "message": message, "base": path_prefix(app)});
    let mut response = app.templates.render("login", &data)?;
    *response.status_mut() = status;
    Ok(response)
}

/// The page after a login; it leads to the dashboard by itself.
pub(crate) fn welcome(app: &App) -> Result<Response, ApiError> {
    app.templates.render("welcome", &json!({"title": "Logged in", "base": path_prefix(app)}))
}

/// What paths begin with, where the public URL has a path: empty, or `/some/where`.
fn path_prefix(app: &App) -> String {
    let path = app.config.public_url.as_ref().map_or("", |url| url.path());
    path.trim_end_matches('/').to_owned()
}

/// The script.
pub(crate) fn script() -> impl IntoResponse {
    asset("text/javascript; charset=utf-8", include_str!("assets/dashboard.js"))
}

/// The style sheet.
pub(crate) fn style() -> impl IntoResponse {
    asset("text/css; charset=utf-8", include_str!("assets/dashboard.css"))
}

fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text)
}
