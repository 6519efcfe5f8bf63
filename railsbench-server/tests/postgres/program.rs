//! The program on PostgreSQL: what it needs to be told, and what it keeps to itself.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};

use railsbench_emulators::postgres::Cluster;
use tempfile::TempDir;

pub const KEY: &str = "operator-token-of-the-postgres-tests";

pub fn program(folder: &TempDir, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_railsbench-server"));
    command.env_clear().env("API_KEY", KEY).current_dir(folder.path()).args(flags);
    command
}

/// Starts it and waits until it listens. Gives it and its address.
pub fn start(mut command: Command) -> (Child, String) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().rsplit("http://").next().unwrap().trim_end_matches('/');
    assert!(line.starts_with("railsbench-server listens on http://127.0.0.1:"), "{line:?}");
    (child, address.to_owned())
}

#[track_caller]
fn assert_fails(output: &Output, code: i32, text: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(error.contains(text), "{error}");
    assert!(!error.contains("hush") && !error.contains(KEY), "{error}");
}

#[test]
fn servers_must_share_more_than_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let url = "postgres://u:hush@127.0.0.1:1/bench";
    let run = |flags: &[&str], url: &str, key: bool| {
        let mut command = program(&folder, flags);
        command.env("RAILSBENCH_DATABASE_URL", url);
        if !key {
            command.env_remove("API_KEY");
        }
        command.output().unwrap()
    };
    assert_fails(&run(&[], url, true), 2, "--artifacts-dir");
    let shared = ["--artifacts-dir", "results"];
    assert_fails(&run(&shared, url, false), 2, "set the same API_KEY");
    assert_fails(&run(&shared, "postgres://u:hush@h:port/bench", true), 2, "postgres://USER");
    let none = ["--artifacts-dir", "results", "--database-connections", "0"];
    assert_fails(&run(&none, url, true), 2, "at least one connection");
    let both = ["--artifacts-dir", "results", "--database-url-file", "file"];
    assert_fails(&run(&both, url, true), 2, "keep one of the two");
}

#[test]
fn neither_the_log_nor_the_process_list_shows_the_password() {
    let cluster = Cluster::start();
    let url = cluster.create_database("bench");
    let folder = tempfile::tempdir().unwrap();
    let secrets = ["with%25odd", cluster.password(), KEY];
    let keeps_them = |text: &str| {
        for secret in secrets {
            assert!(!text.contains(secret), "{text}");
        }
    };
    std::fs::write(folder.path().join("url"), format!("{url}\n")).unwrap();
    let flags = ["--listen", "127.0.0.1:0", "--artifacts-dir", "results"];
    let from_file = [&flags[..], &["--database-url-file", "url"]].concat();
    let mut by_variable = program(&folder, &flags);
    by_variable.env("RAILSBENCH_DATABASE_URL", &url);
    for mut command in [by_variable, program(&folder, &from_file)] {
        command.env("RUST_LOG", "trace").stderr(Stdio::piped());
        let (mut child, address) = start(command);
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        let request = "GET /ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        keeps_them(&std::fs::read_to_string(format!("/proc/{}/cmdline", child.id())).unwrap());
        let ended = Command::new("kill").arg(child.id().to_string()).status().unwrap();
        assert!(ended.success());
        let mut log = String::new();
        child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{log}");
        assert!(log.contains("listening"), "{log}");
        keeps_them(&log);
    }
    // Nor does it when the database says no.
    let mut wrong = program(&folder, &flags);
    wrong.env("RAILSBENCH_DATABASE_URL", url.replace("a%20password", "hush"));
    assert_fails(&wrong.output().unwrap(), 3, "password authentication failed");
}
