use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};

use futures::stream;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const KEY: [u8; 32] = [7; 32];
const HOUR: Duration = Duration::from_hours(1);

fn now() -> Timestamp {
    Timestamp::from_second(1_900_000_000).unwrap()
}

fn key(text: &str) -> ArtifactKey {
    ArtifactKey::new(text).unwrap()
}

fn open(folder: &TempDir) -> FilesystemArtifacts {
    let base = Url::parse("http://127.0.0.1:4000").unwrap();
    FilesystemArtifacts::open(folder.path(), &KEY, &base).unwrap()
}

fn body(chunks: &[&'static str]) -> impl Stream<Item = Result<Bytes, String>> + Send + use<> {
    let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from(*chunk))).collect();
    stream::iter(chunks)
}

/// Every file and folder below a folder, by its path in it.
fn tree(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            found.insert(path.strip_prefix(folder).unwrap().display().to_string());
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    found
}

fn paths(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_broken_upload_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let permission = Permission::put(&key("a/b"), 10);
    let cut_off = stream::iter([Ok(Bytes::from("12345")), Err("the line went dead")]);
    let error = store.write(&permission, cut_off, None).await.unwrap_err();
    assert!(error.to_string().contains("the line went dead"), "{error}");

    let error = store.write(&permission, body(&["123456", "78901"]), None).await.unwrap_err();
    assert!(matches!(error, ArtifactError::TooLarge { max_bytes: 10, .. }), "{error}");

    let error = store.write(&permission, body(&["12345"]), Some(6)).await.unwrap_err();
    assert!(error.to_string().contains("after 5 of 6 bytes"), "{error}");

    let endless = stream::repeat_with(|| Ok::<_, String>(Bytes::from("never read")));
    let error = store.write(&permission, endless, Some(11)).await.unwrap_err();
    assert!(matches!(error, ArtifactError::TooLarge { .. }), "{error}");

    let (all_sent, wait) = tokio::sync::oneshot::channel();
    let stuck = stream::iter([Ok::<_, String>(Bytes::from("12345"))]).chain(
        stream::once(async move { all_sent.send(()).unwrap() })
            .flat_map(|()| stream::pending::<Result<Bytes, String>>()),
    );
    let upload = Box::pin(store.write(&permission, stuck, None));
    match futures::future::select(upload, wait).await {
        futures::future::Either::Left((outcome, _)) => panic!("it waits for ever: {outcome:?}"),
        futures::future::Either::Right((_, upload)) => drop(upload),
    }
    assert_eq!(tree(folder.path()), paths(&["objects", "incoming"]));

    let info = store.write(&permission, body(&["12345", "67890"]), Some(10)).await.unwrap();
    assert_eq!(info.size, 10);
    let whole = paths(&["objects", "objects/a", "objects/a/b", "incoming"]);
    assert_eq!(tree(folder.path()), whole);
    let mode = std::fs::metadata(folder.path().join("objects/a/b")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "only its owner can read it");
}

#[tokio::test]
async fn a_permission_to_read_is_none_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let error = store.write(&Permission::get(&key("a")), body(&[]), None).await.unwrap_err();
    assert!(matches!(error, ArtifactError::Signature(_)), "{error}");
}

#[tokio::test]
async fn what_was_cut_off_is_cleared_away_and_objects_stay() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    store.write(&Permission::put(&key("a"), 10), body(&["kept"]), None).await.unwrap();
    std::fs::write(folder.path().join("incoming/upload-left"), b"half").unwrap();
    drop(store);
    let store = open(&folder);
    assert_eq!(tree(folder.path()), paths(&["objects", "objects/a", "incoming"]));
    assert_eq!(store.head(&key("a")).await.unwrap().unwrap().size, 4);
}

#[tokio::test]
async fn a_server_that_starts_leaves_what_others_are_receiving() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let chunks = stream::iter(["half", "half"]).map(|chunk| {
        open(&folder);
        Ok::<_, String>(Bytes::from(chunk))
    });
    let stored = store.write(&Permission::put(&key("a"), 10), chunks, None).await.unwrap();
    assert_eq!(stored.size, 8);
    assert_eq!(tree(folder.path()), paths(&["objects", "objects/a", "incoming"]));
}

