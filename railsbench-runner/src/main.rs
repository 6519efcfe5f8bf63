//! `railsbench-runner`: the agent as a program, and the two steps that it starts itself for.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use railsbench_runner::agent::{Agent, AgentError, Ending};
use railsbench_runner::config::RunnerConfig;
use railsbench_runner::log::Log;
use railsbench_runner::workload::{Launch, Workload, embedded_suites, run_mock};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

const HELP: &str = "\
Environment:
  ORCHESTRATOR_URL      where the orchestrator answers, e.g. https://bench.example.com
  API_KEY               the token of the run
  RUN_ID                the run
  PROVIDER              the provider of this machine, e.g. aws
  INSTANCE_TYPE         the instance type of this machine, e.g. c7g.medium
  RUNNER_ID             optional: this runner's name; a new one for each process otherwise
  MAX_LIFETIME_SECONDS  optional: end after so many seconds, giving back an unfinished task
  RAILSBENCH_WORKDIR    optional: folder for the files of tasks; a temporary one otherwise
  RAILSBENCH_IMAGE      optional: name of the image this machine was started from
  RAILSBENCH_CA_FILE    optional: certificate of the orchestrator's own CA, in PEM; then no other
                        is trusted there
  RAILSBENCH_ALLOW_PLAIN_HTTP
                        optional: true lets it call the orchestrator by plain http over a network

Exit codes:
  0    nothing is left to do, or the lifetime is over: do not start it again
  2    a variable or an argument is missing or wrong
  3    the orchestrator refuses this runner: wrong token, run or instance type
  4    the machine does not let it work, e.g. no folder can be made
  130  SIGINT: the task was given back
  143  SIGTERM: the task was given back";

/// Claims benchmark tasks from a railsbench orchestrator, runs them and uploads the results.
#[derive(Debug, Parser)]
#[command(version, after_help = HELP)]
struct Arguments {
    /// Say more on standard error.
    #[arg(short, long)]
    verbose: bool,
    #[command(subcommand)]
    step: Option<Step>,
}

/// What the runner starts itself for.
#[derive(Debug, Subcommand)]
enum Step {
    /// Sets limits and becomes the command of a workload.
    #[command(hide = true)]
    Launch(Launch),
    /// Is the command of the mock suite.
    #[command(hide = true)]
    MockWorkload,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match &arguments.step {
        Some(Step::Launch(launch)) => {
            let error = launch.execute();
            eprintln!("railsbench-runner: {error}");
            ExitCode::from(error.exit_code())
        }
        Some(Step::MockWorkload) => match run_mock() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("railsbench-runner: {error}");
                ExitCode::FAILURE
            }
        },
        None => run(arguments.verbose),
    }
}

fn run(verbose: bool) -> ExitCode {
    let log = Log::default();
    log_to_stderr(if verbose { LevelFilter::DEBUG } else { LevelFilter::INFO }, log.clone());
    let config = match RunnerConfig::from_variables(|name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    match work(config, log) {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error}");
            let refused = matches!(error.downcast_ref(), Some(AgentError::Refused(_)));
            ExitCode::from(if refused { 3 } else { 4 })
        }
    }
}

fn work(config: RunnerConfig, log: Log) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let workloads = embedded_suites(&own_executable())?
        .into_iter()
        .map(|suite| Arc::new(suite) as Arc<dyn Workload>)
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let shutdown = CancellationToken::new();
        let signalled = tokio::spawn(first_signal(terminate, interrupt, shutdown.clone()));
        tracing::info!(
            run = %config.run_id,
            runner = %config.runner_id,
            orchestrator = %config.orchestrator_url,
            "railsbench-runner {}",
            env!("CARGO_PKG_VERSION"),
        );
        Ok(match Agent::new(config, workloads).with_log(log).run(shutdown).await? {
            Ending::Done | Ending::LifetimeOver => ExitCode::SUCCESS,
            Ending::Stopped => ExitCode::from(signalled.await?),
        })
    })
}

/// Logs what railsbench does at `level`, and of what it uses only warnings: the details of HTTP
/// connections hold secrets. The same goes to `log`, for the orchestrator.
fn log_to_stderr(level: LevelFilter, log: Log) {
    let wanted =
        Targets::new().with_default(LevelFilter::WARN).with_target("railsbench_runner", level);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    let told = tracing_subscriber::fmt::layer()
        .with_writer(move || log.clone())
        .with_ansi(false)
        .with_target(false);
    tracing_subscriber::registry().with(lines).with(told).with(wanted).init();
}

/// Waits for the first signal, begins the end, and gives the exit code for it.
async fn first_signal(
    mut terminate: Signal,
    mut interrupt: Signal,
    shutdown: CancellationToken,
) -> u8 {
    let (name, code) = tokio::select! {
        _ = terminate.recv() => ("SIGTERM", 143),
        _ = interrupt.recv() => ("SIGINT", 130),
    };
    tracing::info!("{name}: stopping");
    shutdown.cancel();
    code
}

/// This program's file. It may have been replaced or removed since it was started; then the
/// kernel's own name for it still works.
fn own_executable() -> PathBuf {
    std::env::current_exe()
        .ok()
        .filter(|path| path.is_file())
        .unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
}
