//! `railsbench doctor`: whether a run could start, by the looks that it would take itself.

use std::sync::Arc;

use futures::future::join_all;
use railsbench::provider::{Check, Provider, ShapeError};
use railsbench::providers::Registry;
use railsbench::{Checkup, Examined};

use super::{named_provider, orchestrator_choice, runner_files};
use crate::args::{DoctorArgs, OrchestratorArgs};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::render::doctor::{Diagnosis, diagnosis};

pub async fn execute(args: &DoctorArgs, output: &Output) -> Result<Exit, Failure> {
    let registry = Registry::standard(&args.orchestrator.state.state_dir);
    let mut not_set_up = Vec::new();
    let providers: Vec<Arc<dyn Provider>> = if let Some(name) = &args.provider {
        vec![named_provider(&registry, name)?]
    } else {
        let mut set_up = Vec::new();
        for provider in registry.iter() {
            if provider.setup().await.is_complete() {
                set_up.push(provider.clone());
            } else {
                not_set_up.push(provider.name().clone());
            }
        }
        set_up
    };
    let mut checkup = Checkup::new(runner_files(&args.runners)?)
        .map_err(|error| Failure::usage(format!("--runners: {error}")))?;
    if let Some(region) = &args.region {
        checkup = checkup.with_region(region.clone());
    }
    if let Some(instance_type) = &args.instance_type {
        checkup = checkup.with_instance_type(instance_type.clone());
    }
    // An orchestrator that is not told a token says so itself.
    let api_key = Some(args.orchestrator.api_key.clone().unwrap_or_default());
    let choice = orchestrator_choice(&OrchestratorArgs { api_key, ..args.orchestrator.clone() })?;
    let orchestrator = checkup.meet(choice).await?;
    let looks = providers.iter().map(|provider| checkup.examine(provider.as_ref()));
    let providers: Result<Vec<Examined>, ShapeError> = join_all(looks).await.into_iter().collect();
    let providers = providers.map_err(|error| Failure::usage(format!("--type: {error}")))?;
    let is_well =
        orchestrator.iter().all(Check::has_passed) && providers.iter().all(Examined::is_well);
    let found = Diagnosis { is_well, orchestrator, providers, not_set_up };
    output.show(&found, || diagnosis(&found))?;
    Ok(if is_well { Exit::Ok } else { Exit::Environment })
}
