//! The journal on disk: one JSON object a line, durable before the step it announces is taken.
//!
//! Several processes may write to one journal; a lock on the file keeps their lines apart. A
//! crash while a line was written leaves a part of it at the end. That line was never
//! acknowledged, so readers leave it out and the next writer cuts it off. Damage anywhere else is
//! an error.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use railsbench_core::provider::{Journal, JournalEntry, JournalError};

/// A [`Journal`] in a file that only its owner can read.
#[derive(Debug)]
pub struct FileJournal {
    path: PathBuf,
    file: Mutex<File>,
}

impl FileJournal {
    /// Opens the journal, making the file if it is not there.
    ///
    /// # Errors
    /// [`JournalError`] if it cannot be opened, or if it is damaged.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let open = || -> io::Result<File> {
            let mut options = OpenOptions::new();
            let file = options.read(true).append(true).create(true).mode(0o600).open(path)?;
            // The name of a new file is durable only when its folder is.
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(file)
        };
        let file = open().map_err(|error| failure("write", path, &error))?;
        let journal = Self { path: path.to_owned(), file: Mutex::new(file) };
        journal.entries()?;
        Ok(journal)
    }

    /// The file, for this thread alone. A panic while it was held can only have left an
    /// unfinished line, which is dealt with anyway.
    fn file(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for FileJournal {
    fn record(&self, entry: &JournalEntry) -> Result<(), JournalError> {
        let write = || -> io::Result<()> {
            let mut line = serde_json::to_vec(entry)?;
            line.push(b'\n');
            let mut file = self.file();
            file.lock()?;
            let written = cut_unfinished_line(&mut file)
                .and_then(|()| file.write_all(&line))
                .and_then(|()| file.sync_data());
            file.unlock()?;
            written
        };
        write().map_err(|error| failure("write", &self.path, &error))
    }

    fn entries(&self) -> Result<Vec<JournalEntry>, JournalError> {
        let read = || -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            let mut file = self.file();
            file.lock_shared()?;
            let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_end(&mut bytes));
            file.unlock()?;
            read.map(|_| bytes)
        };
        let bytes = read().map_err(|error| failure("read", &self.path, &error))?;
        let finished = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        bytes[..finished]
            .split(|byte| *byte == b'\n')
            .enumerate()
            .filter(|(_, line)| !line.is_empty())
            .map(|(index, line)| {
                serde_json::from_slice(line).map_err(|error| JournalError {
                    action: "read",
                    path: self.path.display().to_string(),
                    detail: format!(
                        "line {} is damaged ({error}); look at what it names, then remove it",
                        index + 1
                    ),
                })
            })
            .collect()
    }
}

/// Cuts off what a writer that died has left after the last line.
fn cut_unfinished_line(file: &mut File) -> io::Result<()> {
    let length = file.metadata()?.len();
    if length == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::Start(length - 1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(());
    }
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    let finished = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    file.set_len(finished as u64)
}

fn failure(action: &'static str, path: &Path, error: &io::Error) -> JournalError {
    JournalError { action, path: path.display().to_string(), detail: error.to_string() }
}

/// A [`Journal`] that is forgotten with the process: for tests and for what needs no memory.
#[derive(Debug, Default)]
pub struct MemoryJournal(Mutex<Vec<JournalEntry>>);

impl Journal for MemoryJournal {
    fn record(&self, entry: &JournalEntry) -> Result<(), JournalError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry.clone());
        Ok(())
    }

    fn entries(&self) -> Result<Vec<JournalEntry>, JournalError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use railsbench_core::id::{ProviderName, RunId};
    use railsbench_core::provider::JournalStep;

    use super::*;

    fn entry(token: &str) -> JournalEntry {
        JournalEntry {
            at: "2026-01-02T03:04:05Z".parse().unwrap(),
            provider: ProviderName::new("local").unwrap(),
            run_id: RunId::new("r1").unwrap(),
            kind: "machine".to_owned(),
            token: token.to_owned(),
            region: None,
            step: JournalStep::Created { id: "id\nwith a line break".to_owned() },
        }
    }

    fn tokens(journal: &FileJournal) -> Vec<String> {
        journal.entries().unwrap().into_iter().map(|entry| entry.token).collect()
    }

    #[test]
    fn entries_are_read_back_in_order_by_whoever_opens_the_file_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let journal = FileJournal::open(&path).unwrap();
        let intent = JournalEntry { step: JournalStep::Intend, ..entry("a") };
        journal.record(&intent).unwrap();
        journal.record(&entry("a")).unwrap();
        assert_eq!(journal.entries().unwrap(), [intent.clone(), entry("a")]);
        drop(journal);
        let journal = FileJournal::open(&path).unwrap();
        assert_eq!(journal.entries().unwrap(), [intent, entry("a")]);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    /// Whatever part of the last line a crash leaves, the lines before it are there and the next
    /// one is whole.
    #[test]
    fn an_unfinished_last_line_is_left_out_at_every_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let journal = FileJournal::open(&path).unwrap();
        journal.record(&entry("a")).unwrap();
        let first = std::fs::read(&path).unwrap();
        journal.record(&entry("b")).unwrap();
        let both = std::fs::read(&path).unwrap();
        for length in first.len()..both.len() {
            std::fs::write(&path, &both[..length]).unwrap();
            let journal = FileJournal::open(&path).unwrap();
            assert_eq!(tokens(&journal), ["a"], "at {length} bytes");
            journal.record(&entry("c")).unwrap();
            assert_eq!(tokens(&journal), ["a", "c"], "at {length} bytes");
        }
    }

    #[test]
    fn damage_elsewhere_is_an_error_that_names_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let journal = FileJournal::open(&path).unwrap();
        journal.record(&entry("a")).unwrap();
        let good = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{good}{{\"at\":\n{good}")).unwrap();
        let error = FileJournal::open(&path).unwrap_err().to_string();
        assert!(error.contains("line 2 is damaged"), "{error}");
        assert!(journal.entries().is_err());
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_that_names_the_path() {
        let error = FileJournal::open(Path::new("/nonexistent/journal.jsonl")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/journal.jsonl"), "{error}");
    }

    /// Two handles stand for two processes; the threads of each share one.
    #[test]
    fn concurrent_writers_keep_their_lines_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let journals = [FileJournal::open(&path).unwrap(), FileJournal::open(&path).unwrap()];
        std::thread::scope(|scope| {
            for (handle, journal) in journals.iter().enumerate() {
                for thread in 0..2 {
                    scope.spawn(move || {
                        for number in 0..20 {
                            journal.record(&entry(&format!("{handle}-{thread}-{number}"))).unwrap();
                        }
                    });
                }
            }
        });
        let mut found = tokens(&journals[0]);
        assert_eq!(found.len(), 80);
        found.sort();
        found.dedup();
        assert_eq!(found.len(), 80);
    }
}
