//! Numbers as people read them.

use railsbench_core::analysis::{Estimate, Interval, Spread};
use railsbench_core::money::Usd;

/// A unit of time that suits a number of seconds: its name, and how many make a second.
pub(super) fn unit(seconds: f64) -> (&'static str, f64) {
    match seconds {
        s if s >= 1.0 => ("s", 1.0),
        s if s >= 1e-3 => ("ms", 1e3),
        s if s >= 1e-6 => ("µs", 1e6),
        _ => ("ns", 1e9),
    }
}

/// Three significant digits, no exponent.
pub(super) fn three(value: f64) -> String {
    let digits = usize::try_from(decimals(value)).unwrap_or(0);
    format!("{value:.digits$}")
}

/// How many decimals make three significant digits.
fn decimals(value: f64) -> i32 {
    match value.abs() {
        0.0 => 0,
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        size if size >= 0.09995 => 3,
        _ => 4,
    }
}

/// `1.21 ms`.
pub(super) fn seconds(seconds: f64) -> String {
    let (name, scale) = unit(seconds);
    format!("{} {name}", three(seconds * scale))
}

/// `1.19–1.24 ms`, in the unit of the value between; empty without an interval.
pub(super) fn seconds_interval(estimate: &Estimate) -> String {
    let (name, scale) = unit(estimate.value);
    estimate.interval.map_or_else(String::new, |Interval { low, high, .. }| {
        format!("{} {name}", range(low * scale, high * scale))
    })
}

/// `1.42×`.
pub(super) fn ratio(ratio: f64) -> String {
    format!("{}×", three(ratio))
}

/// `1.40–1.45×`; empty without an interval.
pub(super) fn ratio_interval(estimate: &Estimate) -> String {
    estimate
        .interval
        .map_or_else(String::new, |Interval { low, high, .. }| format!("{}×", range(low, high)))
}

/// Two ends, with three significant digits or as many as it takes to tell them apart.
fn range(low: f64, high: f64) -> String {
    let mut digits = decimals(low);
    while digits < 6 && (high - low) * 10f64.powi(digits) < 1.0 && high > low {
        digits += 1;
    }
    let digits = usize::try_from(digits).unwrap_or(0);
    format!("{low:.digits$}–{high:.digits$}")
}

/// What an interval covers, in words.
pub(super) fn spread(spread: Spread) -> String {
    match spread {
        Spread::WithinProcess => "this process on this machine only".to_owned(),
        Spread::WithinMachine { tasks } => format!("this machine only, {tasks} processes"),
        Spread::AcrossMachines { instances } => format!("{instances} machines"),
    }
}

/// `1234567` as `1 234 567`, with narrow no-break spaces.
pub(super) fn count(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A variant as it is spoken of.
pub(super) fn variant(variant: &str) -> &str {
    match variant {
        "yjit" => "YJIT",
        "interp" => "interpreter",
        other => other,
    }
}

/// `41 % faster`, `3.2 % slower`.
pub(super) fn faster(speed: f64) -> String {
    let (size, way) = if speed >= 1.0 { (speed - 1.0, "faster") } else { (1.0 - speed, "slower") };
    let percent = size * 100.0;
    if percent >= 9.95 { format!("{percent:.0} % {way}") } else { format!("{percent:.1} % {way}") }
}

/// `$12.30`, and three significant digits below a dollar: `$0.0361`.
pub(super) fn money(amount: Usd) -> String {
    let dollars = amount.dollars();
    if dollars >= 1.0 || amount == Usd::ZERO {
        return amount.to_string();
    }
    let digits = if dollars >= 0.1 {
        3
    } else if dollars >= 0.01 {
        4
    } else {
        6
    };
    format!("${dollars:.digits$}")
}

/// Text for the page, whose percentages do not break over two lines.
pub(super) fn unbroken(text: &str) -> String {
    text.replace(" %", "\u{202f}%")
}

/// Bytes as `7.8 GiB`.
pub(super) fn bytes(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "KiB", "MiB"] {
        if size < 1024.0 {
            return format!("{size:.0} {unit}");
        }
        size /= 1024.0;
    }
    format!("{size:.1} GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_a_unit_that_suits() {
        let cases = [
            (1.234_5, "1.23 s"),
            (0.012_345, "12.3 ms"),
            (0.000_999_96, "1000 µs"),
            (0.000_123_4, "123 µs"),
            (123.4, "123 s"),
            (1e-9, "1.00 ns"),
        ];
        for (value, expected) in cases {
            assert_eq!(seconds(value), expected);
        }
    }

    #[test]
    fn counts_bytes_and_ratios_are_readable() {
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(count(999), "999");
        assert_eq!(bytes(8_589_934_592), "8.0 GiB");
        assert_eq!(bytes(512), "512 B");
        let amounts = [
            (0.036_1, "$0.0361"),
            (0.5, "$0.500"),
            (12.3, "$12.30"),
            (0.004_2, "$0.004200"),
            (0.0, "$0.00"),
        ];
        for (dollars, expected) in amounts {
            assert_eq!(money(Usd::from_dollars(dollars).unwrap()), expected);
        }
        assert_eq!(ratio(1.416), "1.42×");
        assert_eq!(range(1.401, 1.452), "1.40–1.45");
        assert_eq!(range(1.268_41, 1.269_04), "1.2684–1.2690");
        assert_eq!(range(103.2, 117.9), "103–118");
        assert_eq!(range(9.3, 10.5), "9.30–10.50");
        assert_eq!(range(1.265_8, 1.267_1), "1.266–1.267");
        assert_eq!(range(2.0, 2.0), "2.00–2.00");
        assert_eq!(faster(1.41), "41 % faster");
        assert_eq!(faster(0.968), "3.2 % slower");
    }
}
