//! What runners say: what a heartbeat may carry of it, and who may read it.

use axum::Json;
use axum::extract::State;
use railsbench_core::id::{Attempt, TaskId};
use railsbench_core::protocol::{MAX_LOG_TEXT, TaskLog};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::auth::Reader;
use super::extract::{Params, PathId};
use super::problem::ApiError;

/// The furthest place in a log that is believed; JSON's numbers are exact up to here.
const FURTHEST: u64 = 1 << 53;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(log))
}

/// Checks what a heartbeat carries of a log: its place, and the text, in which every control
/// character but tab and line feed becomes as many spaces as it has bytes.
pub(super) fn said(
    text: Option<String>,
    offset: Option<u64>,
) -> Result<Option<(u64, String)>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.len() > MAX_LOG_TEXT {
        return Err(ApiError::field(
            "log",
            format!("it has {} bytes", text.len()),
            format!("send at most {MAX_LOG_TEXT} with a heartbeat, and the rest with the next"),
        ));
    }
    let fix = "send where in all that was said `log` begins, in bytes";
    let offset = offset.ok_or_else(|| ApiError::field("log_offset", "missing", fix))?;
    if offset > FURTHEST {
        return Err(ApiError::field("log_offset", format!("{offset} is out of range"), fix));
    }
    Ok(Some((offset, printable(&text))))
}

fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && !matches!(character, '\n' | '\t') {
            printable.extend(std::iter::repeat_n(' ', character.len_utf8()));
        } else {
            printable.push(character);
        }
    }
    printable
}

/// After which place of a log to go on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct After {
    /// Only what was said during this attempt or a later one.
    attempt: Option<u32>,
    /// Of this attempt only what comes after so many bytes.
    offset: Option<u64>,
}

/// What was said during the latest attempts at a task: the end of it, as far as heartbeats have
/// brought it.
#[utoipa::path(get, path = "/tasks/{id}/log", tag = "tasks", security(("bearer" = [])),
    params(("id" = String, Path, description = "The task"), After),
    responses((status = 200, body = TaskLog)))]
async fn log(
    _: Reader,
    State(app): State<App>,
    PathId(id): PathId<TaskId>,
    Params(after): Params<After>,
) -> Result<Json<TaskLog>, ApiError> {
    let after = after.attempt.map(|attempt| (Attempt(attempt), after.offset.unwrap_or(0)));
    let parts = app.store.log(&id, after).await?;
    let later = parts.into_iter().filter_map(|part| match after {
        Some((attempt, place)) if attempt == part.attempt => part.after(place),
        _ => Some(part),
    });
    Ok(Json(TaskLog { parts: later.collect() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_heartbeat_says_is_checked_and_made_printable() {
        assert!(said(None, Some(7)).unwrap().is_none());
        assert!(said(Some(String::new()), None).unwrap().is_none());
        let text = "a\u{1b}[31m\0\u{85}b\tc\n";
        let (offset, printable) = said(Some(text.to_owned()), Some(7)).unwrap().unwrap();
        assert_eq!((offset, printable.as_str()), (7, "a [31m   b\tc\n"));
        assert_eq!(printable.len(), text.len(), "places stay what they are");
        for (text, offset) in [
            ("x".repeat(MAX_LOG_TEXT + 1), Some(0)),
            ("x".to_owned(), None),
            ("x".to_owned(), Some(u64::MAX)),
        ] {
            assert_eq!(said(Some(text), offset).unwrap_err().status(), 422);
        }
    }
}
