//! What Heroku is given: config vars and a release, shown as one script.
//!
//! A dyno has no start-up script. The script that is rendered here does on a Unix host what
//! railsbench does at Heroku: it sets the config vars and writes the files of the source. It is
//! there to be read, to be tested like the user data of the other providers, and to try a release
//! by hand.

use std::sync::LazyLock;

use railsbench_core::provider::{RenderError, ScriptTemplates, UserData, UserDataVars};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::naming::{provider_name, size};
use super::release::Release;
use crate::templates::ENVIRONMENT;

/// Heroku takes no more config vars than this, names and values together
/// (devcenter.heroku.com/articles/config-vars, "Limits").
const CONFIG_VARS_LIMIT: usize = 64 * 1024;

/// The config var that marks an app as ours, and says for which run it is.
pub(super) const RUN: &str = "RAILSBENCH_RUN";

/// The config var that says when an app may be removed by anyone, and no runner runs any more.
pub(super) const EXPIRES: &str = "RAILSBENCH_EXPIRES";

/// The config var with the run token.
pub(super) const API_KEY: &str = "API_KEY";

static TEMPLATES: LazyLock<ScriptTemplates> = LazyLock::new(|| {
    ScriptTemplates::new(&[ENVIRONMENT, ("script", include_str!("user_data.sh.hbs"))])
        .expect("these texts are compiled in, and a test renders them")
});

pub(super) fn render(vars: &UserDataVars) -> Result<UserData, RenderError> {
    let bytes = config_vars(vars).iter().map(|(name, value)| name.len() + value.expose_secret().len()).sum();
    if bytes > CONFIG_VARS_LIMIT {
        return Err(RenderError::TooLarge { provider: provider_name(), bytes, limit: CONFIG_VARS_LIMIT });
    }
    let release = Release::new(vars)?;
    let spelling = spelling(vars).map(|(variable, value)| json!({"variable": variable, "value": value}));
    let more = json!({
        "spelling": spelling,
        "buildpacks": release.buildpacks,
        "files": release.files,
    });
    TEMPLATES.render("script", vars, more)
}

/// The config vars of a run's app, but for the time of its end.
pub(super) fn config_vars(vars: &UserDataVars) -> Vec<(String, SecretString)> {
    let lifetime = vars.max_lifetime.as_secs().to_string();
    let mut config_vars: Vec<(String, SecretString)> = [
        ("ORCHESTRATOR_URL", vars.orchestrator_url.as_str()),
        ("RUN_ID", vars.run_id.as_str()),
        ("PROVIDER", vars.provider.as_str()),
        ("MAX_LIFETIME_SECONDS", lifetime.as_str()),
        (RUN, vars.run_id.as_str()),
    ]
    .map(|(name, value)| (name.to_owned(), SecretString::from(value)))
    .into();
    config_vars.push((API_KEY.to_owned(), vars.api_key.clone()));
    config_vars.extend(spelling(vars).map(|(name, value)| (name, SecretString::from(value))));
    config_vars
}

/// The config var that tells a dyno how the operator spells its size, if not as Heroku does:
/// tasks are for instance types as the operator spells them.
fn spelling(vars: &UserDataVars) -> Option<(String, String)> {
    let size = size(&vars.instance_type);
    let spelled = vars.instance_type.as_str();
    (size != spelled).then(|| {
        let name = size.to_uppercase().replace(['-', '.'], "_");
        (format!("RAILSBENCH_SPELLING_{name}"), spelled.to_owned())
    })
}
