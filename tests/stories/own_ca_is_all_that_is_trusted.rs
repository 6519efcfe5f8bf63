//! An orchestrator with a CA of its own: whoever is given the CA's certificate trusts it and
//! nothing else, and whoever is not, or is given another, sends no token.

use std::path::{Path, PathBuf};

use railsbench::client::OperatorClient;
use railsbench::provider::{CaCertificate, UserDataVars};
use railsbench::providers::testing::StandInMachine;
use railsbench::server::{Server, ServerConfig, TlsConfig};
use secrecy::ExposeSecret;
use tempfile::TempDir;

use crate::support::boot::{Boot, boot, machine, user_data_vars};
use crate::support::{Cli, assert_completed, program};

/// An orchestrator with a CA of its own, which hands out the runner of this build.
struct World {
    folder: TempDir,
    server: Server,
    client: OperatorClient,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = server(&folder.path().join("server")).await;
        let ca = server.ca_certificate();
        let (url, key) = (server.url().clone(), server.api_key().clone());
        let client = OperatorClient::trusting(url, key, ca).unwrap();
        Self { folder, server, client }
    }

    fn ca(&self) -> CaCertificate {
        self.server.ca_certificate().unwrap().clone()
    }

    /// User data for a run of one mock task.
    async fn vars(&self, id: &str, ca: Option<CaCertificate>) -> UserDataVars {
        UserDataVars { ca_certificate: ca, ..user_data_vars(&self.client, id).await }
    }

    fn machine(&self, name: &str) -> StandInMachine {
        machine(self.folder.path(), name)
    }
}

async fn server(folder: &Path) -> Server {
    let mut config = ServerConfig::new("127.0.0.1:0".parse().unwrap(), folder);
    config.tls = Some(TlsConfig::PrivateCa { names: Vec::new() });
    config.runners.add(&program("railsbench-runner")).unwrap().unwrap();
    Server::start(config).await.unwrap()
}

/// The CA of another orchestrator, in a file and as it is.
async fn other_ca(folder: &Path) -> (PathBuf, CaCertificate) {
    let other = server(&folder.join("other")).await;
    let ca = other.ca_certificate().unwrap().clone();
    other.shutdown().await.unwrap();
    (folder.join("other/ca.pem"), ca)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_given_the_ca_works() {
    let world = World::new().await;
    let vars = world.vars("given", Some(world.ca())).await;
    let machine = world.machine("a");
    let Boot { succeeded, said } = boot(&machine, &vars).await;
    assert!(succeeded, "{said}");
    assert_completed(&world.client.run(&vars.run_id).await.unwrap(), 1);
    assert!(machine.has_ended());
    world.server.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_given_another_ca_or_none_runs_nothing() {
    let world = World::new().await;
    let (_, other) = other_ca(world.folder.path()).await;
    for (name, ca) in [("other", Some(other)), ("none", None)] {
        let vars = world.vars(name, ca).await;
        let machine = world.machine(name);
        // It would wait before it tries again.
        machine.stand_in("sleep", "").unwrap();
        let Boot { succeeded, said } = boot(&machine, &vars).await;
        assert!(!succeeded, "{said}");
        assert!(said.contains("the certificate of the orchestrator is not trusted"), "{said}");
        assert!(said.contains("refusing to call an orchestrator that does not prove"), "{said}");
        assert!(machine.has_ended() && !machine.path("state/runner").exists(), "{said}");
        let run = world.client.run(&vars.run_id).await.unwrap();
        assert_eq!(run.summary.task_counts.pending, 1, "{run:#?}");
    }
    world.server.shutdown().await.unwrap();
}

/// curl looks into the system's folder of CAs even if it is given a file with one.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_looks_for_cas_nowhere_else() {
    let world = World::new().await;
    let vars = world.vars("only", Some(world.ca())).await;
    let machine = world.machine("a");
    let real = std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|folder| folder.join("curl"))
        .find(|path| path.is_file())
        .expect("this test needs curl; apt-get install curl");
    machine.stand_in("curl", &format!("{} --verbose \"$@\"", real.display())).unwrap();
    let Boot { succeeded, said } = boot(&machine, &vars).await;
    assert!(succeeded, "{said}");
    let line = |start: &str| said.lines().find(|line| line.contains(start)).unwrap_or_default();
    assert!(line("CAfile: ").ends_with("/state/ca.pem"), "{said}");
    let folder = line("CApath: ").rsplit(' ').next().unwrap();
    assert_eq!(folder, machine.path("state/no-cas").to_str().unwrap(), "{said}");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
    world.server.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_and_its_machines_trust_what_they_are_given() {
    let world = World::new().await;
    let (other, _) = other_ca(world.folder.path()).await;
    let folder = world.folder.path().to_owned();
    let config = r#"{"ruby_version":"system","local":["host"],"mock":true}"#;
    std::fs::write(folder.join("mock.json"), config).unwrap();
    let url = world.server.url().to_string();
    let key = world.server.api_key().clone();
    let run = move |ca: Option<PathBuf>| {
        let mut arguments = vec!["run", "mock.json", "--run-id", "cli", "--yes", "--orchestrator"];
        arguments.push(&url);
        let mut command = Cli::new(&folder).command(&arguments);
        command.env("RAILSBENCH_API_KEY", key.expose_secret());
        if let Some(ca) = ca {
            command.arg("--ca-cert").arg(ca);
        }
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let ours = world.folder.path().join("server/ca.pem");
    let missing = world.folder.path().join("missing.pem");
    tokio::task::spawn_blocking(move || {
        for ca in [None, Some(other)] {
            let (code, said) = run(ca);
            assert_eq!(code, Some(3), "{said}");
            assert!(said.contains("invalid peer certificate"), "{said}");
            assert!(said.contains("--ca-cert FILE"), "{said}");
        }
        let (code, said) = run(Some(missing));
        assert!(code == Some(2) && said.contains("missing.pem: it cannot be read"), "{said}");
        let (code, said) = run(Some(ours));
        assert_eq!(code, Some(0), "{said}");
    })
    .await
    .unwrap();
    assert!(world.folder.path().join("results/cli/host-1/output.json").is_file());
    world.server.shutdown().await.unwrap();
}
