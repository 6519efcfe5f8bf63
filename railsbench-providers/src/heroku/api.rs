//! The calls of the Platform API that railsbench makes, one function each, and what it reads of
//! their answers.
//!
//! Calls are tried again when no answer came, so each is safe to repeat: apps have a name of our
//! choice, config vars and the formation are set to values, and a build that was started twice
//! releases the same source twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use railsbench_core::provider::ProviderError;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::naming::{DynoKey, provider_name};
use super::release::{Release, checksum};
use super::settings::{HerokuToken, Settings};
use super::transfer::Transfer;
use crate::rest::{
    Answer, Dialect, PlainDialect, Refusal, RestClient, RestError, RetryPolicy, Verdict,
};

/// The image that apps run in: Ubuntu 24.04.
pub(super) const STACK: &str = "heroku-24";

/// Most lines of a log that Heroku keeps (devcenter.heroku.com/articles/logging, "Log history").
const LOG_LINES: u32 = 1500;

/// Calls at once. Heroku allows 4,500 an hour for each account, and no more at once than others.
const CALLS_AT_ONCE: usize = 8;

/// The Platform API, spoken to as the operator.
#[derive(Clone)]
pub(super) struct Api {
    rest: RestClient,
    transfer: Transfer,
}

/// An app, as far as it is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct App {
    pub(super) name: String,
    pub(super) region: Option<Named>,
    pub(super) created_at: Option<Timestamp>,
}

/// What is known of a thing by its name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Named {
    pub(super) name: String,
}

/// How many dynos a process type has, and of which size.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct ProcessType {
    #[serde(rename = "type")]
    pub(super) name: String,
    pub(super) quantity: u32,
    pub(super) size: String,
}

/// A dyno.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Dyno {
    pub(super) name: String,
    pub(super) state: String,
}

/// How a build is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum BuildStatus {
    Pending,
    Succeeded,
    Failed,
    /// One that the published interface does not name.
    #[serde(other)]
    Other,
}

/// A build.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Build {
    pub(super) id: String,
    pub(super) status: BuildStatus,
    pub(super) output_stream_url: Option<String>,
    source_blob: SourceBlob,
}

#[derive(Debug, Clone, Deserialize)]
struct SourceBlob {
    version: Option<String>,
}

impl Build {
    /// Whether it is of a release.
    pub(super) fn is_of(&self, release: &Release) -> bool {
        self.source_blob.version.as_ref() == Some(&release.version())
    }
}

#[derive(Deserialize)]
struct Source {
    source_blob: SourceUrls,
}

#[derive(Deserialize)]
struct SourceUrls {
    get_url: String,
    put_url: String,
}

#[derive(Deserialize)]
struct LogSession {
    logplex_url: String,
}

/// Config vars; each may be a secret.
pub(super) type ConfigVars = BTreeMap<String, SecretString>;

impl Api {
    pub(super) fn new(settings: &Settings, retry: RetryPolicy) -> Result<Self, ProviderError> {
        let url = settings.api_url.parse().map_err(|error| ProviderError::Call {
            provider: provider_name(),
            action: "reading HEROKU_API_URL".to_owned(),
            detail: format!("{:?} is no URL: {error}; unset it", settings.api_url),
        })?;
        let token =
            HerokuToken { api_key: settings.api_key.clone(), netrc: settings.netrc.clone() };
        let rest = RestClient::new(provider_name(), &url, Arc::new(HerokuDialect))?
            .with_tokens(Arc::new(token))
            .with_calls_at_once(CALLS_AT_ONCE)
            .with_retry(retry)
            .with_header("accept", "application/vnd.heroku+json; version=3")?;
        let transfer = Transfer::new(rest.is_on_this_host(), retry)?;
        Ok(Self { rest, transfer })
    }

    /// The account, with the headers that tell how many calls are left.
    pub(super) async fn account(&self) -> Result<Answer, RestError> {
        self.rest.get("looking up the account", &["account"]).send().await
    }

    /// A thing that is only looked at by preflight; absent if there is none.
    pub(super) async fn look_up(
        &self,
        kind: &str,
        path: [&str; 2],
    ) -> Result<Option<Value>, RestError> {
        let call = self.rest.get(format!("looking up the {kind} {}", path[1]), &path);
        present(call.send().await).map(|answer| answer.map(|answer| answer.body))
    }

