//! What runs may cost and have cost: the limit of `plan` and `run`, and `cost`.

use std::path::PathBuf;

use clap::Args;
use railsbench::config::RunConfig;
use railsbench::money::Usd;

use super::places::StateArgs;

/// How much a run may cost.
#[derive(Debug, Clone, Args)]
pub struct MaxCostArgs {
    /// Refuse what could cost more, if every machine lives as long as it may [default:
    /// max_cost_usd of the configuration]
    #[arg(long, value_name = "USD", value_parser = dollars)]
    pub max_cost: Option<Usd>,
}

impl MaxCostArgs {
    /// Puts the limit in the place of the configuration's.
    pub fn apply(&self, config: &mut RunConfig) {
        config.max_cost = self.max_cost.or(config.max_cost);
    }
}

/// What to do about machines that nobody knows the price of.
#[derive(Debug, Clone, Copy, Args)]
pub struct UnpricedArgs {
    /// With a limit on the cost, take machines without a known price too; they are not counted
    #[arg(long)]
    pub allow_unpriced: bool,
}

/// `cost`
#[derive(Debug, Clone, Args)]
pub struct CostArgs {
    /// Run configuration in JSON, or the id of a run; `-` reads a configuration from standard
    /// input; all runs are listed without
    #[arg(value_name = "CONFIG|RUN")]
    pub subject: Option<PathBuf>,
    /// Estimate the short run, whatever the configuration says
    #[arg(long)]
    pub quick: bool,
    /// Where it is remembered what machines were started.
    #[command(flatten)]
    pub state: StateArgs,
}

fn dollars(text: &str) -> Result<Usd, String> {
    let number: Option<f64> = text.strip_prefix('$').unwrap_or(text).parse().ok();
    number
        .and_then(Usd::from_dollars)
        .ok_or_else(|| "write an amount in US dollars from 0 to 1000000000, e.g. 5.50".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_in_dollars() {
        assert_eq!(dollars("5.5"), Ok(Usd::from_micros(5_500_000)));
        assert_eq!(dollars("$0"), Ok(Usd::ZERO));
        for wrong in ["", "-1", "five", "NaN", "inf", "1e12", "5 EUR"] {
            assert!(dollars(wrong).is_err(), "{wrong:?}");
        }
    }
}
