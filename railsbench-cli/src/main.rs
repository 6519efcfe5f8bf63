//! The `railsbench` command line: reads arguments, calls the `railsbench` crate, and draws what
//! happens. Everything it does can be done by a program through that crate too.

mod args;
mod commands;
mod exit;
mod interrupt;
mod output;
mod progress;
mod render;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use tracing_subscriber::EnvFilter;

use crate::args::{Cli, GlobalArgs};
use crate::exit::{Exit, Failure};
use crate::output::{Detail, Output};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error).into(),
    };
    let GlobalArgs { json, verbose, quiet } = cli.global;
    log_to_stderr(verbose, quiet);
    let detail = match (quiet, verbose) {
        (true, _) => Detail::Failures,
        (false, 0) => Detail::Progress,
        (false, _) => Detail::Log,
    };
    let output = Output::new(json, detail);
    let ended = match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let ended = runtime.block_on(commands::execute(cli.command, &output));
            // A question that nobody answered must not keep the process.
            runtime.shutdown_background();
            ended
        }
        Err(error) => Err(Failure::internal(format!("cannot start threads: {error}"))),
    };
    output::restore_terminal();
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output.report(&failure);
            failure.exit().into()
        }
    }
}

/// Prints help, or what is wrong with the command line.
fn refuse(error: &clap::Error) -> Exit {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // If nobody reads the help, nobody misses it.
        let _ = error.print();
        return Exit::Ok;
    }
    if std::env::args_os().any(|argument| argument == "--json") {
        let text = error.render().to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
        Output::new(true, Detail::Progress).report(&Failure::usage(text));
    } else {
        // As above.
        let _ = error.print();
    }
    Exit::Usage
}

/// Log lines go to stderr: ours from warnings up, more with `-v`, everything with `-vv`.
fn log_to_stderr(verbose: u8, quiet: bool) {
    let ours = match (quiet, verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "info",
        (false, _) => "debug",
    };
    // What others warn of, railsbench says in its own words if it matters.
    let others = if verbose > 0 { "warn" } else { "error" };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!("{others},railsbench={ours}")))
        .with_writer(std::io::stderr)
        .with_ansi(console::colors_enabled_stderr())
        .init();
}
