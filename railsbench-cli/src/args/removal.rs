//! Removing what runs have made: `teardown` and `nuke`.

use std::time::Duration;

use clap::Args;
use railsbench::Reach;
use railsbench::id::{ProviderName, RunId};

use super::places::StateArgs;
use super::time::length;

/// `teardown`
#[derive(Debug, Clone, Args)]
pub struct TeardownArgs {
    /// Id of the run
    #[arg(value_name = "RUN")]
    pub run_id: RunId,
    /// Where and how.
    #[command(flatten)]
    pub removal: RemovalArgs,
}

/// `nuke`
#[derive(Debug, Clone, Args)]
pub struct NukeArgs {
    /// Only at these providers [default: all that are set up]
    #[arg(value_name = "PROVIDER")]
    pub providers: Vec<ProviderName>,
    /// What.
    #[command(flatten)]
    pub which: NukeScope,
    /// Where and how.
    #[command(flatten)]
    pub removal: RemovalArgs,
}

/// What is removed by `nuke`; one of these must be said.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct NukeScope {
    /// Only what was made longer ago than this, e.g. 6h, 90m or 2d
    #[arg(long, value_name = "TIME", value_parser = age)]
    pub older_than: Option<Duration>,
    /// Only what has expired
    #[arg(long)]
    pub expired: bool,
    /// Everything that railsbench has made, also for runs that are at work
    #[arg(long)]
    pub all: bool,
}

/// Where things are removed, and whether it is asked first.
#[derive(Debug, Clone, Args)]
pub struct RemovalArgs {
    /// Look in this region only; may be given several times
    #[arg(long = "region", value_name = "REGION", conflicts_with = "all_regions")]
    pub regions: Vec<String>,
    /// Look in all regions that the account may use
    #[arg(long)]
    pub all_regions: bool,
    /// Only list what would be removed, and what it costs
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Where the journal and local machines are.
    #[command(flatten)]
    pub state: StateArgs,
}

impl RemovalArgs {
    /// In which regions to look.
    pub fn reach(&self) -> Reach {
        if self.all_regions {
            Reach::Everywhere
        } else if self.regions.is_empty() {
            Reach::Default
        } else {
            Reach::Only(self.regions.clone())
        }
    }
}

/// An age.
fn age(text: &str) -> Result<Duration, String> {
    let time = length(text)?;
    if time.is_zero() {
        return Err("it means everything; say --all for that".to_owned());
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_a_unit() {
        assert_eq!(age("6h"), Ok(Duration::from_hours(6)));
        assert_eq!(age("90m"), Ok(Duration::from_mins(90)));
        assert_eq!(age("2d"), Ok(Duration::from_hours(48)));
        assert_eq!(age("1h 30m"), Ok(Duration::from_mins(90)));
        for wrong in ["", "6", "-6h", "0h", "a while", "6 fortnights", "99999999999999999999h"] {
            assert!(age(wrong).is_err(), "{wrong:?}");
        }
    }
}
