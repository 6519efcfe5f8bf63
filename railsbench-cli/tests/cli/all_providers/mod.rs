//! What the command line knows of every provider in a build that has them all, with nothing in
//! the environment but what a case says. The clouds that are called are emulators on this host.

mod doctor;
mod instance_types;
mod set_up;

use std::path::PathBuf;

use tempfile::TempDir;

use super::{Ran, command};

/// Someone in a folder of their own.
struct Operator {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Operator {
    /// Nobody in particular, with nothing set up.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().display().to_string();
        let nothing = format!("{home}/nothing");
        Self { folder, variables: Vec::new() }
            .with("HOME", &home)
            // No program is found, and so no login of one.
            .with("PATH", &home)
            // What this host may be or have is not asked.
            .with("AWS_EC2_METADATA_DISABLED", "true")
            .with("GOOGLE_APPLICATION_CREDENTIALS", &nothing)
            .with("DOCKER_HOST", &format!("unix://{nothing}"))
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value.to_owned()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| *known != name);
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file of theirs, and its path.
    fn file(&self, name: &str, text: &[u8]) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Runs the command. Their folder is `[home]` in what it says.
    fn run(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let output = command(self.folder.path())
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (*name, value)))
            .args(arguments)
            .write_stdin(input)
            .output()
            .expect("it starts");
        let home = self.folder.path().display().to_string();
        let text = |bytes| String::from_utf8(bytes).expect("text").replace(&home, "[home]");
        Ran {
            code: output.status.code().expect("no signal ends it"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}
