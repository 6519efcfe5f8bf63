//! Quantities and foreign text as people read them.

use std::borrow::Cow;
use std::time::Duration;

use railsbench::money::Usd;

/// A time that a person waits: `45 s`, `3 min 20 s`, `2 h 05 min`.
pub fn wait(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_millis() >= 500);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A running clock: `0:45`, `12:03`, `1:02:03`.
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds % 3600 / 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// A moment, in UTC.
pub fn moment(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// An amount of memory: `512 MiB`, `7.8 GiB`.
pub fn memory(bytes: u64) -> String {
    const MIB: f64 = 1_048_576.0;
    let mib = bytes as f64 / MIB;
    if mib < 1024.0 {
        format!("{mib:.0} MiB")
    } else {
        let gib = format!("{:.1}", mib / 1024.0);
        format!("{} GiB", gib.strip_suffix(".0").unwrap_or(&gib))
    }
}

/// What something costs for each hour or GiB: four decimals, since rates are small.
pub fn rate(amount: Usd) -> String {
    format!("${:.4}", amount.dollars())
}

/// A count with its noun: `1 machine`, `3 machines`, `2 oddities`.
pub fn count(number: usize, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {noun}s"),
    }
}

/// Text that came from elsewhere, without what a terminal would take as a command: control
/// characters other than line ends and tabs become blanks.
pub fn plain(text: &str) -> Cow<'_, str> {
    let is_command = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if text.contains(is_command) { text.replace(is_command, " ").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_commands_no_terminal() {
        assert_eq!(plain("\u{1b}[2Jgone\r\u{9b}x"), " [2Jgone  x");
        assert_eq!(plain("two\nlines"), "two\nlines");
    }

    #[test]
    fn times_that_are_waited() {
        let shown = |seconds| wait(Duration::from_secs_f64(seconds));
        assert_eq!(shown(0.4), "0 s");
        assert_eq!(shown(59.6), "1 min 00 s");
        assert_eq!(shown(200.0), "3 min 20 s");
        assert_eq!(shown(7_500.0), "2 h 05 min");
        assert_eq!(clock(Duration::from_secs(3_723)), "1:02:03");
        assert_eq!(clock(Duration::from_secs(45)), "0:45");
    }

    #[test]
    fn memory_and_counts() {
        assert_eq!(memory(512 << 20), "512 MiB");
        assert_eq!(memory(4 << 30), "4 GiB");
        assert_eq!(memory(8_357_298_176), "7.8 GiB");
        assert_eq!(count(1, "machine"), "1 machine");
        assert_eq!(count(0, "machine"), "0 machines");
        assert_eq!(count(2, "oddity"), "2 oddities");
    }
}
