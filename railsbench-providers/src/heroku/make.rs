//! Makes what a plan says, and takes it back if that fails.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use railsbench_core::provider::{JournalStep, Machine, Plan, ProviderError};
use secrecy::{ExposeSecret, SecretString};

use super::api::{Api, Build, BuildStatus, ConfigVars};
use super::inventory::is_of;
use super::naming::{DynoKey, place, provider_name, size};
use super::patience::Patience;
use super::plan::EXPECTATIONS;
use super::release::Release;
use super::settings::Settings;
use super::tags;
use super::user_data::config_vars;
use super::watch::quantity;
use crate::diary::Diary;
use crate::rest::RestError;
use crate::vm::tags::Tags;

/// A build takes two to four minutes.
const BUILD_PATIENCE: Duration = Duration::from_mins(20);

/// How much of what a failed build has printed is shown.
const BUILD_LINES: usize = 12;

/// One provision.
pub(super) struct Maker<'a> {
    pub(super) api: &'a Api,
    pub(super) settings: &'a Settings,
    pub(super) plan: &'a Plan,
    pub(super) diary: Diary,
    pub(super) patience: Patience,
    /// What this provision has changed, oldest first.
    pub(super) made: Vec<Made>,
}

/// Something that can be taken back.
pub(super) enum Made {
    App(String),
    Dynos { app: String, process_type: String, before: u32 },
}

