//! A PostgreSQL server of a test's own: a private cluster in a temporary folder, on a free port of
//! loopback and a socket in the folder.
//!
//! Its programs come with Debian's package `postgresql`. They are looked for where that package
//! puts them and then on `PATH`, and a test that needs them fails without them.

use std::fs::{File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longest that the server may take to start.
const START: Duration = Duration::from_mins(1);

const USER: &str = "railsbench";
const PASSWORD: &str = "a password: with%odd/signs";
/// The same as a part of a URL.
const ENCODED: &str = "a%20password%3A%20with%25odd%2Fsigns";

/// PostgreSQL refuses to run as root; then it runs as `nobody`.
const NOBODY: u32 = 65534;

/// A running cluster. Dropping it ends it, and removes its folder.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    settings: Vec<String>,
    process: Option<Child>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The folder with `initdb` and `postgres`, of the newest version there is.
fn programs() -> PathBuf {
    let has_both = |folder: &PathBuf| {
        ["initdb", "postgres", "psql"].iter().all(|name| folder.join(name).is_file())
    };
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.map(|version| version.unwrap().path().join("bin")).collect())
        .unwrap_or_default();
    let number = |folder: &PathBuf| -> u32 {
        let version = folder.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        version.and_then(|version| version.parse().ok()).unwrap_or(0)
    };
    debian.sort_by_key(number);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = debian.into_iter().rev().chain(std::env::split_paths(&path)).find(has_both);
    found.expect("there is no initdb: install PostgreSQL, on Debian the package postgresql")
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Cluster {
    /// Starts one, and waits until it answers.
    ///
    /// # Panics
    /// If PostgreSQL is not installed, or does not start.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with settings like `ssl=on`; a file that a setting names is given to whom the
    /// server runs as.
    ///
    /// # Panics
    /// As for [`Cluster::start`].
    pub fn start_with(settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("railsbench-postgres-").tempdir().unwrap();
        let mut cluster = Self {
            folder,
            programs: programs(),
            port: free_port(),
            settings: settings.iter().map(ToString::to_string).collect(),
            process: None,
        };
        let path = |name: &str| cluster.folder.path().join(name);
        std::fs::write(path("password"), PASSWORD).unwrap();
        let named = settings.iter().filter_map(|setting| setting.split_once('=')).map(|(_, v)| v);
        let named: Vec<PathBuf> = named.map(PathBuf::from).filter(|path| path.is_file()).collect();
        if is_root() {
            let own = [cluster.folder.path().to_owned(), path("password")];
            for path in own.iter().chain(&named) {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        let made = cluster
            .command("initdb")
            .arg("--pgdata")
            .arg(path("data"))
            .arg("--pwfile")
            .arg(path("password"))
            .args(["--username", USER, "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync"])
            // Sorts unlike bytes do, to show that nothing relies on the default.
            .args(["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"])
            .output()
            .unwrap();
        assert_success("initdb", &made);
        cluster.resume();
        cluster
    }

    /// A program, run as the owner of the cluster.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(self.folder.path()).env_clear().env("LC_ALL", "C.UTF-8");
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// Ends it at once, as `kill -9` would: what is not on the disk is lost.
    ///
    /// # Panics
    /// If it cannot be ended.
    pub fn kill(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        // Immediate shutdown: its children end too, so that it can be started again.
        let sent = Command::new("kill").args(["-QUIT", &process.id().to_string()]).status();
        assert!(sent.unwrap().success());
        process.wait().unwrap();
    }

    /// Starts it again on the same port, and waits until it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub fn resume(&mut self) {
        assert!(self.process.is_none(), "it runs");
        let log_path = self.folder.path().join("log");
        let log = File::options().create(true).append(true).open(&log_path).unwrap();
        std::fs::set_permissions(&log_path, Permissions::from_mode(0o644)).unwrap();
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.folder.path().join("data"));
        let socket = format!("unix_socket_directories={}", self.folder.path().display());
        let port = format!("port={}", self.port);
        let own = ["listen_addresses=127.0.0.1", "max_connections=200", &socket, &port];
        for setting in own.into_iter().chain(self.settings.iter().map(String::as_str)) {
            command.args(["-c", setting]);
        }
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let process = self.process.insert(command.spawn().unwrap());
        let id = process.id();
        let started = Instant::now();
        while !self.psql("postgres", "SELECT 1").status.success() {
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            let late = started.elapsed() > START;
            assert!(
                ended.is_none() && !late,
                "PostgreSQL (process {id}) does not answer; it says:\n{}",
                std::fs::read_to_string(&log_path).unwrap()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        self.url_by("127.0.0.1", self.port, database)
    }

    /// The URL of a database by another way to the server.
    pub fn url_by(&self, host: &str, port: u16, database: &str) -> String {
        format!("postgres://{USER}:{ENCODED}@{host}:{port}/{database}")
    }

    /// The URL of a database by the socket.
    pub fn socket_url(&self, database: &str) -> String {
        let (folder, port) = (self.folder.path().display(), self.port);
        format!("postgres://{USER}:{ENCODED}@/{database}?host={folder}&port={port}")
    }

    /// What the URLs have to keep to themselves.
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Makes a database, and gives its URL.
    ///
    /// # Panics
    /// If it is there already.
    pub fn create_database(&self, name: &str) -> String {
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(name)
    }

    /// Runs SQL in a database and gives what it prints: a line for each row, its columns with
    /// `|` between.
    ///
    /// # Panics
    /// If it fails.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let output = self.psql(database, sql);
        assert_success(sql, &output);
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    fn psql(&self, database: &str, sql: &str) -> Output {
        Command::new(self.programs.join("psql"))
            .args(["--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"])
            .args(["--host=127.0.0.1", &format!("--port={}", self.port), "--username", USER])
            .args(["--dbname", database, "--command", sql])
            .env("PGPASSWORD", PASSWORD)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim() == "0"
}

fn assert_success(what: &str, output: &Output) {
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    assert!(output.status.success(), "{what} failed:\n{}", String::from_utf8_lossy(&said));
}
