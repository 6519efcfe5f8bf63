//! The end of what this runner has said, for heartbeats to carry to the orchestrator.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How much is kept until it is told, in bytes.
const KEPT: usize = 64 << 10;
/// How much of what a workload prints between two looks is kept, in bytes.
const PRINTED: u64 = 32 << 10;

/// What this runner has said and the orchestrator does not know yet: lines of its own log, and of
/// what its workloads print. It is bounded: what is not told in time is lost, oldest first.
///
/// Clones are one log. Written to as a file it never fails.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Untold>>);

#[derive(Debug, Default)]
struct Untold {
    /// Where `text` begins in all that was said, in bytes.
    offset: u64,
    text: String,
}

impl Untold {
    /// Forgets the first `count` bytes, and the rest of a character that begins in them.
    fn forget(&mut self, count: usize) {
        let count = self.text.ceil_char_boundary(count);
        self.text.drain(..count);
        self.offset += count as u64;
    }
}

impl Log {
    fn untold(&self) -> MutexGuard<'_, Untold> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds text. Control characters other than tab and line feed become spaces.
    pub fn say(&self, text: &str) {
        let mut untold = self.untold();
        untold.text.extend(text.chars().map(|character| match character {
            '\n' | '\t' => character,
            character if character.is_control() => ' ',
            character => character,
        }));
        let excess = untold.text.len().saturating_sub(KEPT);
        untold.forget(excess);
    }

    /// The oldest text that is not told yet, at most `limit` bytes, and where it begins; `None`
    /// if all is told.
    pub(crate) fn news(&self, limit: usize) -> Option<(u64, String)> {
        let untold = self.untold();
        let end = untold.text.floor_char_boundary(limit);
        (end > 0).then(|| (untold.offset, untold.text[..end].to_owned()))
    }

    /// Everything before this place is told.
    pub(crate) fn told(&self, place: u64) {
        let mut untold = self.untold();
        let count = usize::try_from(place.saturating_sub(untold.offset)).unwrap_or(usize::MAX);
        untold.forget(count);
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.say(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a workload prints to a file, as it comes.
#[derive(Debug)]
pub(crate) struct Printed {
    path: PathBuf,
    place: u64,
}

impl Printed {
    /// From the file's beginning on; it need not be there yet.
    pub(crate) fn to(path: PathBuf) -> Self {
        Self { path, place: 0 }
    }

    /// Adds the lines to the log that were completed since the last call. A file that cannot be
    /// read has none: the log is a convenience.
    pub(crate) fn say_to(&mut self, log: &Log) {
        match self.read() {
            Ok(text) => text.lines().for_each(|line| log.say(&format!("| {line}\n"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::debug!("cannot read {}: {error}", self.path.display()),
        }
    }

    fn read(&mut self) -> io::Result<String> {
        let mut file = File::open(&self.path)?;
        let length = file.metadata()?.len();
        let mut text = String::new();
        let skipped = length.saturating_sub(self.place).saturating_sub(PRINTED);
        if skipped > 0 {
            self.place += skipped;
            text = format!("… {skipped} bytes are left out …\n");
        }
        file.seek(SeekFrom::Start(self.place))?;
        let mut bytes = Vec::new();
        file.take(PRINTED).read_to_end(&mut bytes)?;
        // A line that is as long as all that is read will not be waited for.
        let whole = match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None if bytes.len() as u64 >= PRINTED => bytes.len(),
            None => 0,
        };
        self.place += whole as u64;
        text.push_str(&String::from_utf8_lossy(&bytes[..whole]));
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_forgotten_and_what_is_not_comes_again() {
        let log = Log::default();
        assert_eq!(log.news(100), None);
        log.say("one\ntw\u{1b}o ä\n");
        assert_eq!(log.news(4), Some((0, "one\n".to_owned())));
        assert_eq!(log.news(10), Some((0, "one\ntw o ".to_owned())), "characters stay whole");
        log.told(4);
        assert_eq!(log.news(100), Some((4, "tw o ä\n".to_owned())));
        log.told(2);
        log.told(12);
        assert_eq!(log.news(100), None);
        log.say("three");
        assert_eq!(log.news(100), Some((12, "three".to_owned())));
    }

    #[test]
    fn what_is_not_told_in_time_is_lost_oldest_first() {
        let log = Log::default();
        for _ in 0..KEPT {
            log.say("äb");
        }
        let (offset, text) = log.news(usize::MAX).unwrap();
        assert!((KEPT - 2..=KEPT).contains(&text.len()), "{}", text.len());
        assert_eq!(offset + text.len() as u64, 3 * KEPT as u64);
    }

    #[test]
    fn whole_lines_of_a_file_are_said_as_they_come() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output.txt");
        let (log, mut printed) = (Log::default(), Printed::to(path.clone()));
        let said = |printed: &mut Printed, expected: &str| {
            printed.say_to(&log);
            let (offset, text) = log.news(usize::MAX).unwrap_or_default();
            assert_eq!(text, expected);
            log.told(offset + text.len() as u64);
        };
        said(&mut printed, "");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        said(&mut printed, "| one\n");
        file.write_all(b"o\n\xff\n").unwrap();
        said(&mut printed, "| two\n| \u{fffd}\n");
        file.write_all("a line\n".repeat(10_000).as_bytes()).unwrap();
        file.write_all(b"last\n").unwrap();
        printed.say_to(&log);
        let (_, text) = log.news(usize::MAX).unwrap();
        let skipped = 70_005 - PRINTED;
        assert!(text.starts_with(&format!("| … {skipped} bytes are left out …\n| ")), "{text}");
        assert!(text.ends_with("| a line\n| last\n"), "{text}");
    }
}
