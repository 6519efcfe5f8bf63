//! The commands, one file each, and what several of them do alike.

mod campaign;
mod completions;
mod cost;
mod doctor;
#[cfg(feature = "docker")]
mod image;
mod instance_types;
mod logs;
mod nuke;
mod plan;
mod providers;
mod removal;
mod report;
mod results;
mod resume;
mod run;
mod status;
mod stop;
mod teardown;
mod token;
mod version;
mod watch;

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use railsbench::config::{RunConfig, nearest};
use railsbench::core::loopback::is_loopback;
use railsbench::id::ProviderName;
use railsbench::orchestrator::{self, Connection};
use railsbench::provider::{CaCertificate, CaCertificateError, Provider};
use railsbench::providers::{BUILT_IN, Registry};
use railsbench::{OrchestratorChoice, RunnerFiles, StateDir};

use crate::args::{Command, ConfigArgs, OrchestratorArgs, RunnersArgs};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::output::Output;

/// How to get the providers that a build does not have.
const HOW_TO_BUILD: &str =
    "build the others in: cargo build --release -p railsbench-cli --features clouds,docker";

/// Largest configuration that is read, in bytes.
const MAX_CONFIG: u64 = 16 << 20;

/// Carries out a command. Campaigns end in order when interrupted; all others may be broken off
/// at any time. What does not wait for others, as reading standard input, is left to the
/// signals' usual effect.
pub async fn execute(command: Command, output: &Output) -> Result<Exit, Failure> {
    let work: LocalBoxFuture<'_, Result<Exit, Failure>> = match command {
        Command::Run(args) => return run::execute(args, output).await,
        Command::Resume(args) => return resume::execute(args, output).await,
        Command::Cost(args) => return cost::execute(&args, output),
        Command::Report(args) => return report::execute(&args, output),
        Command::InstanceTypes(args) => return instance_types::execute(&args, output),
        Command::Completions(args) => return completions::execute(&args, output),
        Command::Version => return version::execute(output),
        Command::Providers => async move { providers::execute(output).await }.boxed_local(),
        #[cfg(feature = "docker")]
        Command::Image(args) => async move { image::execute(args, output).await }.boxed_local(),
        Command::Doctor(args) => async move { doctor::execute(&args, output).await }.boxed_local(),
        Command::Plan(args) => async move { plan::execute(&args, output).await }.boxed_local(),
        Command::Status(args) => async move { status::execute(&args, output).await }.boxed_local(),
        Command::Watch(args) => async move { watch::execute(&args, output).await }.boxed_local(),
        Command::Logs(args) => async move { logs::execute(&args, output).await }.boxed_local(),
        Command::Stop(args) => async move { stop::execute(&args, output).await }.boxed_local(),
        Command::Token(args) => async move { token::execute(&args, output).await }.boxed_local(),
        Command::Results(args) => {
            async move { results::execute(&args, output).await }.boxed_local()
        }
        Command::Teardown(args) => {
            async move { teardown::execute(&args, output).await }.boxed_local()
        }
        Command::Nuke(args) => async move { nuke::execute(&args, output).await }.boxed_local(),
    };
    let mut interrupts = Interrupts::listen()?;
    tokio::select! {
        done = work => done,
        how = interrupts.next() => Err(Failure::interrupted(how)),
    }
}

/// Reads and checks the configuration that the arguments name.
fn read_config(args: &ConfigArgs) -> Result<RunConfig, Failure> {
    let path = args.path.as_deref().or(args.option.as_deref()).unwrap_or(Path::new("-"));
    let (name, text) = if path == Path::new("-") {
        ("standard input".to_owned(), read_limited(std::io::stdin()))
    } else {
        (path.display().to_string(), std::fs::File::open(path).and_then(read_limited))
    };
    let bytes = text.map_err(|error| {
        Failure::usage(format!(
            "cannot read the configuration {name}: {error}; name a JSON file, or - for standard input"
        ))
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        Failure::usage(format!(
            "the configuration {name} is not UTF-8 text: byte {place} is invalid; save it as UTF-8"
        ))
    })?;
    // Editors on Windows put a byte order mark in front.
    Ok(RunConfig::parse(text.strip_prefix('\u{feff}').unwrap_or(&text))?)
}

/// The runners that the arguments name for machines to fetch.
fn runner_files(args: &RunnersArgs) -> Result<RunnerFiles, Failure> {
    match &args.runners {
        Some(folder) => RunnerFiles::in_folder(folder)
            .map_err(|error| Failure::usage(format!("--runners: {error}"))),
        None => Ok(RunnerFiles::none()),
    }
}

