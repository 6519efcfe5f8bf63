//! What can be known of clouds and hosts before a run: `instance-types` and `doctor`.

use clap::{Args, ValueEnum};
use railsbench::id::{InstanceType, ProviderName};
use railsbench::money::Usd;
use railsbench::provider::Arch;

use super::places::{OrchestratorArgs, RunnersArgs};

/// `instance-types`
#[derive(Debug, Clone, Args)]
pub struct InstanceTypesArgs {
    /// Only those of this provider
    #[arg(value_name = "PROVIDER")]
    pub provider: Option<ProviderName>,
    /// Look up these names instead of listing all; `-` reads names from standard input, one a line
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Which of them.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// In this order; what is not known comes last [default: as the provider lists them]
    #[arg(long, value_name = "KEY")]
    pub sort: Option<SortKey>,
}

/// Which instance types are shown. One of which a limited quantity is not known is not.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Only those")]
pub struct FilterArgs {
    /// of this architecture: x86_64 (amd64) or aarch64 (arm64)
    #[arg(long, value_name = "ARCH", value_parser = arch)]
    pub arch: Option<Arch>,
    /// with at least so many vCPUs
    #[arg(long, value_name = "COUNT")]
    pub min_vcpus: Option<u32>,
    /// with at most so many vCPUs
    #[arg(long, value_name = "COUNT")]
    pub max_vcpus: Option<u32>,
    /// with at least so much memory: 4 or 4GiB, 512MiB
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    pub min_memory: Option<u64>,
    /// with at most so much memory
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    pub max_memory: Option<u64>,
    /// that cost at most so many US dollars an hour
    #[arg(long, value_name = "USD", value_parser = dollars)]
    pub max_price: Option<Usd>,
}

/// What instance types are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SortKey {
    /// Their name
    Name,
    /// Their vCPUs, fewest first
    Vcpus,
    /// Their memory, least first
    Memory,
    /// Their price, cheapest first
    Price,
}

/// `doctor`
#[derive(Debug, Clone, Args)]
pub struct DoctorArgs {
    /// The provider to look at; all that are set up if none is named
    #[arg(value_name = "PROVIDER")]
    pub provider: Option<ProviderName>,
    /// Look at this region [default: the provider's default]
    #[arg(long, value_name = "REGION", requires = "provider")]
    pub region: Option<String>,
    /// Look at a machine of this type [default: the cheapest one]
    #[arg(long = "type", value_name = "TYPE", requires = "provider")]
    pub instance_type: Option<InstanceType>,
    /// Runners for machines to fetch.
    #[command(flatten)]
    pub runners: RunnersArgs,
    /// Which orchestrator the machines would call.
    #[command(flatten)]
    pub orchestrator: OrchestratorArgs,
}

fn arch(text: &str) -> Result<Arch, String> {
    [Arch::X86_64, Arch::Aarch64]
        .into_iter()
        .find(|arch| text == arch.as_str() || text == arch.debian())
        .ok_or_else(|| "use x86_64 (amd64) or aarch64 (arm64)".to_owned())
}

/// An amount of memory in bytes. Clouds count in powers of two, whatever they call them.
fn memory(text: &str) -> Result<u64, String> {
    let wrong = || "write a number of GiB, e.g. 4 or 0.5, or with a unit: 4GiB, 512MiB".to_owned();
    let end = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let bytes_each: f64 = match unit.to_ascii_lowercase().as_str() {
        "m" | "mb" | "mib" => 1_048_576.0,
        "" | "g" | "gb" | "gib" => 1_073_741_824.0,
        "t" | "tb" | "tib" => 1_099_511_627_776.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // In range: checked here.
    (0.0..=1e6).contains(&number).then(|| (number * bytes_each).round() as u64).ok_or_else(wrong)
}

fn dollars(text: &str) -> Result<Usd, String> {
    let number = text.strip_prefix('$').unwrap_or(text).parse().ok();
    number.and_then(Usd::from_dollars).ok_or_else(|| "write US dollars, e.g. 0.05".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn architectures_have_two_spellings() {
        assert_eq!(arch("arm64"), Ok(Arch::Aarch64));
        assert_eq!(arch("x86_64"), Ok(Arch::X86_64));
        assert!(arch("riscv64").is_err());
    }

    #[test]
    fn memory_is_in_gib_unless_it_says_otherwise() {
        for (text, mib) in [
            ("4", 4096),
            ("0.5", 512),
            ("4GiB", 4096),
            ("8 gb", 8192),
            ("512MiB", 512),
            ("1t", 1 << 20),
        ] {
            assert_eq!(memory(text), Ok(mib << 20), "{text}");
        }
        for wrong in ["", "GiB", "-1", "4KiB", "4xGiB", "nan", "inf", "1e9", "ä"] {
            assert!(memory(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn prices_are_dollars() {
        assert_eq!(dollars("0.05"), Ok(Usd::from_micros(50_000)));
        assert_eq!(dollars("$1"), Ok(Usd::from_micros(1_000_000)));
        for wrong in ["", "-1", "cheap", "nan", "1 $"] {
            assert!(dollars(wrong).is_err(), "{wrong}");
        }
    }
}
