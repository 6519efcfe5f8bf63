use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use std::io::Write;
use tar::{Builder, Header};

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A header whose name is taken as it is, however bad.
fn header(name: &str, kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

fn tar(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, kind, content) in entries {
        builder.append(&header(name, *kind, content.len() as u64), *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn check(bytes: &[u8]) -> Result<Inspected, ArchiveProblem> {
    examine(bytes, SMALL)
}

const SMALL: Limits = Limits {
    max_bytes: 1 << 20,
    max_entries: 8,
    max_entry_bytes: 64 << 10,
    max_unpacked_bytes: 128 << 10,
};

const METADATA: (&str, EntryType, &[u8]) = ("metadata.json", EntryType::Regular, b"{}");

#[test]
fn a_result_is_accepted_with_its_size_and_hash() {
    let bytes = gzip(&tar(&[METADATA, ("output.txt", EntryType::Regular, b"hello")]));
    let inspected = check(&bytes).unwrap();
    let sha256 = hex::encode(Sha256::digest(&bytes));
    assert_eq!(inspected, Inspected { size: bytes.len() as u64, sha256, entries: 2 });
    assert_eq!(inspected.sha256.len(), 64);
}

#[test]
fn a_folder_as_tar_packs_it_is_accepted() {
    let entries =
        [("./", EntryType::Directory, &b""[..]), ("./metadata.json", EntryType::Regular, b"{}")];
    assert_eq!(check(&gzip(&tar(&entries))).unwrap().entries, 2);
}

#[test]
fn names_in_extension_headers_count() {
    let long = "x".repeat(300);
    let mut builder = Builder::new(Vec::new());
    for name in [long.as_str(), "metadata.json"] {
        let mut header = Header::new_gnu();
        header.set_size(2);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, &b"{}"[..]).unwrap();
    }
    assert_eq!(check(&gzip(&builder.into_inner().unwrap())).unwrap().entries, 2);

    let mut builder = Builder::new(Vec::new());
    builder.append_pax_extensions([("path", &b"metadata.json"[..])]).unwrap();
    builder.append(&header("other", EntryType::Regular, 2), &b"{}"[..]).unwrap();
    assert_eq!(check(&gzip(&builder.into_inner().unwrap())).unwrap().entries, 1);
}

#[test]
fn hostile_archives_are_refused_by_name() {
    let of = |entries: &[(&str, EntryType, &[u8])]| gzip(&tar(entries));
    let pax = |key: &str, value: &[u8]| {
        let mut builder = Builder::new(Vec::new());
        builder.append_pax_extensions([(key, value)]).unwrap();
        builder.append(&header("metadata.json", EntryType::Regular, 2), &b"{}"[..]).unwrap();
        gzip(&builder.into_inner().unwrap())
    };
    let regular = EntryType::Regular;
    let whole = of(&[METADATA]);
    let flipped = {
        let mut bytes = whole.clone();
        let last = bytes.len() - 5;
        bytes[last] ^= 1;
        bytes
    };
    let huge_extension = {
        let mut bytes = tar(&[]);
        bytes.splice(0..0, header("x", EntryType::XHeader, 1 << 40).as_bytes().iter().copied());
        gzip(&bytes)
    };
    let many: Vec<_> = (0..9).map(|_| METADATA).collect();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", Vec::new(), "is empty"),
        ("text", b"hello world".to_vec(), "not a readable tar.gz"),
        ("gzip of nothing", gzip(b""), "no metadata.json"),
        ("gzip of noise", gzip(&[7; 2048]), "not a readable tar.gz"),
        ("cut off", whole[..whole.len() - 12].to_vec(), "not a readable tar.gz"),
        ("wrong checksum", flipped, "not a readable tar.gz"),
        ("text after the end", [whole.clone(), b"more".to_vec()].concat(), "not a readable tar.gz"),
        ("cut off inside", gzip(&tar(&[METADATA])[..513]), "is cut off"),
        ("no metadata", of(&[("output.txt", regular, b"hello")]), "no metadata.json"),
        (
            "metadata is a folder",
            of(&[("metadata.json", EntryType::Directory, b"")]),
            "no metadata",
        ),
        ("metadata too deep", of(&[("a/metadata.json", regular, b"{}")]), "no metadata.json"),
        ("absolute", of(&[METADATA, ("/etc/passwd", regular, b"x")]), "\"/etc/passwd\""),
        ("climbing", of(&[METADATA, ("a/../../b", regular, b"x")]), "\"a/../../b\""),
        ("no name", of(&[METADATA, ("", regular, b"x")]), "\"\""),
        ("symbolic link", of(&[METADATA, ("l", EntryType::Symlink, b"")]), "neither a file"),
        ("hard link", of(&[METADATA, ("l", EntryType::Link, b"")]), "neither a file"),
        ("device", of(&[METADATA, ("d", EntryType::Char, b"")]), "neither a file"),
        ("pipe", of(&[METADATA, ("p", EntryType::Fifo, b"")]), "neither a file"),
        ("sparse", of(&[METADATA, ("s", EntryType::GNUSparse, b"")]), "neither a file"),
        ("absolute by pax", pax("path", b"/etc/passwd"), "\"/etc/passwd\""),
        ("size by pax", pax("size", b"4096"), "pax record size"),
        ("huge extension", huge_extension, "extension header"),
        ("too many", of(&many), "more than the 8 entries"),
        ("large file", of(&[METADATA, ("f", regular, &[0; 65_537])]), "larger than the 65536"),
        (
            "unpacks large",
            of(&[METADATA, ("a", regular, &[0; 65_000]), ("b", regular, &[0; 65_000])]),
            "unpacks to more than the 131072",
        ),
        ("bomb after the end", gzip(&[tar(&[METADATA]), vec![0; 200_000]].concat()), "unpacks to"),
    ];
    for (name, bytes, wanted) in cases {
        let problem = check(&bytes).expect_err(name).to_string();
        assert!(problem.contains(wanted), "{name}: {problem}");
    }
    let tight = Limits { max_bytes: 10, ..SMALL };
    assert!(matches!(examine(&whole[..], tight), Err(ArchiveProblem::TooLarge(10))));
}

#[tokio::test]
async fn a_stream_is_inspected_in_chunks_and_its_failure_is_told() {
    let bytes = gzip(&tar(&[METADATA]));
    let chunks: Vec<_> = bytes.chunks(7).map(|part| Ok(Bytes::copy_from_slice(part))).collect();
    let stream = futures::stream::iter(chunks).boxed();
    assert_eq!(inspect(stream, SMALL).await.unwrap().size, bytes.len() as u64);

    let broken = || ArtifactError::Backend { action: "read", detail: "the disk broke".to_owned() };
    let chunks = vec![Ok(Bytes::copy_from_slice(&bytes[..20])), Err(broken())];
    let problem = inspect(futures::stream::iter(chunks).boxed(), SMALL).await.unwrap_err();
    assert!(matches!(problem, ArchiveProblem::Store(_)), "{problem}");
    assert!(problem.to_string().contains("the disk broke"), "{problem}");
}

proptest! {
    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        prop_assert!(check(&bytes).is_err());
    }

    #[test]
    fn gzipped_noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        prop_assert!(check(&gzip(&bytes)).is_err());
    }

    #[test]
    fn a_damaged_tar_never_panics(
        damage in prop::collection::vec((0usize..3072, any::<u8>()), 1..20),
        fix_sums: bool,
    ) {
        let mut builder = Builder::new(Vec::new());
        builder.append_pax_extensions([("path", &b"metadata.json"[..])]).unwrap();
        builder.append(&header("x", EntryType::Regular, 2), &b"{}"[..]).unwrap();
        let mut bytes = builder.into_inner().unwrap();
        for (at, value) in damage {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        // Half of the time the damage gets past the checksums of the headers.
        if fix_sums {
            for block in [0, 1024] {
                let mut header = Header::from_byte_slice(&bytes[block..block + 512]).clone();
                header.set_cksum();
                bytes[block..block + 512].copy_from_slice(header.as_bytes());
            }
        }
        if let Ok(inspected) = check(&gzip(&bytes)) {
            prop_assert!(inspected.entries <= SMALL.max_entries);
        }
    }
}
