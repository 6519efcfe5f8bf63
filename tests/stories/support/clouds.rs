//! Four emulated clouds, whose machines are processes of this host that run what they are told
//! to, with the runner of this build.

use std::path::{Path, PathBuf};
use std::process::Command;

use railsbench::provider::UserData;
use railsbench::providers::testing::StandInMachine;
use railsbench_emulators::moto::Moto;
use railsbench_emulators::{Machines, aws, azure, gcp, heroku};
use serde_json::json;

use super::program;

/// The region that the emulated AWS is used in.
const AWS_REGION: &str = "us-east-1";

pub struct FourClouds {
    folder: PathBuf,
    moto: Moto,
    pub aws: aws::Proxy,
    pub azure: azure::Emulator,
    pub gcp: gcp::Emulator,
    pub heroku: heroku::Emulator,
}

/// Boots a machine of a VM cloud in its folder.
fn boot(home: &Path, user_data: &str) -> Command {
    let data = UserData::new(user_data.to_owned(), "known to the machine alone".to_owned().into());
    StandInMachine::new(home).unwrap().boot(&data).unwrap()
}

impl FourClouds {
    /// Starts them, with what they need in a folder.
    pub async fn start(folder: &Path) -> Self {
        assert_eq!(std::env::consts::ARCH, "x86_64", "dynos are x86, and this starts one");
        let moto = Moto::start().await;
        let machines = |cloud: &str| Machines::on_this_host(&folder.join(cloud), boot);
        let aws = aws::Proxy::start(moto.url.clone()).await;
        aws.set_machines(machines("aws"));
        let azure = azure::Emulator::start().await;
        azure.world().machines = machines("azure");
        let gcp = gcp::Emulator::start().await;
        gcp.world().machines = machines("gcp");
        let dynos = folder.join("heroku");
        std::fs::create_dir_all(&dynos).unwrap();
        let heroku = heroku::Emulator::start_with_processes(&dynos).await;
        let token_uri = gcp.url().replace("/compute/v1/", "/token");
        let user = json!({
            "type": "authorized_user", "client_id": "id", "client_secret": "secret",
            "refresh_token": "good", "token_uri": token_uri, "quota_project_id": gcp::PROJECT,
        });
        std::fs::write(folder.join("google.json"), user.to_string()).unwrap();
        Self { folder: folder.to_owned(), moto, aws, azure, gcp, heroku }
    }

    /// A folder as `--runners` wants it, with the runner of this build.
    pub fn runners(&self) -> PathBuf {
        let folder = self.folder.join("runners");
        let target = folder.join("x86_64-unknown-linux-gnu");
        std::fs::create_dir_all(&target).unwrap();
        std::fs::copy(program("railsbench-runner"), target.join("railsbench-runner")).unwrap();
        folder
    }

    /// Gives a command the environment of an operator who uses these clouds, and nothing else.
    pub fn point(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", &self.folder)
            .env("AWS_ENDPOINT_URL", self.aws.url.as_str().trim_end_matches('/'))
            .env("AWS_ACCESS_KEY_ID", "key-id")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", AWS_REGION)
            .env("AZURE_RESOURCE_MANAGER_URL", self.azure.url())
            .env("AZURE_AUTHORITY_HOST", self.azure.url())
            .env("AZURE_TENANT_ID", "tenant")
            .env("AZURE_CLIENT_ID", "app")
            .env("AZURE_CLIENT_SECRET", "right")
            .env("AZURE_SUBSCRIPTION_ID", azure::SUBSCRIPTION)
            .env("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", self.gcp.url())
            .env("GOOGLE_APPLICATION_CREDENTIALS", self.folder.join("google.json"))
            .env("HEROKU_API_URL", self.heroku.url())
            .env("HEROKU_API_KEY", heroku::OPERATOR);
    }

    /// How many machines each has started, in the order of their names.
    pub fn started(&self) -> [usize; 4] {
        let dynos = std::fs::read_dir(self.folder.join("heroku")).unwrap();
        let logs = dynos.filter(|entry| {
            entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "log")
        });
        [
            self.aws.started(),
            self.azure.world().machines.started(),
            self.gcp.world().machines.started(),
            logs.count(),
        ]
    }

    /// What is there, whosever it is.
    pub async fn everything(&self) -> Vec<String> {
        let aws = self.moto.everything(AWS_REGION).await;
        let aws = aws.into_iter().map(|id| format!("aws: {id}"));
        let azure = {
            let world = self.azure.world();
            let ids = world.groups.keys().chain(world.resources.keys());
            ids.map(|id| format!("azure: {id}")).collect::<Vec<_>>()
        };
        let gcp = self.gcp.world().everything().into_iter().map(|id| format!("gcp: {id}"));
        let heroku = self.heroku.world();
        let heroku = heroku.apps.keys().map(|app| format!("heroku: {app}"));
        aws.chain(azure).chain(gcp).chain(heroku).collect()
    }

    /// Fails if anything is there, or if anything was asked that the clouds' own descriptions of
    /// their interfaces do not have.
    pub async fn assert_clean(&self) {
        assert_eq!(self.everything().await, Vec::<String>::new());
        assert_eq!(self.gcp.world().offences, Vec::<String>::new());
        self.heroku.assert_no_mistakes();
    }
}
