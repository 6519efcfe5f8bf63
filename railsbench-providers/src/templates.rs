//! Parts that the start-up scripts of all providers share.

/// The variables that every runner is told: `{{> environment}}`.
pub(crate) const ENVIRONMENT: (&str, &str) =
    ("environment", include_str!("templates/environment.sh.hbs"));

/// The certificate of the orchestrator's own CA, where it has one: `{{> ca}}`.
pub(crate) const CA: (&str, &str) = ("ca", include_str!("templates/ca.sh.hbs"));
