//! Money as whole micro-dollars, so that sums are exact.

use std::fmt;
use std::iter::Sum;
use std::ops::Add;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount in United States dollars, held in millionths. On the wire it is a number of dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = f64))]
pub struct Usd(u64);

impl Usd {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// From millionths of a dollar.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// From dollars, rounded to the nearest millionth; `None` unless finite and in 0 ..= 10⁹.
    pub fn from_dollars(dollars: f64) -> Option<Self> {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        // In range: checked right here.
        (0.0..=1e9).contains(&dollars).then(|| Self((dollars * 1e6).round() as u64))
    }

    /// In millionths of a dollar.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// In dollars, for showing and for statistics.
    pub fn dollars(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// What this hourly rate costs over a time, rounded up to a millionth.
    #[must_use]
    pub fn per_hour_for(self, time: Duration) -> Self {
        let micros = (u128::from(self.0) * time.as_millis()).div_ceil(3_600_000);
        Self(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// This amount taken `count` times.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self(self.0.saturating_mul(u64::from(count)))
    }
}

impl Add for Usd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Usd {
    /// Two decimals from a cent up, as many as needed below: `$1.20`, `$0.0042`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 || self.0 >= 10_000 {
            write!(f, "${:.2}", self.dollars())
        } else {
            write!(f, "${:.4}", self.dollars())
        }
    }
}

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.dollars())
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let dollars = f64::deserialize(deserializer)?;
        Self::from_dollars(dollars)
            .ok_or_else(|| serde::de::Error::custom("must be between 0 and 1000000000 dollars"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hourly_rates_are_charged_by_time() {
        let rate = Usd::from_dollars(0.36).unwrap();
        assert_eq!(rate.per_hour_for(Duration::from_secs(10)).micros(), 1_000);
        assert_eq!(Usd::from_micros(1).per_hour_for(Duration::from_secs(1)).micros(), 1);
    }

    #[test]
    fn impossible_amounts_are_refused() {
        for bad in [-0.01, f64::NAN, f64::INFINITY, 1e12] {
            assert_eq!(Usd::from_dollars(bad), None);
        }
    }

    #[test]
    fn shows_cents_and_less() {
        assert_eq!(Usd::from_micros(1_200_000).to_string(), "$1.20");
        assert_eq!(Usd::from_micros(4_200).to_string(), "$0.0042");
        assert_eq!(Usd::ZERO.to_string(), "$0.00");
    }
}
