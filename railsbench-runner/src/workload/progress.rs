//! Progress lines: how a workload says how far it is.

use std::io;
use std::path::Path;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde::Deserialize;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::{OpenOptions, Receiver};

/// Longest line, in bytes: what a pipe takes in one piece.
const LINE_LIMIT: usize = 4096;
/// Longest text shown, in characters.
const TEXT_LIMIT: usize = 200;

/// How far a workload is.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// Its process has been started.
    Started,
    /// A benchmark begins.
    Benchmark {
        /// Its name, with its variant if it has one.
        name: String,
        /// How much of the workload is done, 0 to 100, if known.
        percent: Option<f64>,
    },
    /// Something worth saying.
    Message(String),
}

impl Progress {
    /// Reads a line; nothing comes of one that is not understood.
    fn parse(line: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Line {
            benchmark: Option<String>,
            variant: Option<String>,
            done: Option<f64>,
            total: Option<f64>,
            message: Option<String>,
        }
        let line: Line = serde_json::from_slice(line).ok()?;
        if let Some(benchmark) = line.benchmark {
            let name = match line.variant {
                Some(variant) => format!("{benchmark} ({variant})"),
                None => benchmark,
            };
            let percent = match (line.done, line.total) {
                (Some(done), Some(total)) if total > 0.0 => {
                    Some((done / total * 100.0).clamp(0.0, 100.0))
                }
                _ => None,
            };
            return Some(Self::Benchmark { name: shorten(&name), percent });
        }
        line.message.map(|message| Self::Message(shorten(&message)))
    }
}

fn shorten(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(TEXT_LIMIT)
        .collect()
}

/// The reading end of a named pipe of progress lines.
pub(super) struct ProgressPipe {
    receiver: Receiver,
    line: Vec<u8>,
    /// The line is too long: its rest is skipped.
    skipping: bool,
}

impl ProgressPipe {
    /// Makes the pipe and opens it for reading and writing, so that it neither blocks nor ends
    /// when writers come and go.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR)?;
        let receiver = OpenOptions::new().read_write(true).open_receiver(path)?;
        Ok(Self { receiver, line: Vec::new(), skipping: false })
    }

    /// The next line that is understood. Nothing is lost if the future is dropped. A pipe that
    /// cannot be read has no more lines: the workload matters, its progress does not.
    pub(super) async fn next(&mut self) -> Progress {
        loop {
            while let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.line.drain(..=end).collect();
                if std::mem::take(&mut self.skipping) {
                    continue;
                }
                if let Some(progress) = Progress::parse(&line) {
                    return progress;
                }
                tracing::debug!("a progress line is not understood");
            }
            if self.line.len() > LINE_LIMIT {
                self.line.clear();
                self.skipping = true;
            }
            let mut chunk = [0; 1024];
            match self.receiver.read(&mut chunk).await {
                Ok(count) => self.line.extend_from_slice(&chunk[..count]),
                Err(error) => {
                    tracing::warn!("no more progress: the pipe cannot be read: {error}");
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn lines_are_read_as_documented() {
        let cases: [(&str, Option<Progress>); 8] = [
            (
                r#"{"benchmark": "boot", "variant": "yjit", "done": 3, "total": 12}"#,
                Some(Progress::Benchmark { name: "boot (yjit)".to_owned(), percent: Some(25.0) }),
            ),
            (
                r#"{"benchmark": "boot"}"#,
                Some(Progress::Benchmark { name: "boot".to_owned(), percent: None }),
            ),
            (
                r#"{"benchmark": "boot", "done": 9, "total": 3}"#,
                Some(Progress::Benchmark { name: "boot".to_owned(), percent: Some(100.0) }),
            ),
            (
                r#"{"benchmark": "boot", "done": 9, "total": 0}"#,
                Some(Progress::Benchmark { name: "boot".to_owned(), percent: None }),
            ),
            ("{\"message\": \"a\\u001b[31mb\"}", Some(Progress::Message("a [31mb".to_owned()))),
            ("{}", None),
            ("{\"benchmark\": 3}", None),
            ("half a li", None),
        ];
        for (line, expected) in cases {
            assert_eq!(Progress::parse(line.as_bytes()), expected, "{line}");
        }
    }

    #[tokio::test]
    async fn garbage_and_endless_lines_are_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("progress");
        let mut pipe = ProgressPipe::create(&path).unwrap();
        let writer = std::thread::spawn(move || {
            let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
            file.write_all(b"garbage\n\xff\xfe\n").unwrap();
            file.write_all(&vec![b'x'; 100_000]).unwrap();
            file.write_all(b"{\"message\": \"tail of the long line\"}\n").unwrap();
            file.write_all(b"{\"message\": \"one\"}\n{\"mess").unwrap();
            file.write_all(b"age\": \"two\"}\n").unwrap();
        });
        assert_eq!(pipe.next().await, Progress::Message("one".to_owned()));
        assert_eq!(pipe.next().await, Progress::Message("two".to_owned()));
        writer.join().unwrap();
    }
}
