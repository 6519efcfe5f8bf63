//! A machine that is a folder of this host.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use railsbench_core::provider::UserData;

/// What stands for docker: it starts the runner as a process of this host.
const DOCKER: &str = include_str!("docker.sh");

/// What only a machine of its own may do; here it is written down and not done.
const HARMLESS: [&str; 5] = ["apt-get", "dpkg", "shutdown", "sync", "systemctl"];

/// A machine that is a folder of this host: the start-up script of a VM cloud runs in it from its
/// first line to its last. The script itself is the one that the cloud would run, with only its
/// absolute places moved into the folder. Docker, the shutdown and the package manager are
/// stand-ins, which write down what they are asked to do; all else, as fetching the runner and
/// running it, is real.
#[derive(Debug, Clone)]
pub struct StandInMachine {
    folder: PathBuf,
}

impl StandInMachine {
    /// Puts the machine into an empty folder.
    ///
    /// # Errors
    /// If the stand-ins cannot be written there.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let machine = Self { folder: std::path::absolute(folder)? };
        machine.stand_in("docker", DOCKER)?;
        for name in HARMLESS {
            machine.stand_in(name, "")?;
        }
        Ok(machine)
    }

    /// Puts a command first on the machine's `PATH` that writes down its arguments and then does
    /// what `body` says, in `sh`. The variable `MACHINE` is the machine's folder.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn stand_in(&self, name: &str, body: &str) -> io::Result<()> {
        let path = self.path("bin").join(name);
        std::fs::create_dir_all(self.path("bin"))?;
        let script = format!(
            "#!/bin/sh\nset -eu\nprintf '%s\\n' \"{name} $*\" >>\"$MACHINE/calls\"\n{body}\n"
        );
        std::fs::write(&path, script)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o755))
    }

    /// The command that boots the machine; its output is the console. Booting it twice is a
    /// second start of the script, not a restart of the machine.
    ///
    /// # Errors
    /// If the script cannot be written.
    pub fn boot(&self, data: &UserData) -> io::Result<Command> {
        let script = self.path("user-data.sh");
        std::fs::write(&script, self.moved(data))?;
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("sh");
        command
            .arg(script)
            .env_clear()
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("MACHINE", &self.folder)
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        Ok(command)
    }

    /// The script with its absolute places in the folder.
    fn moved(&self, data: &UserData) -> String {
        let at = |name: &str| self.path(name).display().to_string();
        data.expose()
            .replace("/var/lib/railsbench", &at("state"))
            .replace("/etc/systemd", &at("systemd"))
            .replace("/run/systemd", &at("run"))
    }

    /// A place on the machine; what the script keeps in `/var/lib/railsbench` is in `state`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What stand-ins were called with, in order, as `name argument argument…`.
    pub fn calls(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.path("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    /// Whether the script has told the machine to end.
    pub fn has_ended(&self) -> bool {
        self.calls().iter().any(|call| call == "shutdown -h now")
    }
}