    /// The regions that apps can be in, those of private spaces too.
    pub(super) async fn regions(&self) -> Result<Vec<Named>, ProviderError> {
        self.pages("listing the regions", &["regions"]).await
    }

    pub(super) async fn app(&self, app: &str) -> Result<Option<App>, RestError> {
        present(self.rest.get(format!("looking up the app {app}"), &["apps", app]).send_for().await)
    }

    /// Makes an app, for a team and in a private space where those are set.
    pub(super) async fn create_app(
        &self,
        app: &str,
        settings: &Settings,
        region: Option<&str>,
    ) -> Result<(), RestError> {
        let mut body = json!({"name": app, "stack": STACK});
        if let Some(region) = region {
            body["region"] = region.into();
        }
        let path: &[&str] = match &settings.team {
            Some(team) => {
                body["team"] = team.as_str().into();
                &["teams", "apps"]
            }
            None => &["apps"],
        };
        if let Some(space) = &settings.space {
            body["space"] = space.as_str().into();
        }
        self.rest.post(format!("making the app {app}"), path).json(&body).send().await.map(|_| ())
    }

    /// Deletes an app with all that it has; fine if there is none.
    pub(super) async fn delete_app(&self, app: &str) -> Result<(), RestError> {
        let call = self.rest.delete(format!("deleting the app {app}"), &["apps", app]);
        present(call.send().await).map(|_| ())
    }

    /// All apps that the account may see, and those of the team.
    pub(super) async fn apps(&self, team: Option<&str>) -> Result<Vec<App>, ProviderError> {
        let mut apps: Vec<App> = self.pages("listing the apps", &["apps"]).await?;
        if let Some(team) = team {
            let path = ["teams", team, "apps"];
            let of_team: Vec<App> = self.pages("listing the apps of the team", &path).await?;
            for app in of_team {
                if !apps.contains(&app) {
                    apps.push(app);
                }
            }
        }
        Ok(apps)
    }

    /// All pages of a list: each names the range of the next.
    async fn pages<T: DeserializeOwned>(
        &self,
        action: &str,
        path: &[&str],
    ) -> Result<Vec<T>, ProviderError> {
        let mut items = Vec::new();
        let mut range = Some("name ..; max=1000".to_owned());
        while let Some(wanted) = range {
            let answer = self.rest.get(action, path).header("range", &wanted).send().await?;
            let next = answer.header("next-range").map(str::to_owned);
            // The same range again would never end.
            range = next.filter(|next| answer.status == 206 && *next != wanted);
            let page: Vec<T> =
                serde_json::from_value(answer.body).map_err(|error| ProviderError::Call {
                    provider: provider_name(),
                    action: action.to_owned(),
                    detail: format!("the answer is not understood: {error}"),
                })?;
            items.extend(page);
        }
        Ok(items)
    }

    /// The config vars of an app; absent if there is no such app.
    pub(super) async fn config_vars(&self, app: &str) -> Result<Option<ConfigVars>, RestError> {
        let path = ["apps", app, "config-vars"];
        present(self.rest.get(format!("reading the config vars of {app}"), &path).send_for().await)
    }

    pub(super) async fn set_config_vars(
        &self,
        app: &str,
        vars: &ConfigVars,
    ) -> Result<(), RestError> {
        let body: BTreeMap<&str, &str> =
            vars.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
        let path = ["apps", app, "config-vars"];
        let call = self.rest.patch(format!("setting the config vars of {app}"), &path);
        call.json(&body).send().await.map(|_| ())
    }

    pub(super) async fn builds(&self, app: &str) -> Result<Vec<Build>, RestError> {
        self.rest
            .get(format!("listing the builds of {app}"), &["apps", app, "builds"])
            .send_for()
            .await
    }

    pub(super) async fn build(&self, app: &str, build: &str) -> Result<Build, RestError> {
        let path = ["apps", app, "builds", build];
        self.rest.get(format!("looking up the build of {app}"), &path).send_for().await
    }

