//! Fetching results: archives of finished tasks become folders of files.
//!
//! Archives come from machines that the operator does not control. They are unpacked by name:
//! only the files that a result consists of are taken, each bounded in size, so no entry can
//! reach outside its folder whatever it is called.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use futures::StreamExt;
use railsbench_core::id::{Alias, RunId};
use railsbench_core::protocol::{ArtifactFile, FinishedTask, RunView};
use railsbench_core::results::{METADATA_JSON, OUTPUT_CSV, OUTPUT_JSON, OUTPUT_TXT, folder_name};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use crate::client::{ClientError, OperatorClient};
use crate::report::RUN_JSON;

/// The files of a result, and the only ones that are taken out of an archive.
const FILES: [&str; 4] = [OUTPUT_TXT, OUTPUT_JSON, OUTPUT_CSV, METADATA_JSON];

/// Largest file that is taken out of an archive, in bytes.
const MAX_FILE: u64 = 256 << 20;

/// Most entries that are looked at in an archive.
const MAX_ENTRIES: usize = 1_000;

/// Why results could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The orchestrator does not give them.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// What arrived is not what was stored.
    #[error(
        "{name} of {task} arrived with SHA-256 {found}, but {wanted} was stored; fetch it again"
    )]
    Damaged {
        /// The file.
        name: String,
        /// Whose.
        task: String,
        /// What arrived.
        found: String,
        /// What was stored.
        wanted: String,
    },
    /// The archive cannot be read.
    #[error("{name} of {task} cannot be unpacked: {detail}")]
    Archive {
        /// The file.
        name: String,
        /// Whose.
        task: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The disk refuses.
    #[error("cannot write {path}: {detail}", path = .path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// What went wrong.
        detail: String,
    },
}

fn disk(path: &Path) -> impl FnOnce(std::io::Error) -> CollectError + '_ {
    move |error| CollectError::Disk { path: path.into(), detail: error.to_string() }
}

/// The folder of a task's files within the run's folder.
fn task_folder(task: &FinishedTask) -> String {
    let label = task.alias.as_ref().map_or(task.instance_type.as_str(), Alias::as_str);
    folder_name(label, task.run_number)
}

/// Fetches the files of every finished task of a run into `results_dir/<run id>/`, and writes
/// [`RUN_JSON`] there. Gives the folders of the tasks.
///
/// # Errors
/// [`CollectError`]; folders that were complete before it stay.
pub async fn fetch_results(
    client: &OperatorClient,
    run_id: &RunId,
    results_dir: &Path,
) -> Result<Vec<PathBuf>, CollectError> {
    let run_dir = results_dir.join(run_id.as_str());
    tokio::fs::create_dir_all(&run_dir).await.map_err(disk(&run_dir))?;
    write_run(&whole_run(client, run_id).await?, &run_dir).await?;
    let mut folders = Vec::new();
    for task in client.results(run_id).await?.tasks {
        let folder = run_dir.join(task_folder(&task));
        for file in &task.artifacts {
            fetch(client, &task, file, &folder).await?;
        }
        folders.push(folder);
    }
    Ok(folders)
}

