//! The runner's executables that are at hand, for machines that fetch theirs from the server.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use railsbench_core::provider::{RunnerFile, RunnerTarget};
use sha2::{Digest, Sha256};

/// What the executable is called, as Cargo builds it.
const NAME: &str = "railsbench-runner";

/// Why a runner cannot be handed out.
#[derive(Debug, thiserror::Error)]
pub enum RunnerFilesError {
    /// A file cannot be read.
    #[error("cannot read the runner {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// A file is not what its name says: a machine could not run it.
    #[error(
        "{} is no executable for {target}; build it: cargo build --release -p railsbench-runner --target {target}",
        path.display()
    )]
    WrongTarget {
        /// The file.
        path: PathBuf,
        /// What it should be for.
        target: RunnerTarget,
    },
    /// There is nothing in the folder that was named.
    #[error(
        "no runner is in {}; put one there as TARGET/railsbench-runner, e.g. {}/railsbench-runner",
        folder.display(), RunnerTarget::X86Musl
    )]
    Empty {
        /// The folder.
        folder: PathBuf,
    },
}

/// When a file was changed and how long it is: what it is remembered by.
type Version = (SystemTime, u64);

/// The runner's executables that are at hand, by what they were built for.
#[derive(Debug, Clone, Default)]
pub struct RunnerFiles {
    paths: BTreeMap<RunnerTarget, PathBuf>,
    measured: Arc<Mutex<BTreeMap<RunnerTarget, (Version, String)>>>,
}

impl RunnerFiles {
    /// No runner.
    pub fn none() -> Self {
        Self::default()
    }

    /// The runners in a folder, as `TARGET/railsbench-runner`, `railsbench-runner-TARGET`, or
    /// where Cargo puts them in its target folder: `TARGET/release/railsbench-runner`.
    ///
    /// # Errors
    /// [`RunnerFilesError`] if there is none, or if one is not for its target.
    pub fn in_folder(folder: &Path) -> Result<Self, RunnerFilesError> {
        let mut found = Self::none();
        for target in RunnerTarget::ALL {
            let places = [
                folder.join(target.as_str()).join(NAME),
                folder.join(format!("{NAME}-{target}")),
                folder.join(target.as_str()).join("release").join(NAME),
            ];
            if let Some(path) = places.into_iter().find(|path| path.is_file()) {
                if target_of(&path)?.is_none_or(|actual| actual != target) {
                    return Err(RunnerFilesError::WrongTarget { path, target });
                }
                found.paths.insert(target, path);
            }
        }
        if found.paths.is_empty() {
            return Err(RunnerFilesError::Empty { folder: folder.to_owned() });
        }
        Ok(found)
    }

    /// Adds an executable for whatever it was built for, unless there is one for that already.
    /// Says what it was built for; `None` if no machine could run it.
    ///
    /// # Errors
    /// [`RunnerFilesError::Unreadable`].
    pub fn add(&mut self, path: &Path) -> Result<Option<RunnerTarget>, RunnerFilesError> {
        let target = target_of(path)?;
        if let Some(target) = target {
            self.paths.entry(target).or_insert_with(|| path.to_owned());
        }
        Ok(target)
    }

    /// Where the runner for a target is.
    pub fn path(&self, target: RunnerTarget) -> Option<&Path> {
        self.paths.get(&target).map(PathBuf::as_path)
    }

    /// All of them with their SHA-256. Reads the files, unless they are known already.
    ///
    /// # Errors
    /// [`RunnerFilesError::Unreadable`].
    pub fn measure(&self) -> Result<Vec<RunnerFile>, RunnerFilesError> {
        self.paths
            .iter()
            .map(|(target, path)| {
                let file = File::open(path).map_err(|source| unreadable(path, source))?;
                let sha256 = self.sha256(*target, file).map_err(|e| unreadable(path, e))?;
                Ok(RunnerFile { target: *target, sha256 })
            })
            .collect()
    }

    /// The SHA-256 of an open file. A file that was replaced is read again.
    pub(crate) fn sha256(&self, target: RunnerTarget, mut file: File) -> io::Result<String> {
        let metadata = file.metadata()?;
        let version = (metadata.modified()?, metadata.len());
        let known = |known: &BTreeMap<_, (Version, String)>| {
            known.get(&target).filter(|(seen, _)| *seen == version).map(|(_, sha)| sha.clone())
        };
        if let Some(sha256) = known(&self.measured.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(sha256);
        }
        let mut hash = Sha256::new();
        let mut part = vec![0; 1 << 16];
        loop {
            match file.read(&mut part)? {
                0 => break,
                length => hash.update(&part[..length]),
            }
        }
        let sha256 = hex::encode(hash.finalize());
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        measured.insert(target, (version, sha256.clone()));
        Ok(sha256)
    }
}

fn unreadable(path: &Path, source: io::Error) -> RunnerFilesError {
    RunnerFilesError::Unreadable { path: path.to_owned(), source }
}

