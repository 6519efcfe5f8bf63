//! The log of a task, in whole lines.

use std::fmt::Write;

use railsbench::id::Attempt;
use railsbench::protocol::LogPart;

/// Turns the parts of a task's log into lines, which begin with the name of the task where many
/// are shown.
#[derive(Debug)]
pub struct LogLines {
    name: Option<String>,
    place: Option<(Attempt, u64)>,
    /// A line whose end has not come yet.
    begun: String,
}

impl LogLines {
    /// Lines with this name before each.
    pub fn new(name: Option<String>) -> Self {
        Self { name, place: None, begun: String::new() }
    }

    /// Up to where the log is known.
    pub fn place(&self) -> Option<(Attempt, u64)> {
        self.place
    }

    /// The lines that a part completes.
    pub fn add(&mut self, part: &LogPart) -> String {
        let mut lines = String::new();
        match self.place {
            Some((attempt, _)) if attempt != part.attempt => {
                let begun = std::mem::take(&mut self.begun);
                if !begun.is_empty() {
                    self.line(&mut lines, &begun);
                }
                self.line(&mut lines, &format!("--- attempt {} ---", part.attempt));
            }
            Some((_, end)) if part.offset > end => {
                let missing = part.offset - end;
                let begun = std::mem::take(&mut self.begun);
                self.line(&mut lines, &format!("{begun}… {missing} bytes are missing …"));
            }
            _ => {}
        }
        self.place = Some((part.attempt, part.end()));
        for piece in part.text.split_inclusive('\n') {
            self.begun.push_str(piece);
            if piece.ends_with('\n') {
                let line = std::mem::take(&mut self.begun);
                self.line(&mut lines, line.trim_end_matches('\n'));
            }
        }
        lines
    }

    /// The line that was begun and never ended.
    pub fn rest(mut self) -> Option<String> {
        let begun = std::mem::take(&mut self.begun);
        (!begun.is_empty()).then(|| {
            let mut lines = String::new();
            self.line(&mut lines, &begun);
            lines
        })
    }

    fn line(&self, lines: &mut String, line: &str) {
        // Writing to a string cannot fail.
        let _ = match &self.name {
            Some(name) => writeln!(lines, "{name}: {line}"),
            None => writeln!(lines, "{line}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(attempt: u32, offset: u64, text: &str) -> LogPart {
        LogPart { attempt: Attempt(attempt), offset, text: text.to_owned() }
    }

    #[test]
    fn lines_are_whole_and_say_what_is_missing() {
        let mut lines = LogLines::new(Some("host-1".to_owned()));
        assert_eq!(lines.place(), None);
        assert_eq!(lines.add(&part(1, 100, "one\ntw")), "host-1: one\n");
        assert_eq!(lines.place(), Some((Attempt(1), 106)));
        assert_eq!(lines.add(&part(1, 106, "o\n\n")), "host-1: two\nhost-1: \n");
        assert_eq!(
            lines.add(&part(1, 119, "three\nfo")),
            "host-1: … 10 bytes are missing …\nhost-1: three\n"
        );
        assert_eq!(lines.add(&part(2, 0, "five")), "host-1: fo\nhost-1: --- attempt 2 ---\n");
        assert_eq!(lines.rest().as_deref(), Some("host-1: five\n"));
        assert_eq!(LogLines::new(None).rest(), None);
    }
}
