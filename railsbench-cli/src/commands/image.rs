//! `railsbench image`: images of the runner for Docker.

use railsbench::own_runner;
use railsbench::providers::docker::Daemon;
use railsbench::providers::docker::image::{Recipe, build};
use serde_json::json;

use crate::args::{ImageAction, ImageArgs, ImageBuildArgs};
use crate::exit::{Exit, Failure};
use crate::output::Output;

pub async fn execute(args: ImageArgs, output: &Output) -> Result<Exit, Failure> {
    match args.action {
        ImageAction::Build(args) => make(args, output).await,
    }
}

async fn make(args: ImageBuildArgs, output: &Output) -> Result<Exit, Failure> {
    let mut recipe = Recipe::new(args.ruby.as_ref(), args.base)?;
    if let Some(tag) = args.tag {
        recipe.tag = tag;
    }
    recipe.rails = args.rails;
    let runner = args.runner.unwrap_or_else(own_runner);
    build(&Daemon::from_environment(), &recipe, runner, |line| output.tell(line)).await?;
    let made = json!({ "image": recipe.tag, "base": recipe.base });
    output.show(&made, || format!("made {} from {}", recipe.tag, recipe.base))?;
    Ok(Exit::Ok)
}