/// What an executable was built for, by its ELF header; `None` for anything else.
fn target_of(path: &Path) -> Result<Option<RunnerTarget>, RunnerFilesError> {
    let read = || -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        File::open(path)?.take(4096).read_to_end(&mut head)?;
        Ok(head)
    };
    Ok(target_of_elf(&read().map_err(|source| unreadable(path, source))?))
}

/// Fields of the ELF format (System V ABI, chapters 4 and 5), 64 bits, little endian.
fn target_of_elf(head: &[u8]) -> Option<RunnerTarget> {
    const INTERPRETER: [u8; 4] = 3_u32.to_le_bytes();
    if head.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let number =
        |at: usize| Some(usize::from(u16::from_le_bytes(head.get(at..at + 2)?.try_into().ok()?)));
    let machine = number(18)?;
    let start = u64::from_le_bytes(head.get(32..40)?.try_into().ok()?);
    let (size, count) = (number(54)?, number(56)?);
    let mut needs_libraries = false;
    for index in 0..count {
        let at = usize::try_from(start).ok()?.checked_add(index * size)?;
        // The loader that finds the libraries is named by a header of this type.
        needs_libraries |= head.get(at..at.checked_add(4)?)? == INTERPRETER;
    }
    match (machine, needs_libraries) {
        (62, false) => Some(RunnerTarget::X86Musl),
        (62, true) => Some(RunnerTarget::X86Gnu),
        (183, false) => Some(RunnerTarget::ArmMusl),
        (183, true) => Some(RunnerTarget::ArmGnu),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(machine: u8, kinds: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[18] = machine;
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = u8::try_from(kinds.len()).unwrap();
        for kind in kinds {
            bytes.push(*kind);
            bytes.extend([0; 55]);
        }
        bytes
    }

    fn put(path: &Path, bytes: &[u8]) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    #[test]
    fn executables_say_what_they_were_built_for() {
        assert_eq!(target_of_elf(&elf(62, &[1, 3, 1])), Some(RunnerTarget::X86Gnu));
        assert_eq!(target_of_elf(&elf(62, &[1, 1])), Some(RunnerTarget::X86Musl));
        assert_eq!(target_of_elf(&elf(183, &[1])), Some(RunnerTarget::ArmMusl));
        assert_eq!(target_of_elf(&elf(183, &[3])), Some(RunnerTarget::ArmGnu));
        assert_eq!(target_of_elf(&elf(8, &[3])), None, "MIPS");
        assert_eq!(target_of_elf(b"#!/bin/sh\n"), None);
        let cut = elf(62, &[1, 3]);
        for length in 0..cut.len() - 56 {
            target_of_elf(&cut[..length]);
        }
        let own = target_of(&std::env::current_exe().unwrap()).unwrap().unwrap();
        assert_eq!(own.arch().as_str(), std::env::consts::ARCH);
    }

    #[test]
    fn runners_are_found_where_cargo_and_people_put_them() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        put(&at("x86_64-unknown-linux-musl/release/railsbench-runner"), &elf(62, &[1]));
        put(&at("railsbench-runner-aarch64-unknown-linux-gnu"), &elf(183, &[3]));
        let found = RunnerFiles::in_folder(folder.path()).unwrap();
        let targets: Vec<RunnerTarget> =
            found.measure().unwrap().iter().map(|file| file.target).collect();
        assert_eq!(targets, [RunnerTarget::X86Musl, RunnerTarget::ArmGnu]);
        assert_eq!(found.path(RunnerTarget::ArmMusl), None);
    }

    #[test]
    fn a_file_for_another_machine_and_an_empty_folder_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let empty = RunnerFiles::in_folder(folder.path()).unwrap_err().to_string();
        assert!(empty.contains("x86_64-unknown-linux-musl/railsbench-runner"), "{empty}");
        let path = folder.path().join("aarch64-unknown-linux-musl/railsbench-runner");
        put(&path, &elf(62, &[1]));
        let wrong = RunnerFiles::in_folder(folder.path()).unwrap_err().to_string();
        assert!(wrong.contains("--target aarch64-unknown-linux-musl"), "{wrong}");
    }

    #[test]
    fn a_file_that_was_replaced_is_measured_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runner");
        put(&path, &elf(62, &[1]));
        let mut files = RunnerFiles::none();
        assert_eq!(files.add(&path).unwrap(), Some(RunnerTarget::X86Musl));
        let first = files.measure().unwrap();
        assert_eq!(files.measure().unwrap(), first);
        put(&path, &elf(62, &[1, 1]));
        assert_ne!(files.measure().unwrap(), first);
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(files.measure(), Err(RunnerFilesError::Unreadable { .. })));
        put(&path, b"#!/bin/sh\n");
        assert_eq!(RunnerFiles::none().add(&path).unwrap(), None);
    }
}