/// The run with all of its tasks; an answer holds only so many at once.
async fn whole_run(client: &OperatorClient, run_id: &RunId) -> Result<RunView, ClientError> {
    let mut run = client.run(run_id).await?;
    let total = usize::try_from(run.summary.task_counts.total).unwrap_or(usize::MAX);
    if run.tasks.len() < total {
        run.tasks.clear();
        let mut cursor = None;
        loop {
            let page = client.tasks(run_id, cursor.as_deref()).await?;
            run.tasks.extend(page.tasks);
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
    }
    Ok(run)
}

/// Writes what the run was.
async fn write_run(run: &RunView, run_dir: &Path) -> Result<(), CollectError> {
    let path = run_dir.join(RUN_JSON);
    let text = serde_json::to_vec_pretty(run)
        .map_err(|error| CollectError::Disk { path: path.clone(), detail: error.to_string() })?;
    tokio::fs::write(&path, text).await.map_err(disk(&path))
}

async fn fetch(
    client: &OperatorClient,
    task: &FinishedTask,
    file: &ArtifactFile,
    folder: &Path,
) -> Result<(), CollectError> {
    let parent = folder.parent().unwrap_or(folder);
    let archive = tempfile::tempfile_in(parent).map_err(disk(parent))?;
    let mut archive = tokio::fs::File::from_std(archive);
    let mut digest = Sha256::new();
    let mut bytes = client.download(&file.url).await?.boxed();
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk?;
        digest.update(&chunk);
        archive.write_all(&chunk).await.map_err(disk(parent))?;
    }
    archive.flush().await.map_err(disk(parent))?;
    let found = hex::encode(digest.finalize());
    if found != file.sha256 {
        return Err(CollectError::Damaged {
            name: file.name.clone(),
            task: task_folder(task),
            found,
            wanted: file.sha256.clone(),
        });
    }
    let archive = archive.into_std().await;
    let folder = folder.to_owned();
    let (name, task) = (file.name.clone(), task_folder(task));
    let unpacked = tokio::task::spawn_blocking(move || unpack(archive, &folder)).await;
    let detail = match unpacked {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    Err(CollectError::Archive { name, task, detail })
}

/// Takes the known files out of an archive into a folder that appears as a whole.
fn unpack(mut archive: File, folder: &Path) -> std::io::Result<()> {
    archive.seek(SeekFrom::Start(0))?;
    let parent = folder.parent().unwrap_or(folder);
    let fresh = tempfile::Builder::new().prefix(".fetching-").tempdir_in(parent)?;
    let mut entries = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    for (index, entry) in entries.entries()?.enumerate() {
        if index >= MAX_ENTRIES {
            return Err(std::io::Error::other(format!("it has more than {MAX_ENTRIES} entries")));
        }
        let entry = entry?;
        let path = entry.path()?.into_owned();
        let path = path.strip_prefix(".").unwrap_or(&path);
        let Some(name) = FILES.into_iter().find(|name| Path::new(name) == path) else {
            continue;
        };
        if !entry.header().entry_type().is_file() {
            return Err(std::io::Error::other(format!("{name} is not a plain file")));
        }
        let mut file = File::create(fresh.path().join(name))?;
        let copied = std::io::copy(&mut entry.take(MAX_FILE + 1), &mut file)?;
        if copied > MAX_FILE {
            return Err(std::io::Error::other(format!("{name} is larger than {MAX_FILE} bytes")));
        }
    }
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    let fresh = fresh.keep();
    std::fs::rename(&fresh, folder)?;
    // A temporary folder is made for its owner alone; results are to be shared.
    std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(entries: &[(&str, &[u8], tar::EntryType)]) -> File {
        let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(
            tempfile::tempfile().unwrap(),
            flate2::Compression::fast(),
        ));
        for (name, data, kind) in entries {
            let mut header = tar::Header::new_gnu();
            // Written raw, because the builder refuses the names that matter here.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(data.len() as u64);
            header.set_mode(0o644);
            header.set_entry_type(*kind);
            header.set_cksum();
            builder.append(&header, *data).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn known_files_are_taken_and_nothing_else() {
        let results = tempfile::tempdir().unwrap();
        let folder = results.path().join("host-1");
        let file = tar::EntryType::Regular;
        let entries = [
            ("./metadata.json", b"{}".as_slice(), file),
            ("output.txt", b"hello", file),
            ("../escaped.txt", b"x", file),
            ("/etc/railsbench-escaped", b"x", file),
            ("deep/output.json", b"x", file),
        ];
        unpack(archive(&entries), &folder).unwrap();
        let mut names: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["metadata.json", "output.txt"]);
        assert_eq!(std::fs::read_dir(results.path()).unwrap().count(), 1);
    }

    #[test]
    fn links_in_the_place_of_files_are_refused_and_leave_no_trace() {
        let results = tempfile::tempdir().unwrap();
        let folder = results.path().join("host-1");
        let entries = [("output.txt", b"".as_slice(), tar::EntryType::Symlink)];
        assert!(unpack(archive(&entries), &folder).is_err());
        assert_eq!(std::fs::read_dir(results.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_second_fetch_replaces_the_first() {
        let results = tempfile::tempdir().unwrap();
        let folder = results.path().join("host-1");
        let file = tar::EntryType::Regular;
        unpack(archive(&[("output.txt", b"one", file), ("output.csv", b"", file)]), &folder)
            .unwrap();
        unpack(archive(&[("output.txt", b"two", file)]), &folder).unwrap();
        assert_eq!(std::fs::read(folder.join("output.txt")).unwrap(), b"two");
        assert!(!folder.join("output.csv").exists());
    }
}
