//! The command line: what can be asked, and the help that says so.

mod campaign;
mod clouds;
mod costs;
#[cfg(feature = "docker")]
mod image;
mod places;
mod removal;
mod runs;
mod time;
mod tokens;

pub use campaign::{CampaignArgs, PlanArgs, ResumeArgs, RunArgs};
pub use clouds::{DoctorArgs, FilterArgs, InstanceTypesArgs, SortKey};
pub use costs::CostArgs;
#[cfg(feature = "docker")]
pub use image::{ImageAction, ImageArgs, ImageBuildArgs};
pub use places::{ConfigArgs, OrchestratorArgs, RunnersArgs};
pub use removal::{NukeArgs, RemovalArgs, TeardownArgs};
pub use runs::{LogsArgs, ReportArgs, ResultsArgs, StatusArgs, StopArgs, WatchArgs};
pub use tokens::{TokenAction, TokenArgs, TokenCreateArgs};

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

const EXIT_CODES: &str = "Exit codes:
  0    all went well
  1    some task failed or was cancelled, or some of what was to be removed is left
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
    /// Show what the runners of a run have said
    #[command(after_help = help_end!("  railsbench logs nightly-1\n  railsbench logs nightly-1 c7g.medium-2 --follow"))]
    Logs(LogsArgs),
    /// Stop a run: unclaimed tasks at once, the others at their next heartbeat
    #[command(after_help = help_end!("  railsbench stop nightly-1 --yes"))]
    Stop(StopArgs),
    /// Download the results of a run
    #[command(after_help = help_end!("  railsbench results nightly-1\n  railsbench results nightly-1 --dir downloads"))]
    Results(ResultsArgs),
    /// Write the report of downloaded results anew and show its figures
    #[command(after_help = help_end!("  railsbench report nightly-1\n  railsbench report results/nightly-1"))]
    Report(ReportArgs),
    /// Show what a configuration would cost, item by item, or what runs have cost so far
    #[command(after_help = help_end!("  railsbench cost bench.json\n  railsbench cost nightly-1\n  railsbench cost"))]
    Cost(CostArgs),
    /// Remove the machines of a run, and prove that they are gone; needs no local state
    #[command(after_help = help_end!("  railsbench teardown nightly-1\n  railsbench teardown nightly-1 --all-regions --dry-run"))]
    Teardown(TeardownArgs),
    /// Remove what railsbench has made for whatever run, and prove that it is gone
    #[command(after_help = help_end!("  railsbench nuke --all --all-regions --dry-run\n  railsbench nuke aws gcp --older-than 6h --yes\n  railsbench nuke --expired"))]
    Nuke(NukeArgs),
    /// List the clouds and hosts that machines can be started on, and what is missing for that
    #[command(after_help = help_end!("  railsbench providers"))]
    Providers,
    /// Look whether a run could start, and say how to put right what is not; make nothing
    #[command(after_help = help_end!("  railsbench doctor\n  railsbench doctor aws --region eu-west-1 --orchestrator https://bench.example.com"))]
    Doctor(DoctorArgs),
    /// List known instance types with their shape and price, or look up some by name
    #[command(after_help = help_end!("  railsbench instance-types aws --arch arm64 --max-vcpus 4 --sort price\n  railsbench instance-types aws c7g.medium m5.large --json\n  railsbench instance-types gcp --json - < names.txt"))]
    InstanceTypes(InstanceTypesArgs),
    /// Make, list and revoke the tokens of an orchestrator's operators and readers
    #[command(after_help = help_end!("  railsbench token create ada --valid 90d\n  railsbench token create wall-screen --scope reader\n  railsbench token list\n  railsbench token revoke ada"))]
    Token(TokenArgs),
    /// Make images of the runner for Docker
    #[cfg(feature = "docker")]
    #[command(after_help = help_end!("  railsbench image build --ruby 3.4.1\n  railsbench image build --base my-ruby:1 --tag my-runner:1"))]
    Image(ImageArgs),
    /// Print a completion script for a shell
    #[command(after_help = help_end!("  railsbench completions bash > /etc/bash_completion.d/railsbench"))]
    Completions(CompletionsArgs),
    /// Print the version
    #[command(after_help = help_end!("  railsbench version --json"))]
    Version,
}

/// `completions`
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
