//! Certificates from a CA that speaks ACME: Pebble, which is that CA for tests, and which really
//! calls the server to see that the domain is its own.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use railsbench_server::{AcmeConfig, Server, ServerConfig, TlsConfig};
use reqwest::StatusCode;
use serde_json::json;
use tempfile::TempDir;

use crate::authority::{Authority, trusting};
use crate::support::config;

const DOMAIN: &str = "bench.example.org";

/// A process that does not outlive its test.
pub struct Process(pub Child);

impl Process {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let started = Command::new(name)
            .args(arguments)
            .env("PEBBLE_VA_NOSLEEP", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(started.unwrap_or_else(|error| {
            panic!("this test needs {name} ({error}); apt-get install pebble")
        }))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// An ACME CA that finds every domain on loopback.
struct Pebble {
    folder: TempDir,
    authority: Authority,
    directory: String,
    management: String,
    /// Where it looks for proofs, instead of 443.
    proofs: u16,
    processes: Vec<Process>,
}

impl Pebble {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("of the directory");
        authority.issue(&["localhost", "127.0.0.1"]).write(folder.path());
        std::fs::write(folder.path().join("directory-ca.pem"), &authority.pem).unwrap();
        let [acme, management, dns, control, proofs] = std::array::from_fn(|_| free_port());
        let pebble = json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{acme}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": folder.path().join("cert.pem"),
            "privateKey": folder.path().join("key.pem"),
            "httpPort": 1,
            "tlsPort": proofs,
        }});
        let path = folder.path().join("pebble.json");
        std::fs::write(&path, pebble.to_string()).unwrap();
        let (dns, control) = (format!("127.0.0.1:{dns}"), format!("127.0.0.1:{control}"));
        let names = [
            "-dns01",
            &dns,
            "-management",
            &control,
            "-defaultIPv6",
            "",
            "-http01",
            "",
            "-https01",
            "",
            "-tlsalpn01",
            "",
        ];
        let processes = vec![
            Process::start("pebble-challtestsrv", &names),
            Process::start("pebble", &["-config", path.to_str().unwrap(), "-dnsserver", &dns]),
        ];
        let directory = format!("https://127.0.0.1:{acme}/dir");
        let management = format!("https://127.0.0.1:{management}");
        let pebble = Self { folder, authority, directory, management, proofs, processes };
        pebble.get(&pebble.directory).await;
        pebble
    }

    /// What it answers, once it does.
    async fn get(&self, url: &str) -> String {
        let http = self.authority.client().build().unwrap();
        let answered = async {
            loop {
                match http.get(url).send().await {
                    Ok(answer) => return answer.text().await.unwrap(),
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        tokio::time::timeout(Duration::from_mins(1), answered).await.expect("Pebble answers")
    }

    fn directory_ca(&self) -> PathBuf {
        self.folder.path().join("directory-ca.pem")
    }

    /// A server on this port that asks Pebble for its certificate.
    fn config(&self, folder: &TempDir, port: u16) -> ServerConfig {
        let mut config = config(folder);
        config.listen.set_port(port);
        config.tls = Some(TlsConfig::Acme(AcmeConfig {
            domains: vec![DOMAIN.to_owned()],
            contact: Some("ops@example.org".to_owned()),
            directory: self.directory.clone(),
            directory_ca: Some(self.directory_ca()),
        }));
        config
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_got_and_kept_for_the_next_start() {
    let mut pebble = Pebble::start().await;
    let folder = tempfile::tempdir().unwrap();
    let config = pebble.config(&folder, pebble.proofs);
    let server = Server::start(config.clone()).await.unwrap();
    assert_eq!(server.url().as_str(), format!("https://{DOMAIN}:{}/", pebble.proofs));
    let root = pebble.get(&format!("{}/roots/0", pebble.management)).await;
    let http = || trusting(&root).resolve(DOMAIN, server.address()).build().unwrap();
    let health = server.url().join("health").unwrap();
    let got = async {
        loop {
            match http().get(health.clone()).send().await {
                Ok(answer) => return answer,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    let answer = tokio::time::timeout(Duration::from_mins(1), got).await.expect("a certificate");
    assert_eq!(answer.status(), StatusCode::OK);
    server.shutdown().await.unwrap();
    for name in ["account.json", "certificate.pem"] {
        let path = folder.path().join("acme").join(name);
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }

    // The next start asks nobody.
    pebble.processes.clear();
    let server = Server::start(config).await.unwrap();
    let http = trusting(&root).resolve(DOMAIN, server.address()).build().unwrap();
    assert_eq!(http.get(health).send().await.unwrap().status(), StatusCode::OK);
    server.shutdown().await.unwrap();
}

/// What a server logs until it says that there is no certificate, if it is started as a program.
fn log_of_failure(directory: &str, directory_ca: &std::path::Path) -> String {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_railsbench-server"))
        .env_clear()
        .args(["--listen", "127.0.0.1:0", "--acme-domain", DOMAIN, "--acme-directory", directory])
        .arg("--acme-directory-ca")
        .arg(directory_ca)
        .arg("--data-dir")
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut server = Process(child);
    let mut log = String::new();
    for line in BufReader::new(server.0.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        log += &line;
        if line.contains("cannot get a certificate") {
            break;
        }
    }
    assert!(server.0.try_wait().unwrap().is_none(), "it goes on and tries again: {log}");
    log
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_that_does_not_find_the_server_says_why() {
    let pebble = Pebble::start().await;
    let (directory, ca) = (pebble.directory.clone(), pebble.directory_ca());
    // Nothing listens where Pebble looks for proofs.
    let log = tokio::task::spawn_blocking(move || log_of_failure(&directory, &ca)).await.unwrap();
    assert!(log.contains("Failed to connect to 127.0.0.1"), "{log}");
    assert!(log.contains("with port 443 open to all"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_does_not_answer_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, Authority::new("nobody's").pem).unwrap();
    let directory = format!("https://127.0.0.1:{}/dir", free_port());
    let log = tokio::task::spawn_blocking(move || log_of_failure(&directory, &ca)).await.unwrap();
    assert!(log.contains("again_in=\"2 min\""), "{log}");
}

#[tokio::test]
async fn what_no_public_ca_certifies_is_refused_at_once() {
    for name in ["203.0.113.7", "localhost", "https://bench.example.org"] {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&folder);
        config.tls = Some(TlsConfig::Acme(AcmeConfig {
            domains: vec![name.to_owned()],
            contact: None,
            directory: railsbench_server::LETS_ENCRYPT.to_owned(),
            directory_ca: None,
        }));
        let error = Server::start(config).await.unwrap_err();
        assert!(error.is_configuration() && error.to_string().contains(name), "{error}");
    }
}
