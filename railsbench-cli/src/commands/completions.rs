//! `railsbench completions`: completion scripts for shells.

use clap::CommandFactory;
use serde_json::json;

use crate::args::{Cli, CompletionsArgs};
use crate::exit::{Exit, Failure};
use crate::output::Output;

pub fn execute(args: &CompletionsArgs, output: &Output) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "railsbench", &mut script);
    let script = String::from_utf8(script)
        .map_err(|error| Failure::internal(format!("the script is not text: {error}")))?;
    output.show(&json!({"shell": args.shell.to_string(), "script": script}), || script.clone())?;
    Ok(Exit::Ok)
}
