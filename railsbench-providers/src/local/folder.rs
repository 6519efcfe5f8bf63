//! The folder of a machine: its script, its log, how it ended, and the runner's working files.
//!
//! It lies at `machines/<run>/<machine>` in the state folder. Nothing that finds or removes
//! machines depends on it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use railsbench_core::id::RunId;
use railsbench_core::provider::UserData;

use super::naming::MachineKey;

/// What it is called among resources.
pub(super) const KIND: &str = "folder";

/// Names of the files in it; the script writes the last two.
pub(super) const SCRIPT: &str = "user-data.sh";
const CONSOLE: &str = "console.log";
pub(super) const STARTED: &str = "started";
pub(super) const EXIT_STATUS: &str = "exit-status";

/// How much of the end of a log is shown.
const CONSOLE_BYTES: u64 = 64 * 1024;

pub(super) fn machines_dir(state_dir: &Path) -> PathBuf {
    state_dir.join("machines")
}

pub(super) fn path(state_dir: &Path, key: &MachineKey) -> PathBuf {
    machines_dir(state_dir).join(key.run_id.as_str()).join(&key.name)
}

/// Makes a folder that only its owner can look into; fine if it is there.
pub(super) fn make_dir(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Makes the folder with the script in it, for its owner only, and opens the log.
pub(super) fn make(folder: &Path, script: &UserData) -> io::Result<File> {
    make_dir(folder)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(folder.join(SCRIPT))?.write_all(script.expose().as_bytes())?;
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600).open(folder.join(CONSOLE))
}

/// Removes the folder, and that of the run if it was the last in it; fine if it is not there.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    match folder.parent().map(std::fs::remove_dir) {
        Some(Err(error))
            if !matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty
            ) =>
        {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// The machines that have a folder, of one run or of all, in order.
pub(super) fn all(state_dir: &Path, run: Option<&RunId>) -> io::Result<Vec<MachineKey>> {
    let machines = machines_dir(state_dir);
    let runs = match run {
        Some(run) => vec![run.clone()],
        None => names(&machines)?.into_iter().filter_map(|name| RunId::new(name).ok()).collect(),
    };
    let mut keys = Vec::new();
    for run_id in runs {
        for name in names(&machines.join(run_id.as_str()))? {
            keys.extend(MachineKey::new(&run_id, &name));
        }
    }
    keys.sort();
    Ok(keys)
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut names = Vec::new();
    for entry in entries {
        // A name that is not text was not made by us.
        names.extend(entry?.file_name().into_string());
    }
    Ok(names)
}

/// When the machine was made, if that can be told.
pub(super) fn made_at(folder: &Path) -> Option<Timestamp> {
    std::fs::metadata(folder.join(SCRIPT)).ok()?.modified().ok()?.try_into().ok()
}

/// Whether the runner was started.
pub(super) fn has_started(folder: &Path) -> bool {
    folder.join(STARTED).exists()
}

/// The exit code of the script, once it has ended by itself.
pub(super) fn exit_status(folder: &Path) -> io::Result<Option<i32>> {
    match std::fs::read_to_string(folder.join(EXIT_STATUS)) {
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The end of what the machine has printed, without the run token; `None` if there is no log.
pub(super) fn console(folder: &Path) -> io::Result<Option<String>> {
    let mut file = match File::open(folder.join(CONSOLE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let length = file.metadata()?.len();
    let start = length.saturating_sub(CONSOLE_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(CONSOLE_BYTES).read_to_end(&mut bytes)?;
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if start > 0
        && let Some(line_end) = text.find('\n')
    {
        text.drain(..=line_end);
    }
    if let Some(secret) = secret_of(folder) {
        text = text.replace(&secret, "********");
    }
    Ok(Some(text))
}

/// The run token in the script, as it is when read by a shell. The machine prints it nowhere;
/// this is for a program on it that prints its environment.
fn secret_of(folder: &Path) -> Option<String> {
    let script = std::fs::read_to_string(folder.join(SCRIPT)).ok()?;
    let line = script.lines().find_map(|line| line.strip_prefix("API_KEY=\""))?;
    let quoted = line.strip_suffix('"')?;
    let mut secret = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        secret.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    (!secret.is_empty()).then_some(secret)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use railsbench_core::provider::sh_quote;

    use super::*;

    fn key(text: &str) -> MachineKey {
        text.parse().unwrap()
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_the_owner_can_read_a_machine() {
        let state = tempfile::tempdir().unwrap();
        let folder = path(state.path(), &key("r1/host-1"));
        let script = UserData::new("echo".to_owned(), "secret".to_owned().into());
        make(&folder, &script).unwrap();
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join(SCRIPT)), 0o600);
        assert_eq!(mode(&folder.join(CONSOLE)), 0o600);
        assert!(make(&folder, &script).is_err(), "a script is never overwritten");
    }

    #[test]
    fn folders_are_listed_by_run_and_removed_with_the_last_of_it() {
        let state = tempfile::tempdir().unwrap();
        assert!(all(state.path(), None).unwrap().is_empty());
        let keys = ["r1/a-1", "r1/b-1", "r2/a-1"].map(key);
        for key in &keys {
            std::fs::create_dir_all(path(state.path(), key)).unwrap();
        }
        std::fs::create_dir_all(machines_dir(state.path()).join("r2/not a machine")).unwrap();
        assert_eq!(all(state.path(), None).unwrap(), keys);
        assert_eq!(all(state.path(), Some(&keys[0].run_id)).unwrap(), keys[..2]);
        for key in &keys[..2] {
            remove(&path(state.path(), key)).unwrap();
            remove(&path(state.path(), key)).unwrap();
        }
        assert!(!machines_dir(state.path()).join("r1").exists());
        remove(&path(state.path(), &keys[2])).unwrap();
        assert!(machines_dir(state.path()).join("r2/not a machine").exists());
    }

    #[test]
    fn the_end_of_a_log_is_shown_without_the_token() {
        let state = tempfile::tempdir().unwrap();
        let folder = state.path();
        assert_eq!(console(folder).unwrap(), None);
        let secret = r#"k$"`\ey"#;
        let script = format!("PATH=\"/bin\"\nAPI_KEY={}\n", sh_quote(secret));
        std::fs::write(folder.join(SCRIPT), script).unwrap();
        let log = format!("{}\nlast line {secret}\n", "first line\n".repeat(10_000));
        std::fs::write(folder.join(CONSOLE), log).unwrap();
        let shown = console(folder).unwrap().unwrap();
        assert!(shown.starts_with("first line\n") && shown.ends_with("last line ********\n"));
        assert!(shown.len() <= 64 * 1024);
    }
}
