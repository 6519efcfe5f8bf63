//! Where things are: the configuration, the state folder, the orchestrator, results and runners.

use std::convert::Infallible;
use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;
use url::Url;

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
    /// The only CA to trust for that orchestrator, in PEM; machines are given it too
    #[arg(long, value_name = "FILE", env = "RAILSBENCH_CA_CERT", hide_env_values = true)]
    pub ca_cert: Option<PathBuf>,
    /// Operator token of that orchestrator; the variable keeps it out of process lists
    #[arg(
        long,
        value_name = "KEY",
        env = "RAILSBENCH_API_KEY",
        allow_hyphen_values = true,
        hide_env_values = true,
        value_parser = |text: &str| Ok::<SecretString, Infallible>(text.to_owned().into())
    )]
    pub api_key: Option<SecretString>,
    /// Send the token by plain http to another machine, where nobody can listen
    #[arg(long, env = "RAILSBENCH_ALLOW_PLAIN_HTTP", hide_env_values = true)]
    pub allow_plain_http: bool,
}

/// Where downloaded results are.
#[derive(Debug, Clone, Args)]
pub struct ResultsDirArgs {
    /// Folder that gets a folder per run
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub results_dir: PathBuf,
}

/// Which runners machines can fetch from the embedded orchestrator.
#[derive(Debug, Clone, Args)]
pub struct RunnersArgs {
    /// Folder of runners for other architectures, as TARGET/railsbench-runner; Cargo's target
    /// folder will do
    #[arg(long, value_name = "DIR")]
    pub runners: Option<PathBuf>,
}
