//! Which certificates a server takes, and the CA that it makes itself.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use railsbench_server::{Server, ServerConfig, TlsConfig};
use reqwest::StatusCode;
use secrecy::SecretString;
use tempfile::TempDir;

use crate::acme::Process;
use crate::authority::{Authority, trusting};
use crate::support::{OPERATOR, config};

/// What is said of a configuration that must be refused, with the folder left out.
async fn refusal(folder: &TempDir, config: ServerConfig) -> String {
    let error = Server::start(config).await.unwrap_err();
    assert!(error.is_configuration(), "{error}");
    error.to_string().replace(folder.path().to_str().unwrap(), "DIR")
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("ours");
    let issued = authority.issue(&["localhost"]);
    let old = authority.issue_for_years(&["localhost"], 2001, 2002);
    let unborn = authority.issue_for_years(&["localhost"], 2098, 2099);
    let other = authority.issue(&["localhost"]);
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("cert.pem", &issued.certificate);
    write("key.pem", &issued.key);
    write("old.pem", &old.certificate);
    write("old.key", &old.key);
    write("unborn.pem", &unborn.certificate);
    write("unborn.key", &unborn.key);
    write("other.key", &other.key);
    write("empty.pem", "\n");
    write("der.pem", "\u{30}\u{1}\u{1}");
    write("torn.pem", &issued.certificate[..200]);
    let encrypted = issued.key.replace(" PRIVATE", " ENCRYPTED PRIVATE");
    write("encrypted.key", &encrypted);
    write("nonsense.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let mut said = String::new();
    for (certificate, key) in [
        ("missing.pem", "key.pem"),
        ("cert.pem", "missing.key"),
        ("empty.pem", "key.pem"),
        ("der.pem", "key.pem"),
        ("torn.pem", "key.pem"),
        ("nonsense.pem", "key.pem"),
        ("key.pem", "cert.pem"),
        ("cert.pem", "cert.pem"),
        ("cert.pem", "encrypted.key"),
        ("cert.pem", "other.key"),
        ("old.pem", "old.key"),
        ("unborn.pem", "unborn.key"),
    ] {
        let mut config = config(&folder);
        config.tls = Some(TlsConfig::Files {
            certificate: folder.path().join(certificate),
            key: folder.path().join(key),
        });
        writeln!(said, "{certificate} and {key}:\n  {}", refusal(&folder, config).await)
            .expect("a string takes all");
    }
    assert!(!said.contains(&issued.key[40..80]), "a key is quoted: {said}");
    insta::assert_snapshot!(said);
}

#[tokio::test]
async fn plain_http_stays_on_loopback_unless_it_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let mut open = config(&folder);
    open.api_key = Some(SecretString::from(OPERATOR));
    open.listen = "0.0.0.0:8080".parse().unwrap();
    open.public_url = Some("https://bench.example.org".parse().unwrap());
    let by_address = refusal(&folder, open.clone()).await;

    let mut named = config(&folder);
    named.public_url = Some("http://bench.example.org".parse().unwrap());
    let by_url = refusal(&folder, named.clone()).await;

    named.tls = Some(TlsConfig::PrivateCa { names: Vec::new() });
    let with_tls = refusal(&folder, named.clone()).await;
    insta::assert_snapshot!(format!("{by_address}\n\n{by_url}\n\n{with_tls}"));

    named.tls = None;
    named.allow_plain_http = true;
    Server::start(named).await.unwrap().shutdown().await.unwrap();
    open.listen.set_port(0);
    open.allow_plain_http = true;
    Server::start(open).await.unwrap().shutdown().await.unwrap();
}

fn with_private_ca(folder: &TempDir, names: &[&str]) -> ServerConfig {
    let mut config = config(folder);
    let names = names.iter().map(ToString::to_string).collect();
    config.tls = Some(TlsConfig::PrivateCa { names });
    config
}

