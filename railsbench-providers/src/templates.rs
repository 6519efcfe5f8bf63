//! Parts that the start-up scripts of all providers share.

/// The variables that every runner is told: `{{> environment}}`.
pub(crate) const ENVIRONMENT: (&str, &str) =
    ("environment", include_str!("templates/environment.sh.hbs"));
