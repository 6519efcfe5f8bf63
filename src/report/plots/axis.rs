//! Linear axes with round ticks.

/// A linear axis from values to pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    from: i32,
    to: i32,
}

impl Axis {
    /// From values `low..high` to pixels `from..to`; an empty range is widened.
    pub(super) fn new(low: f64, high: f64, from: i32, to: i32) -> Self {
        let (low, high) =
            if high > low { (low, high) } else { (low * 0.99 - 1e-12, low * 1.01 + 1e-12) };
        Self { low, high, from, to }
    }

    /// The pixel of a value, held inside the axis.
    pub(super) fn at(&self, value: f64) -> i32 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        // In range: between two pixels.
        #[allow(clippy::cast_possible_truncation)]
        let offset = (share * f64::from(self.to - self.from)).round() as i32;
        self.from + offset
    }

    pub(super) fn high(&self) -> f64 {
        self.high
    }

    /// Round values in the range, at most about `count`, with the digits they need.
    pub(super) fn ticks(&self, count: u32) -> Vec<(f64, String)> {
        let rough = (self.high - self.low) / f64::from(count.max(1));
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        let step = step.into_iter().find(|step| *step >= rough * 0.999).unwrap_or(power * 10.0);
        // In range: a handful of digits at most, as figures have some three.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let digits = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
        let first = (self.low / step).ceil();
        (0..=count)
            .map(|index| (first + f64::from(index)) * step)
            .take_while(|value| *value <= self.high + step * 1e-9)
            .map(|value| (value, format!("{value:.digits$}")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let labels = |low, high| -> Vec<String> {
            Axis::new(low, high, 0, 100).ticks(4).into_iter().map(|(_, label)| label).collect()
        };
        assert_eq!(labels(0.0, 10.0), ["0", "5", "10"]);
        assert_eq!(labels(1.13, 1.31), ["1.15", "1.20", "1.25", "1.30"]);
        assert_eq!(labels(980.0, 5_020.0), ["2000", "4000"]);
    }

    #[test]
    fn pixels_stay_on_the_axis() {
        let axis = Axis::new(1.0, 3.0, 200, 100);
        assert_eq!(axis.at(1.0), 200);
        assert_eq!(axis.at(2.0), 150);
        assert_eq!(axis.at(99.0), 100);
        assert_eq!(axis.at(-1.0), 200);
        let flat = Axis::new(5.0, 5.0, 0, 100);
        assert_eq!(flat.at(5.0), 50);
    }
}
