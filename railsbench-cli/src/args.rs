//! The command line: what can be asked, and the help that says so.

use std::convert::Infallible;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use railsbench::id::{ProviderName, RunId};
use railsbench::provider::Arch;
use secrecy::SecretString;
use url::Url;

const EXIT_CODES: &str = "Exit codes:
  0    all went well
  1    some task failed or was cancelled
  2    the command line or the configuration is wrong
  3    something outside is missing or does not answer
  4    railsbench itself failed
  130  interrupted by Ctrl-C or SIGTERM";

/// Examples and exit codes, below the options of a command.
macro_rules! help_end {
    ($examples:literal) => {
        concat!(
            "Examples:\n",
            $examples,
            "\n\nExit codes: 0 ok, 1 some task failed, 2 usage or configuration, 3 environment, \
             4 internal, 130 interrupted"
        )
    };
}

/// Starts machines, has each run real Rails benchmarks, and says which is fastest and how sure
/// that is
#[derive(Debug, Parser)]
#[command(
    name = "railsbench",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = EXIT_CODES
)]
pub struct Cli {
    /// What goes for every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Output")]
pub struct GlobalArgs {
    /// Print JSON on standard output, and nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more on standard error (-vv: everything)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what a run would make, install, take and cost; change nothing
    #[command(after_help = help_end!("  railsbench plan examples/local.json\n  railsbench plan --json - < bench.json"))]
    Plan(PlanArgs),
    /// Run benchmarks: machines up, results in, machines down, report
    #[command(after_help = help_end!("  railsbench run examples/local.json --yes\n  railsbench run --config bench.json --run-id nightly-1"))]
    Run(RunArgs),
    /// Take up an interrupted run with the configuration it was started with
    #[command(after_help = help_end!("  railsbench resume nightly-1"))]
    Resume(ResumeArgs),
    /// Show one run with its tasks, or list all runs
    #[command(after_help = help_end!("  railsbench status\n  railsbench status nightly-1"))]
    Status(StatusArgs),
    /// Follow a run until it ends; Ctrl-C stops following, not the run
    #[command(after_help = help_end!("  railsbench watch nightly-1\n  railsbench watch nightly-1 --json"))]
    Watch(WatchArgs),
    /// Stop a run: unclaimed tasks at once, the others at their next heartbeat
    #[command(after_help = help_end!("  railsbench stop nightly-1 --yes"))]
    Stop(StopArgs),
    /// Download the results of a run
    #[command(after_help = help_end!("  railsbench results nightly-1\n  railsbench results nightly-1 --dir downloads"))]
    Results(ResultsArgs),
    /// Write the report of downloaded results anew and show its figures
    #[command(after_help = help_end!("  railsbench report nightly-1\n  railsbench report results/nightly-1"))]
    Report(ReportArgs),
    /// Remove the machines of a run, or all of ours, and prove that they are gone
    #[command(after_help = help_end!("  railsbench teardown nightly-1\n  railsbench teardown --all --dry-run"))]
    Teardown(TeardownArgs),
    /// List the clouds and hosts that machines can be started on
    #[command(after_help = help_end!("  railsbench providers"))]
    Providers,
    /// List known instance types with their shape and price
    #[command(after_help = help_end!("  railsbench instance-types local\n  railsbench instance-types --arch aarch64"))]
    InstanceTypes(InstanceTypesArgs),
    /// Print a completion script for a shell
    #[command(after_help = help_end!("  railsbench completions bash > /etc/bash_completion.d/railsbench"))]
    Completions(CompletionsArgs),
    /// Print the version
    #[command(after_help = help_end!("  railsbench version --json"))]
    Version,
}

/// Which configuration.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct ConfigArgs {
    /// Run configuration in JSON; `-` reads standard input
    #[arg(value_name = "CONFIG")]
    pub path: Option<PathBuf>,
    /// The same as an option
    #[arg(long = "config", value_name = "CONFIG")]
    pub option: Option<PathBuf>,
}

/// Where railsbench keeps what must outlive a process.
#[derive(Debug, Clone, Args)]
pub struct StateArgs {
    /// Folder of the embedded orchestrator, the journal and local machines
    #[arg(
        long,
        value_name = "DIR",
        env = "RAILSBENCH_STATE_DIR",
        default_value = ".railsbench",
        hide_env_values = true
    )]
    pub state_dir: PathBuf,
}

/// Which orchestrator: the embedded one of the state folder, or a remote one.
#[derive(Debug, Clone, Args)]
pub struct OrchestratorArgs {
    /// Where the embedded orchestrator is.
    #[command(flatten)]
    pub state: StateArgs,
    /// Use the orchestrator at this URL, not the embedded one
    #[arg(long, value_name = "URL", env = "RAILSBENCH_ORCHESTRATOR", hide_env_values = true)]
    pub orchestrator: Option<Url>,
    /// Operator token of that orchestrator; the variable keeps it out of process lists
    #[arg(
        long,
        value_name = "KEY",
        env = "RAILSBENCH_API_KEY",
        hide_env_values = true,
        value_parser = |text: &str| Ok::<SecretString, Infallible>(text.to_owned().into())
    )]
    pub api_key: Option<SecretString>,
}

/// Where downloaded results are.
#[derive(Debug, Clone, Args)]
pub struct ResultsDirArgs {
    /// Folder that gets a folder per run
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub results_dir: PathBuf,
}