#[tokio::test]
async fn links_are_not_followed() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(&folder);
    std::fs::write(outside.path().join("secret"), b"secret").unwrap();
    symlink(outside.path().join("secret"), folder.path().join("objects/file")).unwrap();
    symlink(outside.path(), folder.path().join("objects/folder")).unwrap();
    for name in ["file", "folder", "folder/secret"] {
        let key = key(name);
        assert_eq!(store.head(&key).await.unwrap(), None, "{name}");
        assert!(matches!(store.read(&key).await, Err(ArtifactError::NotFound(_))), "{name}");
        assert_eq!(store.list(&key).await.unwrap(), [], "{name}");
    }
    store.delete(&key("folder/secret")).await.unwrap();
    let error = store.write(&Permission::put(&key("folder/new"), 10), body(&["x"]), None).await;
    assert!(error.unwrap_err().to_string().contains("objects/folder is a link"));
    store.write(&Permission::put(&key("file"), 10), body(&["mine"]), None).await.unwrap();
    assert_eq!(tree(outside.path()), paths(&["secret"]));
    assert_eq!(std::fs::read(outside.path().join("secret")).unwrap(), b"secret");
    assert_eq!(store.head(&key("file")).await.unwrap().unwrap().size, 4, "the link is replaced");
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let base = Url::parse("http://127.0.0.1:4000").unwrap();
    let error = FilesystemArtifacts::open(&file, &KEY, &base).unwrap_err().to_string();
    assert!(error.contains(&file.display().to_string()) && error.contains("writable"), "{error}");
}

#[tokio::test]
async fn a_url_starts_with_the_base_and_only_its_key_verifies_it() {
    let folder = tempfile::tempdir().unwrap();
    let base = Url::parse("https://bench.example/below/").unwrap();
    let store = FilesystemArtifacts::open(folder.path(), &KEY, &base).unwrap();
    let url = store.sign_put(&key("a/b"), 5, HOUR, now()).await.unwrap().url;
    assert!(url.starts_with("https://bench.example/below/artifacts/a/b?op=put&max=5&"), "{url}");
    let query = url.split_once('?').unwrap().1;
    let permission = store.verify(Operation::Put, "a/b", query, now()).unwrap();
    assert_eq!((permission.key(), permission.max_bytes()), (&key("a/b"), 5));
    drop(store);
    let other = FilesystemArtifacts::open(folder.path(), &[8; 32], &base).unwrap();
    let error = other.verify(Operation::Put, "a/b", query, now()).unwrap_err();
    assert!(matches!(error, ArtifactError::Signature(_)), "{error}");
    assert!(!format!("{other:?}").contains("8, 8"), "the key is not printed");
}

proptest! {
    #[test]
    fn nothing_but_the_signed_query_verifies(query in ".{0,200}", path in ".{0,40}") {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        prop_assert!(store.verify(Operation::Put, &path, &query, now()).is_err());
        prop_assert!(store.verify(Operation::Get, "a/b", &query, now()).is_err());
    }

    #[test]
    fn a_signed_query_verifies_until_its_second(seconds in 1u64..1_000_000, late in 0i64..100) {
        let signer = Signer::new(&KEY, &Url::parse("http://127.0.0.1").unwrap());
        let permission = Permission::get(&key("a/b"));
        let signed = signer.sign(&permission, Duration::from_secs(seconds), now());
        let query = signed.url.split_once('?').unwrap().1;
        let verify = |at| signer.verify(Operation::Get, "a/b", query, at);
        let second = jiff::SignedDuration::from_secs(1);
        prop_assert_eq!(verify(signed.expires_at - second).unwrap(), permission);
        prop_assert!(verify(signed.expires_at + second * i32::try_from(late).unwrap()).is_err());
        prop_assert!(signer.verify(Operation::Put, "a/b", query, now()).is_err());
        prop_assert!(signer.verify(Operation::Get, "a/c", query, now()).is_err());
    }
}
