//! Where output goes: results to stdout, everything else to stderr, and neither ever panics.

use std::io::{self, IsTerminal, Write};

use console::{Style, Term};
use serde::Serialize;

use crate::exit::Failure;
use crate::render::units::plain;

/// How much the operator wants to be told on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// What went wrong.
    Failures,
    /// What happens.
    Progress,
    /// Log lines too.
    Log,
}

/// The two output streams and what the operator wants to see on them.
#[derive(Debug, Clone)]
pub struct Output {
    json: bool,
    detail: Detail,
    stderr_is_terminal: bool,
    /// Questions can be asked: both stdin and stderr are a terminal.
    can_ask: bool,
}

impl Output {
    /// Looks at the streams of this process.
    pub fn new(json: bool, detail: Detail) -> Self {
        let stderr_is_terminal = io::stderr().is_terminal();
        let can_ask = stderr_is_terminal && io::stdin().is_terminal();
        Self { json, detail, stderr_is_terminal, can_ask }
    }

    /// Whether stdout is for programs.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether progress may be drawn over itself: where log lines come between, it may not.
    pub fn draws_bars(&self) -> bool {
        self.stderr_is_terminal && !self.json && self.detail == Detail::Progress
    }

    /// Whether progress is shown as lines.
    pub fn shows_lines(&self) -> bool {
        !self.json && self.detail != Detail::Failures && !self.draws_bars()
    }

    /// Whether the operator can be asked.
    pub fn can_ask(&self) -> bool {
        self.can_ask
    }

    /// Writes the value as JSON, or the text that stands for it.
    pub fn show(
        &self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if self.json { print_json(value) } else { print(&text()) }
    }

    /// Tells the operator something on stderr.
    pub fn tell(&self, text: &str) {
        if self.detail != Detail::Failures {
            insist(text);
        }
    }

    /// Reports why the command failed.
    pub fn report(&self, failure: &Failure) {
        let text = failure.to_string();
        if text.is_empty() {
            return;
        }
        if self.json {
            // Whoever reads the JSON has gone if this fails.
            let _ = print_json(&failure.to_json());
            return;
        }
        let label = Style::new().for_stderr().red().bold().apply_to("error:");
        let gap = if text.contains('\n') { '\n' } else { ' ' };
        // As above.
        let _ = writeln!(io::stderr().lock(), "{label}{gap}{}", plain(&text));
    }

    /// Asks a yes/no question on the terminal; `no` unless the answer is yes.
    pub async fn ask(&self, question: String) -> Result<bool, Failure> {
        let answer = tokio::task::spawn_blocking(move || {
            dialoguer::Confirm::new().with_prompt(question).default(false).interact()
        })
        .await
        .map_err(|error| Failure::internal(format!("the question broke off: {error}")))?;
        answer.map_err(|dialoguer::Error::IO(error)| match error.kind() {
            io::ErrorKind::Interrupted => Failure::interrupted("interrupted; nothing was changed"),
            _ => Failure::environment(format!("the terminal does not answer: {error}; use --yes")),
        })
    }
}

/// Writes text to stdout, with a line end.
pub fn print(text: &str) -> Result<(), Failure> {
    write(&plain(text))
}

/// Writes one line of JSON to stdout.
pub fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(value)
        .map_err(|error| Failure::internal(format!("cannot write JSON: {error}")))?;
    write(&line)
}

/// Tells the operator something on stderr, also with `-q`.
pub fn insist(text: &str) {
    // If stderr is closed there is no one left to tell.
    let _ = writeln!(io::stderr().lock(), "{}", plain(text));
}

/// Shows the cursor again that a question or a progress bar may have hidden.
pub fn restore_terminal() {
    let terminal = Term::stderr();
    if terminal.is_term() {
        // A terminal that is gone needs no cursor.
        let _ = terminal.show_cursor();
    }
}

fn write(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", text.trim_end_matches('\n'))
        .and_then(|()| stdout.flush())
        .map_err(|error| unwritable(&error))
}

fn unwritable(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        Failure::broken_pipe()
    } else {
        Failure::environment(format!("cannot write to standard output: {error}"))
    }
}
