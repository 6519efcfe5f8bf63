//! The published contract, generated from the routes themselves.

use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, Content, InfoBuilder, OpenApi, Ref, RefOr, ResponseBuilder, Server as ApiServer,
};
use utoipa::{PartialSchema, ToSchema};

use railsbench_core::config::FieldError;
use railsbench_core::protocol::Problem;

use super::auth::SESSION_COOKIE;
use super::described;

/// What goes wrong in the same way on many routes.
const MALFORMED: &str = "The body or the query cannot be read";
const INVALID: &str = "A field is wrong; `errors` says which, and what to do";
const TOO_LARGE: &str = "The body is larger than this call takes";
const UNSUPPORTED: &str = "The body is of another content type than this call takes";
const UNAUTHORIZED: &str = "No token, or one that is unknown or has expired";
const FORBIDDEN: &str = "The token is good, but not for this call";
const NOT_FOUND: &str = "There is nothing of this name";
const INTERNAL: &str = "A defect of the server; its log says more";
const UNAVAILABLE: &str = "The server drains, or its store does not answer; see Retry-After";

/// The OpenAPI document as JSON.
pub fn document() -> String {
    let mut document = described().into_openapi();
    complete(&mut document);
    document.to_json().expect("the document consists of strings, numbers, lists and maps only")
}

fn complete(document: &mut OpenApi) {
    document.info = InfoBuilder::new()
        .title("railsbench orchestrator")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Runs, their tasks, and the runners that carry them out. Errors are \
             `application/problem+json` (RFC 9457). Operators, readers and the runners of one \
             run send `Authorization: Bearer TOKEN`.",
        ))
        .build();
    document.servers = Some(vec![ApiServer::new("/")]);
    let components = document.components.get_or_insert_with(Components::new);
    components.add_security_scheme(
        "bearer",
        SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
    );
    components.add_security_scheme(
        "session",
        SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(SESSION_COOKIE))),
    );
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    components.schemas.insert(FieldError::name().into_owned(), FieldError::schema());
    // Routes write `{*key}` for a parameter with slashes, OpenAPI `{key}`.
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths =
        paths.into_iter().map(|(path, item)| (path.replace("{*", "{"), item)).collect();
    for (path, item) in &mut document.paths.paths {
        for operation in operations(item) {
            let guarded = operation.security.is_some();
            let takes = |kind: &str| matches!(&operation.request_body, Some(RefOr::T(body)) if body.content.contains_key(kind));
            let (json, form) =
                (takes("application/json"), takes("application/x-www-form-urlencoded"));
            let queried = operation
                .parameters
                .iter()
                .flatten()
                .any(|parameter| {
                    matches!(parameter, RefOr::T(it) if it.parameter_in == ParameterIn::Query)
                });
            if json || form || queried {
                describe(operation, "400", MALFORMED);
                describe(operation, "422", INVALID);
            }
            if json || form {
                describe(operation, "413", TOO_LARGE);
            }
            if form {
                describe(operation, "415", UNSUPPORTED);
            }
            describe(operation, "500", INTERNAL);
            describe(operation, "503", UNAVAILABLE);
            if guarded {
                describe(operation, "401", UNAUTHORIZED);
                describe(operation, "403", FORBIDDEN);
            }
            if path.contains('{') {
                describe(operation, "404", NOT_FOUND);
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch]
        .into_iter()
        .flatten()
}

fn describe(operation: &mut Operation, status: &str, description: &str) {
    operation.responses.responses.entry(status.to_owned()).or_insert_with(|| {
        ResponseBuilder::new()
            .description(description)
            .content(
                "application/problem+json",
                Content::new(Some(Ref::from_schema_name(Problem::name()))),
            )
            .build()
            .into()
    });
}