/// How a campaign is carried out, whether new or resumed.
#[derive(Debug, Clone, Args)]
pub struct CampaignArgs {
    /// Which orchestrator.
    #[command(flatten)]
    pub orchestrator: OrchestratorArgs,
    /// Where results go.
    #[command(flatten)]
    pub results: ResultsDirArgs,
    /// The runner's executable [default: railsbench-runner beside this one]
    #[arg(long, value_name = "PATH")]
    pub runner: Option<PathBuf>,
    /// Runners for machines to fetch.
    #[command(flatten)]
    pub runners: RunnersArgs,
    /// Install what is missing without asking
    #[arg(short, long)]
    pub yes: bool,
}

/// Which runners machines can fetch from the embedded orchestrator.
#[derive(Debug, Clone, Args)]
pub struct RunnersArgs {
    /// Folder of runners for other architectures, as TARGET/railsbench-runner; Cargo's target
    /// folder will do
    #[arg(long, value_name = "DIR")]
    pub runners: Option<PathBuf>,
}

/// `plan`
#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Plan the short run, whatever the configuration says
    #[arg(long)]
    pub quick: bool,
    /// Show the start-up script of each machine too
    #[arg(long)]
    pub user_data: bool,
    /// Runners for machines to fetch.
    #[command(flatten)]
    pub runners: RunnersArgs,
    /// Which orchestrator the machines would call.
    #[command(flatten)]
    pub orchestrator: OrchestratorArgs,
}

/// `run`
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Id of the run [default: a generated one]; the same id and configuration resume it
    #[arg(long, value_name = "ID")]
    pub run_id: Option<RunId>,
    /// Make a short run, whatever the configuration says
    #[arg(long)]
    pub quick: bool,
    /// How it is carried out.
    #[command(flatten)]
    pub campaign: CampaignArgs,
}

/// `resume`
#[derive(Debug, Clone, Args)]
pub struct ResumeArgs {
    /// Id of the run
    #[arg(value_name = "RUN")]
    pub run_id: RunId,
    /// How it is carried out.
    #[command(flatten)]
    pub campaign: CampaignArgs,
}

/// `status`
#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// Id of the run; all runs are listed without
    #[arg(value_name = "RUN")]
    pub run_id: Option<RunId>,
    /// Which orchestrator.
    #[command(flatten)]
    pub orchestrator: OrchestratorArgs,
}

/// `watch`
#[derive(Debug, Clone, Args)]
pub struct WatchArgs {
    /// Id of the run
    #[arg(value_name = "RUN")]
    pub run_id: RunId,
    /// Which orchestrator.
    #[command(flatten)]
    pub orchestrator: OrchestratorArgs,
}

/// `stop`
#[derive(Debug, Clone, Args)]
pub struct StopArgs {
    /// Id of the run
    #[arg(value_name = "RUN")]
    pub run_id: RunId,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Which orchestrator.
    #[command(flatten)]
    pub orchestrator: OrchestratorArgs,
}

/// `results`
#[derive(Debug, Clone, Args)]
pub struct ResultsArgs {
    /// Id of the run
    #[arg(value_name = "RUN")]
    pub run_id: RunId,
    /// Folder that gets a folder per run
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub dir: PathBuf,
    /// Which orchestrator.
    #[command(flatten)]
    pub orchestrator: OrchestratorArgs,
}

/// `report`
#[derive(Debug, Clone, Args)]
pub struct ReportArgs {
    /// Id of a run whose results are downloaded, or the folder that holds them
    #[arg(value_name = "RUN|DIR")]
    pub run: PathBuf,
    /// Where runs are looked for.
    #[command(flatten)]
    pub results: ResultsDirArgs,
}

/// `teardown`
#[derive(Debug, Clone, Args)]
pub struct TeardownArgs {
    /// Which run.
    #[command(flatten)]
    pub scope: TeardownScope,
    /// Only list what would be removed
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Where the journal is.
    #[command(flatten)]
    pub state: StateArgs,
}

/// One run or all of them; one of the two must be said.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct TeardownScope {
    /// Id of the run
    #[arg(value_name = "RUN")]
    pub run_id: Option<RunId>,
    /// Everything that railsbench has made, of every run
    #[arg(long)]
    pub all: bool,
}

/// `instance-types`
#[derive(Debug, Clone, Args)]
pub struct InstanceTypesArgs {
    /// Only those of this provider
    #[arg(value_name = "PROVIDER")]
    pub provider: Option<ProviderName>,
    /// Only those of this architecture: x86_64 (amd64) or aarch64 (arm64)
    #[arg(long, value_name = "ARCH", value_parser = arch)]
    pub arch: Option<Arch>,
}

/// `completions`
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

fn arch(text: &str) -> Result<Arch, String> {
    [Arch::X86_64, Arch::Aarch64]
        .into_iter()
        .find(|arch| text == arch.as_str() || text == arch.debian())
        .ok_or_else(|| "use x86_64 (amd64) or aarch64 (arm64)".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn architectures_have_two_spellings() {
        assert_eq!(arch("arm64"), Ok(Arch::Aarch64));
        assert_eq!(arch("x86_64"), Ok(Arch::X86_64));
        assert!(arch("riscv64").is_err());
    }
}
