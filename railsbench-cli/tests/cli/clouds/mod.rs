//! What cannot be done at a cloud is said before anything is made there: exit code 2 for the
//! configuration, 3 for the world, and the fix. The clouds are emulators on this host.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod aws;
mod azure;
mod gcp;
mod heroku;
mod nuke;

use std::collections::BTreeMap;
use std::path::PathBuf;

use railsbench::server::{RunnerFiles, Server, ServerConfig};
use tempfile::TempDir;

use super::command;

/// A port of this host that nobody listens on: it takes privileges, and TCPMUX is long gone.
const NOBODY: &str = "127.0.0.1:1";

/// An operator in a folder of their own, with nothing in the environment but what a case says.
struct Operator {
    folder: TempDir,
    variables: BTreeMap<&'static str, String>,
    arguments: Vec<String>,
}

impl Operator {
    fn new(variables: &[(&'static str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let all = variables.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let mut operator = Self { folder, variables: all.collect(), arguments: Vec::new() };
        // Machines are to be of this architecture, and to need no library.
        let mut runner = vec![0; 64];
        runner[..6].copy_from_slice(b"\x7fELF\x02\x01");
        runner[18] = 62;
        std::fs::write(operator.runner(), runner).unwrap();
        let home = operator.folder.path().display().to_string();
        operator = operator.with("HOME", &home).with("PATH", &home);
        operator
    }

    fn runner(&self) -> PathBuf {
        self.folder.path().join("railsbench-runner")
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.insert(name, value.to_owned());
        self
    }

    fn without(mut self, names: &[&str]) -> Self {
        self.variables.retain(|name, _| !names.contains(name));
        self
    }

    /// Names an orchestrator elsewhere.
    fn with_orchestrator(mut self, url: &str) -> Self {
        self.arguments.extend(["--orchestrator".to_owned(), url.to_owned()]);
        self.with("RAILSBENCH_API_KEY", "the-operators")
    }

    /// A file of the operator.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Runs a command, and gives exit code, standard output and standard error.
    async fn ask(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = command(self.folder.path());
        command.env_clear().envs(&self.variables).args(arguments).write_stdin("");
        let output = tokio::task::spawn_blocking(move || command.output().expect("it starts"));
        let output = output.await.unwrap();
        let text = |bytes| String::from_utf8(bytes).expect("text");
        let code = output.status.code().expect("no signal ends it");
        (code, text(output.stdout), text(output.stderr))
    }

    /// Runs one mock task on machines that the configuration names, and gives exit code and
    /// message. A run that is refused leaves nothing on this host either.
    async fn run(self, machines: &str) -> String {
        let config = format!(r#"{{"ruby_version": "3.4.1", "mock": true, {machines}}}"#);
        let told = tokio::task::spawn_blocking(move || {
            let mut command = command(self.folder.path());
            command
                .env_clear()
                .envs(&self.variables)
                .args(["run", "-", "--yes", "--quiet", "--runner"])
                .arg(self.runner())
                .args(&self.arguments)
                .write_stdin(config);
            let output = command.output().expect("it starts");
            assert_eq!(String::from_utf8_lossy(&output.stdout), "");
            assert!(!self.folder.path().join(".railsbench").exists(), "a run was begun");
            let code = output.status.code().expect("no signal ends it");
            let home = self.folder.path().display().to_string();
            let said = String::from_utf8(output.stderr).expect("text");
            format!("exit {code}\n{}", without_ports(&said.replace(&home, "[home]")))
        });
        told.await.unwrap()
    }
}

/// Where others would reach [`PlainOrchestrator`].
const PLAIN_URL: &str = "http://bench.example.com/";

/// An orchestrator that is reached by the name of another host and plain http: through itself, as
/// the proxy for that.
struct PlainOrchestrator {
    server: Server,
    _folder: TempDir,
}

impl PlainOrchestrator {
    async fn start(operator: &Operator) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let loopback = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0));
        let mut config = ServerConfig::new(loopback, folder.path().to_owned());
        config.api_key = Some("the-operators".to_owned().into());
        let mut runners = RunnerFiles::none();
        runners.add(&operator.runner()).unwrap();
        config.runners = runners;
        Self { server: Box::pin(Server::start(config)).await.unwrap(), _folder: folder }
    }

    fn for_operator(&self, operator: Operator) -> Operator {
        let proxy = self.server.url().to_string();
        operator
            .with("http_proxy", &proxy)
            .with("no_proxy", "127.0.0.1")
            .with("RAILSBENCH_ALLOW_PLAIN_HTTP", "true")
            .with_orchestrator(PLAIN_URL)
    }
}

/// What was said in all cases, one after the other.
#[derive(Default)]
struct Told(String);

impl Told {
    fn add(&mut self, case: &str, said: &str) {
        let code = said.lines().next().unwrap_or_default();
        assert!(["exit 2", "exit 3"].contains(&code), "{case}: {said}");
        self.0.extend(["# ", case, "\n", said.trim_end(), "\n\n"]);
    }
}

/// With the ports of this host blotted out, which differ each time.
fn without_ports(said: &str) -> String {
    let mut parts = said.split("127.0.0.1:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |told, part| {
        let port = part.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(part.len());
        told + "127.0.0.1:[port]" + &part[port..]
    })
}
