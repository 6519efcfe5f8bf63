//! `result.tar.gz` and `error.tar.gz`: what a task leaves, packed in one file.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use railsbench_core::results::{METADATA_JSON, OUTPUT_CSV, OUTPUT_JSON, OUTPUT_TXT};
use sha2::{Digest, Sha256};

use crate::workload::Job;

/// A packed archive on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

impl Archive {
    /// Packs the metadata and those files of a job that are there into `<job>/<name>`, metadata
    /// first. Blocks while it does.
    ///
    /// # Errors
    /// If a file cannot be read or the archive not be written.
    pub fn pack(job: &Job, name: &str, metadata: &[u8]) -> io::Result<Self> {
        let path = job.folder().join(name);
        let sink =
            Hashing { inner: BufWriter::new(File::create(&path)?), hash: Sha256::new(), size: 0 };
        let mut tar = tar::Builder::new(GzEncoder::new(sink, Compression::default()));
        append(&mut tar, METADATA_JSON, metadata.len() as u64, metadata)?;
        for (name, path) in [
            (OUTPUT_JSON, job.output_json()),
            (OUTPUT_CSV, job.output_csv()),
            (OUTPUT_TXT, job.output_txt()),
        ] {
            // Only plain files: what a link points to is not the workload's output.
            let Ok(found) = fs::symlink_metadata(&path) else { continue };
            if found.is_file() {
                append(&mut tar, name, found.len(), File::open(&path)?.take(found.len()))?;
            }
        }
        let mut sink = tar.into_inner()?.finish()?;
        sink.flush()?;
        Ok(Self { path, size: sink.size, sha256: hex::encode(sink.hash.finalize()) })
    }
}

fn append(
    tar: &mut tar::Builder<impl Write>,
    name: &str,
    size: u64,
    content: impl Read,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(u64::try_from(Timestamp::now().as_second()).unwrap_or(0));
    tar.append_data(&mut header, name, content)
}

/// The SHA-256 of some bytes, 64 lower-case hexadecimal digits.
pub(crate) fn sha256_hexadecimal(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Counts and hashes what is written through it.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use railsbench_core::id::TaskId;

    use super::*;
    use crate::workload::JobSpec;

    fn job(folder: &Path) -> Job {
        let spec = JobSpec {
            task_id: TaskId::from_parts(1, 1),
            benchmarks: Vec::new(),
            quick: true,
            min_seconds: None,
            ruby_version: "system".to_owned(),
            vcpus: 1,
            seed: "local/host/1".to_owned(),
        };
        Job::create(folder.join("job"), spec).unwrap()
    }

    #[test]
    fn holds_the_files_with_metadata_first_and_tells_its_hash() {
        let folder = tempfile::tempdir().unwrap();
        let job = job(folder.path());
        fs::write(job.output_txt(), "said").unwrap();
        fs::write(job.output_json(), "{}").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", job.output_csv()).unwrap();
        let archive = Archive::pack(&job, "result.tar.gz", b"{\"run\":1}").unwrap();

        let bytes = fs::read(&archive.path).unwrap();
        assert_eq!(archive.size, bytes.len() as u64);
        assert_eq!(archive.sha256, sha256_hexadecimal(&bytes));
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice()));
        let entries: Vec<(String, String)> = tar
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let name = entry.path().unwrap().display().to_string();
                let mut text = String::new();
                entry.read_to_string(&mut text).unwrap();
                (name, text)
            })
            .collect();
        let expected =
            [("metadata.json", "{\"run\":1}"), ("output.json", "{}"), ("output.txt", "said")];
        assert_eq!(entries, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }
}