impl Maker<'_> {
    /// The apps that the machines are in.
    pub(super) fn apps(&self) -> Result<BTreeSet<String>, ProviderError> {
        Ok(self.keys()?.into_iter().map(|(key, _)| key.app).collect())
    }

    /// Makes the apps, waits for their builds, which go on at the same time, and scales them.
    pub(super) async fn make(&mut self) -> Result<Vec<Machine>, ProviderError> {
        let keys = self.keys()?;
        let mut builds = Vec::new();
        for app in self.apps()? {
            let build = self.make_app(&app).await?;
            builds.push((app, build));
        }
        for (app, build) in builds {
            if let Some(build) = build {
                self.finish_build(&app, build).await?;
            }
            let here = keys.iter().filter(|(key, _)| key.app == app).map(|(key, _)| key);
            self.make_dynos(&app, here.collect()).await?;
        }
        Ok(keys.into_iter().map(|(_, machine)| machine).collect())
    }

    /// Where the machines are, with those machines.
    fn keys(&self) -> Result<Vec<(DynoKey, Machine)>, ProviderError> {
        self.plan
            .machines
            .iter()
            .map(|planned| {
                let number =
                    planned.name.rsplit_once('.').and_then(|(_, number)| number.parse().ok());
                let number = number.filter(|number| *number > 0).ok_or_else(|| {
                    failed("making a machine", format!("{:?} is no name of one", planned.name))
                })?;
                let key = place(&self.plan.run_id, &size(&planned.instance_type), number);
                let machine = Machine {
                    id: key.id(),
                    name: planned.name.clone(),
                    instance_type: planned.instance_type.clone(),
                    region: planned.region.clone(),
                };
                Ok((key, machine))
            })
            .collect()
    }

    /// Makes sure that there is an app with the run's config vars, and that its release is there
    /// or is being built. Gives the build.
    async fn make_app(&mut self, app: &str) -> Result<Option<Build>, ProviderError> {
        self.diary.write("app", app, JournalStep::Intend).await?;
        let vars = self.ensure_app(app).await?;
        self.diary.write("app", app, JournalStep::Created { id: app.to_owned() }).await?;
        self.ensure_config_vars(app, &vars).await?;
        self.ensure_release(app).await
    }

    /// Makes the app, or finds it made by an earlier provision of the run. Gives its config vars.
    async fn ensure_app(&mut self, app: &str) -> Result<ConfigVars, ProviderError> {
        let missing = match self.api.app(app).await {
            Ok(found) => found.is_none(),
            // So Heroku answers about the apps of others.
            Err(error) if error.status() == Some(403) => return Err(self.taken(app)),
            Err(error) => return Err(error.into()),
        };
        if missing {
            self.made.push(Made::App(app.to_owned()));
            let region = self.plan.machines.first().and_then(|machine| machine.region.as_deref());
            match self.api.create_app(app, self.settings, region).await {
                Ok(()) => return Ok(ConfigVars::new()),
                // Whose it is, its config vars tell. It may be of an earlier attempt of this call,
                // whose answer was lost, or of an earlier provision.
                Err(error) if is_taken(&error) => {
                    if error.attempts == 1 {
                        self.made.pop();
                    }
                }
                Err(error) => {
                    if !error.may_have_happened() {
                        self.made.pop();
                    }
                    return Err(error.into());
                }
            }
        }
        // One that is not there, or not to be looked into, belongs to someone else.
        let vars = match self.api.config_vars(app).await {
            Ok(vars) => vars.filter(|vars| is_of(vars, &self.plan.run_id)),
            Err(error) if error.status() == Some(403) => None,
            Err(error) => return Err(error.into()),
        };
        vars.ok_or_else(|| {
            self.made.retain(|made| !matches!(made, Made::App(made) if made == app));
            self.taken(app)
        })
    }

    fn taken(&self, app: &str) -> ProviderError {
        failed(
            format!("making the app {app}"),
            format!(
                "the name is taken by an app that is not of run {}; names are worldwide: give \
                 the run another id",
                self.plan.run_id
            ),
        )
    }

    /// Sets the config vars where they are not as they should be: that starts all dynos anew.
    async fn ensure_config_vars(&self, app: &str, found: &ConfigVars) -> Result<(), ProviderError> {
        let mut wanted = config_vars(&self.plan.vars);
        let same = |(name, value): (&String, &SecretString)| {
            found.get(name).is_some_and(|found| found.expose_secret() == value.expose_secret())
        };
        let now = Timestamp::now();
        let lives =
            tags::read(found).is_some_and(|tags| tags.expires_at.is_some_and(|at| at > now));
        if lives && wanted.iter().all(same) {
            return Ok(());
        }
        let life = self.plan.max_lifetime.saturating_add(EXPECTATIONS.boot);
        wanted.extend(tags::as_config_vars(&Tags::new(&self.plan.run_id, now, life)));
        Ok(self.api.set_config_vars(app, &wanted).await?)
    }

    /// Has the release built, unless that was done or is being done.
    async fn ensure_release(&self, app: &str) -> Result<Option<Build>, ProviderError> {
        let release = Release::new(&self.plan.vars)
            .map_err(|error| failed("packing the release", error.to_string()))?;
        let builds = self.api.builds(app).await?;
        let of_it = |status: BuildStatus| {
            builds.iter().find(|build| build.is_of(&release) && build.status == status)
        };
        if of_it(BuildStatus::Succeeded).is_some() {
            return Ok(None);
        }
        match of_it(BuildStatus::Pending) {
            Some(build) => Ok(Some(build.clone())),
            None => self.api.start_build(app, &release).await.map(Some),
        }
    }

    /// Waits for the end of a build.
    async fn finish_build(&self, app: &str, mut build: Build) -> Result<(), ProviderError> {
        let waiting = Patience { longest: BUILD_PATIENCE, ..self.patience }.begin();
        while build.status == BuildStatus::Pending {
            if !waiting.next_look().await {
                let minutes = BUILD_PATIENCE.as_secs() / 60;
                let detail = format!("it is not done after {minutes} minutes");
                return Err(failed(format!("building the release of {app}"), detail));
            }
            build = self.api.build(app, &build.id).await?;
        }
        if build.status == BuildStatus::Succeeded {
            return Ok(());
        }
        let problem = self.build_problem(&build).await;
        Err(failed(format!("building the release of {app}"), problem))
    }

    async fn build_problem(&self, build: &Build) -> String {
        let output = self.api.build_output(build).await;
        let output = output.replace(self.plan.vars.api_key.expose_secret(), "********");
        let lines: Vec<&str> = output.lines().collect();
        let last = &lines[lines.len().saturating_sub(BUILD_LINES)..];
        if last.is_empty() {
            "the build failed and printed nothing".to_owned()
        } else {
            format!("the build failed; its last lines are:\n{}", last.join("\n"))
        }
    }

    /// Scales the process type up to the highest number. What runs already goes on.
    async fn make_dynos(&mut self, app: &str, keys: Vec<&DynoKey>) -> Result<(), ProviderError> {
        for key in &keys {
            self.diary.write("dyno", &key.to_string(), JournalStep::Intend).await?;
        }
        if let Some(last) = keys.iter().max_by_key(|key| key.number) {
            let formation = self.api.formation(app).await?.unwrap_or_default();
            let before = quantity(&formation, &last.process_type);
            if before < last.number {
                let process_type = last.process_type.clone();
                self.made.push(Made::Dynos { app: app.to_owned(), process_type, before });
                self.api.scale(app, &last.process_type, last.number).await?;
            }
        }
        for key in &keys {
            let step = JournalStep::Created { id: key.to_string() };
            self.diary.write("dyno", &key.to_string(), step).await?;
        }
        Ok(())
    }

    /// Takes back what was made before something failed, the newest first.
    pub(super) async fn take_back(&mut self, cause: ProviderError) -> ProviderError {
        let mut gone = Vec::new();
        let mut problem = None;
        while let Some(made) = self.made.pop() {
            let undone = match &made {
                Made::App(app) => {
                    gone.push(app.clone());
                    self.delete_app(app).await
                }
                Made::Dynos { app, .. } if self.will_delete(app) => Ok(()),
                Made::Dynos { app, process_type, before } => {
                    self.api.scale(app, process_type, *before).await.map_err(ProviderError::from)
                }
            };
            if let Err(error) = undone {
                if let Made::App(app) = &made {
                    gone.retain(|other| other != app);
                }
                problem = problem.or(Some(error));
            }
        }
        for app in gone {
            self.diary.removed("app", &app).await;
        }
        match problem {
            None => cause,
            Some(error) => failed("making machines", format!("{cause}; after that, {error}")),
        }
    }

    /// Whether an app is to be deleted, and all that is in it with it.
    fn will_delete(&self, app: &str) -> bool {
        self.made.iter().any(|made| matches!(made, Made::App(other) if other == app))
    }

    async fn delete_app(&self, app: &str) -> Result<(), ProviderError> {
        self.api.delete_app(app).await?;
        let waiting = self.patience.begin();
        while self.api.app(app).await?.is_some() {
            if !waiting.next_look().await {
                let detail = "it is still there".to_owned();
                return Err(failed(format!("deleting the app {app}"), detail));
            }
        }
        Ok(())
    }
}

/// Whether a name is taken: Heroku's word for that is the one for any wrong parameter.
fn is_taken(error: &RestError) -> bool {
    error.refusal().is_some_and(|said| said.status == 422 && said.message.contains("taken"))
}

fn failed(action: impl Into<String>, detail: String) -> ProviderError {
    ProviderError::Call { provider: provider_name(), action: action.into(), detail }
}