    /// Uploads the source of a release and has it built.
    pub(super) async fn start_build(
        &self,
        app: &str,
        release: &Release,
    ) -> Result<Build, ProviderError> {
        let archive = release.archive().map_err(|error| ProviderError::Call {
            provider: provider_name(),
            action: "packing the release".to_owned(),
            detail: error.to_string(),
        })?;
        let call = self
            .rest
            .post(format!("asking for a place for the source of {app}"), &["apps", app, "sources"]);
        let source: Source = call.send_for().await?;
        let action = format!("uploading the source of {app}");
        self.transfer.put(&action, &source.source_blob.put_url, &archive).await?;
        let buildpacks: Vec<Value> =
            release.buildpacks.iter().map(|url| json!({"url": url})).collect();
        let body = json!({
            "buildpacks": buildpacks,
            "source_blob": {
                "checksum": checksum(&archive),
                "url": source.source_blob.get_url,
                "version": release.version(),
            },
        });
        let call =
            self.rest.post(format!("building the release of {app}"), &["apps", app, "builds"]);
        Ok(call.json(&body).send_for().await?)
    }

    /// The end of what a build has printed; empty if that is not to be had.
    pub(super) async fn build_output(&self, build: &Build) -> String {
        let Some(url) = &build.output_stream_url else { return String::new() };
        self.transfer.text("reading the output of the build", url).await.unwrap_or_default()
    }

    /// The process types of an app; absent if there is no such app.
    pub(super) async fn formation(&self, app: &str) -> Result<Option<Vec<ProcessType>>, RestError> {
        let path = ["apps", app, "formation"];
        present(
            self.rest.get(format!("looking up the process types of {app}"), &path).send_for().await,
        )
    }

    /// Sets size and number of the dynos of a process type.
    pub(super) async fn scale(
        &self,
        app: &str,
        process_type: &str,
        quantity: u32,
    ) -> Result<(), RestError> {
        // Each process type is of the size that it is named after.
        let update = json!({
            "type": process_type,
            "quantity": quantity,
            "dyno_size": {"name": process_type},
        });
        let action = format!("scaling {process_type} of {app} to {quantity}");
        let call = self.rest.patch(action, &["apps", app, "formation"]);
        call.json(&json!({"updates": [update]})).send().await.map(|_| ())
    }

    /// The dynos of an app; absent if there is no such app.
    pub(super) async fn dynos(&self, app: &str) -> Result<Option<Vec<Dyno>>, RestError> {
        present(
            self.rest
                .get(format!("looking up the dynos of {app}"), &["apps", app, "dynos"])
                .send_for()
                .await,
        )
    }

    /// The last lines that a dyno has printed; absent if there is no such app.
    pub(super) async fn log(&self, key: &DynoKey) -> Result<Option<String>, ProviderError> {
        let action = format!("reading the log of {key}");
        let path = ["apps", key.app.as_str(), "log-sessions"];
        let call = self.rest.call(Method::POST, action.as_str(), &path);
        let body = json!({"dyno_name": key.dyno(), "lines": LOG_LINES, "tail": false});
        let session: Option<LogSession> = present(call.json(&body).send_for().await)?;
        let Some(session) = session else { return Ok(None) };
        self.transfer.text(&action, &session.logplex_url).await.map(Some)
    }
}

/// Takes "there is none" for an answer.
#[allow(clippy::result_large_err)] // it is the error of every call, passed on
fn present<T>(answer: Result<T, RestError>) -> Result<Option<T>, RestError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.status() == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Heroku's errors: `{"id": "not_found", "message": "Couldn't find that app."}`
/// (devcenter.heroku.com/articles/platform-api-reference, "Error responses").
struct HerokuDialect;

impl Dialect for HerokuDialect {
    fn read(&self, body: &Value) -> (String, String) {
        PlainDialect.read(body)
    }

    fn judge(&self, refusal: &Refusal) -> Verdict {
        let message = refusal.message.to_ascii_lowercase();
        let credentials = |fix: &str| Verdict::Credentials { fix: fix.to_owned() };
        match (refusal.status, refusal.code.as_str()) {
            (401, _) => credentials(
                "run `heroku login`, or set HEROKU_API_KEY to what `heroku authorizations:create` \
                 prints",
            ),
            (402, _) => {
                credentials("put a means of payment on the account: https://heroku.com/verify")
            }
            (403, "two_factor") => {
                credentials("use a token of `heroku authorizations:create`, which needs no code")
            }
            (403, _) => credentials(
                "use a token of the scopes identity and write-protected, of an account that may do this",
            ),
            (429, _) | (_, "rate_limit") => Verdict::Throttled,
            (422, _)
                if message.contains("limit")
                    || message.contains("eco") && message.contains("subscri") =>
            {
                Verdict::Capacity
            }
            _ => Verdict::Failed { fix: None },
        }
    }
}
