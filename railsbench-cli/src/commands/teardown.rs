//! `railsbench teardown`: removes what runs have left, and proves it.

use railsbench::providers::Registry;
use railsbench::{TornDown, list_resources, teardown};
use serde_json::json;

use super::confirm;
use crate::args::TeardownArgs;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::render::{self, units};

pub async fn execute(args: &TeardownArgs, output: &Output) -> Result<Exit, Failure> {
    let registry = Registry::standard(&args.state.state_dir);
    let run = args.scope.run_id.as_ref();
    let found = list_resources(&registry, run).await?;
    let count: usize = found.iter().map(|found| found.resources.len()).sum();
    if args.dry_run || count == 0 {
        show(output, "found", &found, || render::resources(&found))?;
        return Ok(Exit::Ok);
    }
    if !output.is_json() {
        output.tell(&render::resources(&found));
    }
    let question = format!("Remove {}?", units::count(count, "resource"));
    confirm(output, args.yes, &question).await?;
    let removed = teardown(&registry, run).await?;
    show(output, "removed", &removed, || render::removed(&removed))?;
    Ok(Exit::Ok)
}

fn show(
    output: &Output,
    what: &str,
    resources: &[TornDown],
    text: impl FnOnce() -> String,
) -> Result<(), Failure> {
    output.show(&json!({ what: resources }), text)
}
