//! TLS to the database: used, and the certificate checked.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use railsbench_emulators::postgres::Cluster;
use railsbench_server::store::{PostgresConfig, PostgresStore, Store};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::steps::{new_run, open};

/// A certificate authority, and a certificate of it for `localhost`, as files.
struct Certificates {
    _folder: TempDir,
    ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

fn certificates() -> Certificates {
    let folder = tempfile::tempdir().unwrap();
    // The database reads them as another user.
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new([]).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = own.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    let write = |name: &str, text: String, mode: u32| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    Certificates {
        ca: write("ca.pem", ca_certificate.pem(), 0o644),
        certificate: write("certificate.pem", certificate.pem(), 0o644),
        key: write("key.pem", key.serialize_pem(), 0o600),
        _folder: folder,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_encrypted_and_the_certificate_is_checked() {
    let files = certificates();
    let setting = |name: &str, path: &PathBuf| format!("{name}={}", path.display());
    let certificate = setting("ssl_cert_file", &files.certificate);
    let key = setting("ssl_key_file", &files.key);
    let cluster = Cluster::start_with(&["ssl=on", &certificate, &key]);
    cluster.create_database("bench");
    let with = |host: &str, ca_file: Option<PathBuf>| {
        let url = cluster.url_by(host, cluster.port(), "bench") + "?sslmode=require";
        let config = PostgresConfig { ca_file, ..PostgresConfig::new(url.into()) };
        async move { PostgresStore::open(&config).await }
    };
    let store = with("localhost", Some(files.ca.clone())).await.unwrap();
    store.create_run(new_run("r", 1)).await.unwrap();
    let sessions = "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE application_name = 'railsbench-server'";
    assert_eq!(cluster.sql("bench", sessions), "t", "the pool and the listener use TLS");

    let stranger = with("localhost", None).await.unwrap_err().to_string();
    assert!(stranger.contains("CA file"), "an unknown authority: {stranger}");
    let misnamed = with("127.0.0.1", Some(files.ca.clone())).await.unwrap_err().to_string();
    assert!(misnamed.contains("not valid for name"), "a certificate of another: {misnamed}");
    // A server without TLS where TLS is asked for.
    let plain = Cluster::start();
    let url = plain.create_database("bench") + "?sslmode=require";
    let refused = PostgresStore::open(&PostgresConfig::new(url.into())).await.unwrap_err();
    assert!(refused.to_string().contains("TLS"), "{refused}");
    open(&plain.url("bench")).await;
}
