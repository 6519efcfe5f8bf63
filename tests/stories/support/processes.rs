//! The three programs, started as a user would start them.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use railsbench::client::OperatorClient;
use secrecy::ExposeSecret;

const API_KEY: &str = "an-operator-token-for-stories";

/// Where a program of this workspace was built.
pub fn program(name: &str) -> PathBuf {
    // This test is target/debug/deps/stories-…; the programs are two folders up.
    let own = std::env::current_exe().unwrap();
    let path = own.parent().unwrap().parent().unwrap().join(name);
    assert!(
        path.is_file(),
        "{} is not built: run `cargo build --workspace --bins --examples` first",
        path.display()
    );
    path
}

/// A process that does not outlive its test.
struct Guarded(Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The orchestrator as a process.
pub struct ServerProcess {
    process: Guarded,
    arguments: Vec<String>,
    pub client: OperatorClient,
}

impl ServerProcess {
    /// Starts it on a free port with its data in a folder.
    pub fn start(data: &Path, more: &[&str]) -> Self {
        // A fixed port, so that a restarted server is found where runners look for it.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let listen = format!("127.0.0.1:{port}");
        let mut arguments = vec!["--listen".to_owned(), listen.clone(), "--data-dir".to_owned()];
        arguments.push(data.display().to_string());
        arguments.extend(more.iter().map(ToString::to_string));
        let url = format!("http://{listen}").parse().unwrap();
        let client = OperatorClient::new(url, API_KEY.to_owned().into()).unwrap();
        Self { process: Self::spawn(&arguments), arguments, client }
    }

    fn spawn(arguments: &[String]) -> Guarded {
        let mut child = Command::new(program("railsbench-server"))
            .args(arguments)
            .env("API_KEY", API_KEY)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert!(line.contains("http://127.0.0.1"), "the server said {line:?} instead of its URL");
        Guarded(child)
    }

    /// Gives a command the environment of an operator of this orchestrator.
    #[cfg(feature = "clouds")]
    pub fn point(&self, command: &mut Command) {
        command
            .env("RAILSBENCH_ORCHESTRATOR", self.client.url().as_str())
            .env("RAILSBENCH_API_KEY", API_KEY);
    }

    /// Ends it as a power failure would.
    pub fn kill(&mut self) {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
    }

    /// Starts it again where it was.
    pub fn restart(&mut self) {
        self.process = Self::spawn(&self.arguments);
    }
}

/// A runner as a process.
pub struct RunnerProcess {
    process: Guarded,
}

impl RunnerProcess {
    /// Starts it for a run, as user data would.
    pub fn start(
        server: &ServerProcess,
        run: &str,
        token: &secrecy::SecretString,
        name: &str,
        folder: &Path,
    ) -> Self {
        let child = Command::new(program("railsbench-runner"))
            .env("ORCHESTRATOR_URL", server.client.url().as_str())
            .env("API_KEY", token.expose_secret())
            .env("RUN_ID", run)
            .env("PROVIDER", "local")
            .env("INSTANCE_TYPE", "host")
            .env("RUNNER_ID", name)
            .env("RAILSBENCH_WORKDIR", folder.join(name))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { process: Guarded(child) }
    }

    /// Ends it without a chance to say so.
    pub fn kill(&mut self) {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
    }

    /// Its exit code, once it has ended by itself.
    pub async fn exit_code(mut self) -> Option<i32> {
        tokio::task::spawn_blocking(move || self.process.0.wait().unwrap().code()).await.unwrap()
    }
}

/// The command line in a folder of its own.
pub struct Cli {
    folder: PathBuf,
}

impl Cli {
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The command, ready to be started or changed.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("railsbench"));
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        command.env_remove("RAILSBENCH_ORCHESTRATOR").env_remove("API_KEY");
        command.env_remove("RAILSBENCH_CA_CERT");
        command
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs it and gives what it printed, if it exits with this code.
    pub fn expect(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let stdout = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{stdout}\n{stderr}");
        stdout
    }
}