#[tokio::test]
async fn a_private_ca_is_made_once_and_certifies_all_names_of_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = with_private_ca(&folder, &["bench.internal", "203.0.113.7", "Upper.Example."]);
    config.public_url = Some("https://bench.example.org/base".parse().unwrap());
    let mut ca = None;
    for _ in 0..2 {
        let server = Server::start(config.clone()).await.unwrap();
        let certificate = server.ca_certificate().unwrap().clone();
        let file = std::fs::read_to_string(folder.path().join("ca.pem")).unwrap();
        assert_eq!(file.parse().as_ref(), Ok(&certificate));
        assert!(ca.is_none_or(|before| before == certificate), "it is another after a restart");
        let port = server.address().port();
        for name in [
            "bench.example.org",
            "bench.internal",
            "upper.example",
            "localhost",
            "127.0.0.1",
            "203.0.113.7",
        ] {
            let http = trusting(certificate.as_pem()).resolve(name, server.address());
            let url = match name.parse::<std::net::Ipv4Addr>() {
                Ok(address) if !address.is_loopback() => {
                    // Names of hosts are resolved, addresses are not: this one is not called.
                    assert!(is_for(&server, certificate.as_pem(), name).await);
                    continue;
                }
                _ => format!("https://{name}:{port}/health"),
            };
            let answer = http.build().unwrap().get(url).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{name}");
        }
        assert!(!is_for(&server, certificate.as_pem(), "other.example").await);
        server.reload_certificate().unwrap();
        server.shutdown().await.unwrap();
        ca = Some(certificate);
    }
    for name in ["ca.key", "ca.pem"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

/// Whether a client that trusts the CA takes the server for the one of this name.
async fn is_for(server: &Server, pem: &str, name: &str) -> bool {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    let config =
        rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    connector.connect(name, stream).await.is_ok()
}

#[tokio::test]
async fn a_private_ca_that_is_damaged_is_an_error_not_a_new_ca() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Server::start(with_private_ca(&folder, &[]));
    start().await.unwrap().shutdown().await.unwrap();
    let path = |name: &str| folder.path().join(name);
    let key = std::fs::read(path("ca.key")).unwrap();
    let certificate = std::fs::read(path("ca.pem")).unwrap();
    let said = async |what: &str| {
        let error = start().await.unwrap_err();
        assert!(!error.is_configuration());
        format!("{what}:\n  {error}\n").replace(folder.path().to_str().unwrap(), "DIR")
    };
    std::fs::write(path("ca.key"), "nothing").unwrap();
    let mut all = said("a key that is none").await;
    std::fs::write(path("ca.key"), &key).unwrap();
    std::fs::write(path("ca.pem"), "nothing").unwrap();
    all += &said("a certificate that is none").await;
    // The key of another CA, which has the same name.
    std::fs::remove_file(path("ca.key")).unwrap();
    std::fs::write(path("ca.pem"), &certificate).unwrap();
    all += &said("a certificate of another key").await;
    insta::assert_snapshot!(all);
    std::fs::write(path("ca.key"), &key).unwrap();
    start().await.unwrap().shutdown().await.unwrap();
    assert_eq!(read(&path("ca.pem")), certificate);
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[tokio::test]
async fn names_that_no_client_can_call_are_refused() {
    for name in ["https://bench.example.org", "bench.example.org:443", "two words", ""] {
        let folder = tempfile::tempdir().unwrap();
        let said = refusal(&folder, with_private_ca(&folder, &[name])).await;
        assert!(said.contains(&format!("{name:?}: give a host name")), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_has_the_program_read_its_certificate_again() {
    let folder = tempfile::tempdir().unwrap();
    Authority::new("before").issue(&["127.0.0.1"]).write(folder.path());
    let program = Command::new(env!("CARGO_BIN_EXE_railsbench-server"))
        .env_clear()
        .current_dir(folder.path())
        .args(["--listen", "127.0.0.1:0", "--tls-cert", "cert.pem", "--tls-key", "key.pem"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut program = Process(program);
    let id = program.0.id().to_string();
    let mut line = String::new();
    BufReader::new(program.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().rsplit(' ').next().unwrap().to_owned();
    assert!(url.starts_with("https://127.0.0.1:"), "{line}");
    let after = Authority::new("after");
    after.issue(&["127.0.0.1"]).write(folder.path());
    let signal = |name: &str| {
        let sent = Command::new("kill").args([name, &id]).status();
        assert!(sent.unwrap().success());
    };
    signal("-HUP");
    let mut log = BufReader::new(program.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(log.any(|line| line.contains("SIGHUP: the certificate is read again")));
    let answer = after.client().build().unwrap().get(format!("{url}health")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    signal("-TERM");
    assert_eq!(program.0.wait().unwrap().code(), Some(0));
}
