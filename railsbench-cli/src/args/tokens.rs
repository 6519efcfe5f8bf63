//! Arguments of `token`.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use railsbench::id::TokenName;
use railsbench::protocol::TokenScope;

use super::OrchestratorArgs;
use super::time::length;

/// `token`
#[derive(Debug, Clone, Args)]
pub struct TokenArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub action: TokenAction,
}

/// What to do with a token.
#[derive(Debug, Clone, Subcommand)]
pub enum TokenAction {
    /// Make a token, and print it this once
    Create(TokenCreateArgs),
    /// List the tokens that were made by name
    List(TokenListArgs),
    /// End a token: whoever bears it is refused from now on
    Revoke(TokenRevokeArgs),
}

/// `token create`
#[derive(Debug, Clone, Args)]
pub struct TokenCreateArgs {
    /// Whose it is: a person, or a program such as a CI job
    pub name: TokenName,
    /// What it allows: everything, or looking only
    #[arg(long, value_enum, default_value_t = ScopeArg::Operator)]
    pub scope: ScopeArg,
    /// How long it is good for, e.g. 90d or 12h
    #[arg(long, value_name = "TIME", default_value = "365d", value_parser = validity)]
    pub valid: Duration,
    /// Where.
    #[command(flatten)]
    pub orchestrator: OrchestratorArgs,
}

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScopeArg {
    /// Everything.
    Operator,
    /// Looking only.
    Reader,
}

impl From<ScopeArg> for TokenScope {
    fn from(scope: ScopeArg) -> Self {
        match scope {
            ScopeArg::Operator => Self::Operator,
            ScopeArg::Reader => Self::Reader,
        }
    }
}

/// `token list`
#[derive(Debug, Clone, Args)]
pub struct TokenListArgs {
    /// Where.
    #[command(flatten)]
    pub orchestrator: OrchestratorArgs,
}

/// `token revoke`
#[derive(Debug, Clone, Args)]
pub struct TokenRevokeArgs {
    /// Whose it is
    pub name: TokenName,
    /// Where.
    #[command(flatten)]
    pub orchestrator: OrchestratorArgs,
}

fn validity(text: &str) -> Result<Duration, String> {
    let time = length(text)?;
    if time.is_zero() {
        return Err("it would have ended already".to_owned());
    }
    Ok(time)
}
