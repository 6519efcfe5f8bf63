//! The program: exit codes, output, signals.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it must be")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

const KEY: &str = "operator-token-of-the-program-test";

fn program(folder: &TempDir, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_railsbench-server"));
    command.env_clear().current_dir(folder.path()).args(flags);
    command
}

fn run(folder: &TempDir, flags: &[&str]) -> Output {
    program(folder, flags).output().unwrap()
}

#[track_caller]
fn assert_fails(output: &Output, code: i32, text: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(error.contains(text), "{error}");
}

/// A program that listens, and the lines it has printed until the address was known.
struct Running {
    child: Child,
    address: String,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit("http://").next().unwrap().trim_end_matches('/');
        assert!(line.starts_with("railsbench-server listens on http://127.0.0.1:"), "{line:?}");
        Self { address: address.to_owned(), child }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for the end. Gives the exit code and what was logged.
    fn end(mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), log)
    }
}

#[test]
fn signals_end_it_well_and_the_log_keeps_secrets() {
    for signal in ["-TERM", "-INT"] {
        let folder = tempfile::tempdir().unwrap();
        let flags = ["--listen", "127.0.0.1:0", "--log-format", "json"];
        let mut command = program(&folder, &flags);
        command.env("API_KEY", KEY).env("RUST_LOG", "trace");
        let running = Running::start(command);
        let mut stream = std::net::TcpStream::connect(&running.address).unwrap();
        let request = format!(
            "GET /runs?signature=very-secret HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\nconnection: close\r\n\r\n"
        );
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        running.signal(signal);
        let (code, log) = running.end();
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("\"message\":\"draining\""), "{log}");
        assert!(!log.contains(KEY) && !log.contains("very-secret"), "{log}");
    }
}

#[test]
fn without_a_key_it_keeps_one_in_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(program(&folder, &["--listen", "127.0.0.1:0"]));
    let token = std::fs::read_to_string(folder.path().join("railsbench-data/operator.token"));
    assert!(token.unwrap().len() >= 32);
    running.signal("-TERM");
    assert_eq!(running.end().0, Some(0));
}

#[test]
fn what_is_wrong_with_the_configuration_is_said_with_code_2() {
    let folder = tempfile::tempdir().unwrap();
    assert_fails(&run(&folder, &["--listen", "0.0.0.0:0"]), 2, "API_KEY");
    assert_fails(&run(&folder, &["--nonsense"]), 2, "--nonsense");
    assert_fails(&run(&folder, &["--config", "missing.toml"]), 2, "missing.toml");
    std::fs::write(folder.path().join("bad.toml"), "lisen = \"x\"\n").unwrap();
    assert_fails(&run(&folder, &["--config", "bad.toml"]), 2, "lisen");
    assert_fails(&run(&folder, &["--lease-seconds", "1"]), 2, "lease");
}

#[test]
fn what_the_machine_does_not_give_is_said_with_code_3() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let flags = ["--listen", "127.0.0.1:0", "--data-dir", "file/below"];
    assert_fails(&run(&folder, &flags), 3, "data folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_fails(&run(&folder, &["--listen", &address]), 3, "cannot listen");
}

#[test]
fn help_names_the_exit_codes_and_an_example() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&folder, &["--help"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for part in ["API_KEY", "Exit codes", "Example", "--public-url"] {
        assert!(text.contains(part), "{text}");
    }
}