fn read_limited(source: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let length = source.take(MAX_CONFIG + 1).read_to_end(&mut bytes)?;
    if u64::try_from(length).unwrap_or(u64::MAX) > MAX_CONFIG {
        return Err(std::io::Error::other(format!("it is longer than {MAX_CONFIG} bytes")));
    }
    Ok(bytes)
}

/// The provider of a name.
fn named_provider(registry: &Registry, name: &ProviderName) -> Result<Arc<dyn Provider>, Failure> {
    if let Some(provider) = registry.get(name) {
        return Ok(provider);
    }
    if BUILT_IN.iter().any(|built_in| built_in.name == name.as_str()) {
        return Err(Failure::usage(format!("{name} is not in this build; {HOW_TO_BUILD}")));
    }
    let known: Vec<&str> = BUILT_IN.iter().map(|built_in| built_in.name).collect();
    let fix = match nearest(name.as_str(), known.iter().copied()).first() {
        Some(near) => format!("did you mean {near}?"),
        None => format!("use one of: {}", known.join(", ")),
    };
    Err(Failure::usage(format!("there is no provider {name}; {fix}")))
}

/// The orchestrator that the arguments choose.
fn orchestrator_choice(args: &OrchestratorArgs) -> Result<OrchestratorChoice, Failure> {
    let Some(url) = &args.orchestrator else {
        return Ok(OrchestratorChoice::Embedded);
    };
    if url.scheme() == "http" && !is_loopback(url) && !args.allow_plain_http {
        return Err(Failure::usage(format!(
            "{url} is plain http to another machine, and the token would be there for all to read; use https, or give --allow-plain-http where nobody can listen"
        )));
    }
    let api_key = args.api_key.clone().ok_or_else(|| {
        Failure::usage(format!(
            "no token for the orchestrator {url}; set RAILSBENCH_API_KEY to an operator token of it"
        ))
    })?;
    let ca_certificate = args.ca_cert.as_deref().map(ca_certificate).transpose()?;
    Ok(OrchestratorChoice::Remote { url: url.clone(), api_key, ca_certificate })
}

fn ca_certificate(path: &Path) -> Result<CaCertificate, Failure> {
    let wrong =
        |problem: String| Failure::usage(format!("--ca-cert {}: {problem}", path.display()));
    std::fs::read_to_string(path)
        .map_err(|error| wrong(format!("it cannot be read: {error}")))?
        .parse()
        .map_err(|error: CaCertificateError| wrong(error.to_string()))
}

/// Connects to the orchestrator that the arguments choose; `None` if it is the embedded one and
/// has never had a run.
async fn connect(args: &OrchestratorArgs) -> Result<Option<Connection>, Failure> {
    if args.orchestrator.is_none() && !args.state.state_dir.exists() {
        return Ok(None);
    }
    connect_or_begin(args).await.map(Some)
}

/// Connects to the orchestrator that the arguments choose; an embedded one that has never had a run
/// gets its folder.
async fn connect_or_begin(args: &OrchestratorArgs) -> Result<Connection, Failure> {
    let choice = orchestrator_choice(args)?;
    let state = StateDir::open(&args.state.state_dir)?;
    Ok(orchestrator::connect(&choice, &state).await?)
}

/// As [`connect`], for commands about one run, which then does not exist.
async fn connect_for_run(args: &OrchestratorArgs) -> Result<Connection, Failure> {
    connect(args).await?.ok_or_else(|| {
        Failure::usage(format!(
            "there are no runs in {}; name the folder of the run with --state-dir, or its orchestrator with --orchestrator",
            args.state.state_dir.display()
        ))
    })
}

/// Ends an orchestrator of this process. What it acknowledged is kept even if that fails.
async fn close(connection: Connection) {
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the embedded orchestrator did not end in order");
    }
}

/// Asks before something that cannot be undone; without a terminal and `--yes` it is refused.
async fn confirm(output: &Output, yes: bool, question: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !output.can_ask() {
        return Err(Failure::environment(format!(
            "cannot ask \"{question}\" without a terminal; give --yes to agree"
        )));
    }
    if output.ask(question.to_owned()).await? {
        Ok(())
    } else {
        Err(Failure::interrupted("not agreed; nothing was changed"))
    }
}
