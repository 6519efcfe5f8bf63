//! Which apps are ours.

use railsbench_core::id::RunId;
use railsbench_core::money::Usd;
use railsbench_core::provider::{ProviderError, Resource, Scope};

use super::api::{Api, App, ConfigVars};
use super::catalog::CATALOG;
use super::naming::{APP_PREFIX, app_names, provider_name, run_in_name};
use super::tags::{self, Owner, owner};

/// Looks for apps of ours. Heroku has no tags, so an app is one of them if its name begins as
/// ours do and its config vars say so.
pub(super) struct Inventory<'a> {
    pub(super) api: &'a Api,
    pub(super) team: Option<&'a str>,
}

impl Inventory<'_> {
    pub(super) async fn list(&self, scope: &Scope) -> Result<Vec<Resource>, ProviderError> {
        let wanted = scope.run.as_ref().map(app_names);
        let mut found = Vec::new();
        for app in self.api.apps(self.team).await? {
            let named_so = match &wanted {
                Some(names) => names.contains(&app.name),
                None => app.name.starts_with(APP_PREFIX),
            };
            if named_so {
                found.extend(self.resource(app, scope.run.as_ref()).await?);
            }
        }
        Ok(scope.select(found))
    }

    async fn resource(
        &self,
        app: App,
        run: Option<&RunId>,
    ) -> Result<Option<Resource>, ProviderError> {
        let vars = match self.api.config_vars(&app.name).await {
            Ok(Some(vars)) => vars,
            // It was deleted since it was listed.
            Ok(None) => return Ok(None),
            // Someone else's in the same team. Of a run that was asked for, it must be told.
            Err(error) if error.status() == Some(403) && run.is_none() => {
                tracing::warn!(%error, app = app.name, "left out: it may not be looked into");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let run_id = match owner(&vars) {
            Owner::Run(run_id) if run.is_none_or(|run| *run == run_id) => Some(run_id),
            // It has one of the names that such a run's apps have.
            Owner::SomeRun => run.cloned().or_else(|| run_in_name(&app.name)),
            Owner::Run(_) | Owner::Other => return Ok(None),
        };
        let Some(formation) = self.api.formation(&app.name).await? else { return Ok(None) };
        let tags = tags::read(&vars);
        let per_hour: Usd = formation
            .iter()
            .filter_map(|found| Some(CATALOG.price(&found.size)?.per_hour.times(found.quantity)))
            .sum();
        Ok(Some(Resource {
            provider: provider_name(),
            kind: "app".to_owned(),
            id: app.name.clone(),
            name: app.name,
            run_id,
            region: app.region.map(|region| region.name),
            created_at: tags.as_ref().and_then(|tags| tags.created_at).or(app.created_at),
            expires_at: tags.and_then(|tags| tags.expires_at),
            per_hour: Some(per_hour),
        }))
    }
}

/// Whether an app with a name of a run's apps may be used for that run.
pub(super) fn is_of(vars: &ConfigVars, run: &RunId) -> bool {
    match owner(vars) {
        Owner::Run(run_id) => run_id == *run,
        Owner::SomeRun => true,
        Owner::Other => false,
    }
}
