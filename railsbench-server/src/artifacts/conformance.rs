//! What every [`ArtifactStore`] must do, as a suite that any implementation can be put through.
//!
//! Each [`Case`] of [`CASES`] uses keys of its own and panics, saying what it found, if a rule
//! is broken. URLs are only worth something to someone who speaks HTTP, so the suite is given
//! one: [`Transfer`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use super::{ArtifactError, ArtifactKey, ArtifactStore, SignedUrl};

/// Someone who speaks HTTP.
#[async_trait]
pub trait Transfer: Send + Sync {
    /// Sends a body, with the header `Content-Type: application/gzip`. Gives the status.
    async fn put(&self, url: &str, body: Vec<u8>) -> u16;

    /// Asks for a body. Gives the status and what came.
    async fn get(&self, url: &str) -> (u16, Vec<u8>);
}

/// A store that is put through the suite.
#[derive(Clone)]
pub struct Subject {
    /// The store.
    pub store: Arc<dyn ArtifactStore>,
    /// Who uses its URLs.
    pub transfer: Arc<dyn Transfer>,
    /// Whether the backend refuses what is signed wrongly or too late. Emulators may not.
    pub checks_signatures: bool,
    /// Whether the backend refuses uploads that are larger than their URL says.
    pub checks_sizes: bool,
}

/// One rule that is checked.
pub struct Case {
    /// What it proves, as a name.
    pub name: &'static str,
    run: for<'a> fn(&'a Subject) -> BoxFuture<'a, ()>,
}

impl Case {
    /// Runs the case.
    ///
    /// # Panics
    /// If the store breaks the rule.
    pub async fn check(&self, subject: &Subject) {
        (self.run)(subject).await;
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

macro_rules! cases {
    ($($name:ident),+ $(,)?) => {
        &[$(Case { name: stringify!($name), run: |subject| Box::pin($name(subject)) }),+]
    };
}

/// All cases.
pub const CASES: &[Case] = cases![
    what_is_put_can_be_got,
    a_later_put_replaces_the_object_as_a_whole,
    puts_at_the_same_time_do_not_mix,
    what_is_not_there_is_said_so,
    what_is_deleted_is_gone,
    lists_are_by_whole_segments_and_in_order,
    urls_tell_when_they_end_and_are_not_printed,
    urls_are_worth_nothing_when_they_have_ended,
    urls_allow_what_they_say_and_nothing_else,
    what_is_too_large_is_refused_without_trace,
];

const HOUR: Duration = Duration::from_hours(1);
const MAX_BYTES: u64 = 8 << 20;

fn key(text: &str) -> ArtifactKey {
    ArtifactKey::new(text).expect("it is a key")
}

/// Bytes that differ from place to place, and by seed.
fn content(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|at| (at % 251).to_le_bytes()[0] ^ seed).collect()
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// Whether a URL was refused: for its signature, or because it is no signed URL at all.
fn is_refused(status: u16) -> bool {
    (400..=403).contains(&status)
}

impl Subject {
    async fn put_url(&self, key: &ArtifactKey) -> String {
        let signed = self.store.sign_put(key, MAX_BYTES, HOUR, Timestamp::now()).await;
        signed.expect("a URL can be signed").url
    }

    async fn get_url(&self, key: &ArtifactKey) -> String {
        let signed = self.store.sign_get(key, HOUR, Timestamp::now()).await;
        signed.expect("a URL can be signed").url
    }

    async fn put(&self, key: &ArtifactKey, body: Vec<u8>) {
        let status = self.transfer.put(&self.put_url(key).await, body).await;
        assert!(is_success(status), "a PUT to {key} got {status}");
    }

    /// The object as the store reads it; `None` if there is none.
    async fn read(&self, key: &ArtifactKey) -> Option<Vec<u8>> {
        match self.store.read(key).await {
            Ok(stream) => {
                let chunks: Vec<_> = stream.try_collect().await.expect("the object can be read");
                Some(chunks.concat())
            }
            Err(ArtifactError::NotFound(absent)) => {
                assert_eq!(&absent, key, "the error names the key");
                None
            }
            Err(error) => panic!("reading {key}: {error}"),
        }
    }

    async fn size(&self, key: &ArtifactKey) -> Option<u64> {
        self.store.head(key).await.expect("an object can be looked at").map(|info| info.size)
    }
}

async fn what_is_put_can_be_got(subject: &Subject) {
    subject.store.ping().await.expect("the backend answers");
    for (name, length) in [("empty", 0), ("one", 1), ("small", 70_000), ("large", 5 << 20)] {
        let key = key(&format!("put/{name}/result.tar.gz"));
        let body = content(length, 1);
        subject.put(&key, body.clone()).await;
        let info = subject.store.head(&key).await.expect("an object can be looked at");
        let info = info.expect("it is there");
        assert_eq!((&info.key, info.size), (&key, body.len() as u64));
        assert!(info.modified_at.as_second() > 0, "it has a time: {}", info.modified_at);
        assert!(subject.read(&key).await.as_ref() == Some(&body), "{name}: the store reads it");
        let (status, got) = subject.transfer.get(&subject.get_url(&key).await).await;
        assert!(is_success(status) && got == body, "{name}: its URL gives it ({status})");
    }
}

async fn a_later_put_replaces_the_object_as_a_whole(subject: &Subject) {
    let key = key("replace/result.tar.gz");
    let url = subject.put_url(&key).await;
    for length in [100_000, 10, 50_000] {
        let body = content(length, 2);
        let status = subject.transfer.put(&url, body.clone()).await;
        assert!(is_success(status), "one URL may be used again until it ends: {status}");
        assert!(subject.read(&key).await == Some(body), "{length} bytes, and nothing of the old");
    }
}

async fn puts_at_the_same_time_do_not_mix(subject: &Subject) {
    let key = key("race/result.tar.gz");
    let url = subject.put_url(&key).await;
    let bodies: Vec<Vec<u8>> =
        (0..6u8).map(|seed| content(300_000 + usize::from(seed), seed)).collect();
    let puts = bodies.iter().map(|body| subject.transfer.put(&url, body.clone()));
    let statuses = futures::future::join_all(puts).await;
    // A backend may turn some away for now, and their senders try again; it may not mix them.
    assert!(statuses.iter().all(|status| is_success(*status) || *status >= 500), "{statuses:?}");
    assert!(statuses.iter().any(|status| is_success(*status)), "{statuses:?}");
    let stored = subject.read(&key).await.expect("one of them is there");
    assert!(bodies.contains(&stored), "what is stored is one of the uploads, whole");
}

async fn what_is_not_there_is_said_so(subject: &Subject) {
    let nothing = key("nothing/at/all");
    assert_eq!(subject.size(&nothing).await, None);
    assert!(subject.read(&nothing).await.is_none());
    assert_eq!(subject.store.list(&nothing).await.expect("nothing can be listed"), []);
    subject.store.delete(&nothing).await.expect("removing nothing is fine");
    let (status, _) = subject.transfer.get(&subject.get_url(&nothing).await).await;
    assert_eq!(status, 404);
    // What is only the way to an object is no object.
    subject.put(&key("nothing/but/a/way"), content(10, 3)).await;
    let way = key("nothing/but");
    assert_eq!(subject.size(&way).await, None);
    assert!(subject.read(&way).await.is_none());
}

async fn what_is_deleted_is_gone(subject: &Subject) {
    let (gone, other) = (key("delete/a"), key("delete/b"));
    for key in [&gone, &other] {
        subject.put(key, content(1_000, 4)).await;
    }
    subject.store.delete(&gone).await.expect("an object can be removed");
    subject.store.delete(&gone).await.expect("removing twice is fine");
    assert_eq!(subject.size(&gone).await, None);
    assert!(subject.read(&gone).await.is_none());
    assert_eq!(subject.size(&other).await, Some(1_000), "its neighbour stays");
    subject.put(&gone, content(20, 5)).await;
    assert_eq!(subject.size(&gone).await, Some(20), "the key can be used again");
}

async fn lists_are_by_whole_segments_and_in_order(subject: &Subject) {
    let names = ["list/a/2", "list/a/10/x", "list/a/1", "list/ab/1", "list/a-b", "list/b"];
    for (length, name) in (1..).zip(names) {
        subject.put(&key(name), content(length, 6)).await;
    }
    let list = async |prefix: &str| {
        let found = subject.store.list(&key(prefix)).await.expect("objects can be listed");
        found.into_iter().map(|info| (info.key.to_string(), info.size)).collect::<Vec<_>>()
    };
    let of = |names: &[(&str, u64)]| -> Vec<(String, u64)> {
        names.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect()
    };
    assert_eq!(list("list/a").await, of(&[("list/a/1", 3), ("list/a/10/x", 2), ("list/a/2", 1)]));
    assert_eq!(list("list/ab").await, of(&[("list/ab/1", 4)]));
    assert_eq!(list("list/b").await, of(&[("list/b", 6)]), "an object is in its own list");
    assert_eq!(list("list").await.len(), 6);
    assert_eq!(list("lis").await, of(&[]), "half a segment is no prefix");
}

async fn urls_tell_when_they_end_and_are_not_printed(subject: &Subject) {
    let (key, now) = (key("ends/result.tar.gz"), Timestamp::now());
    let signed: [SignedUrl; 2] = [
        subject.store.sign_put(&key, 1, HOUR, now).await.expect("a URL can be signed"),
        subject.store.sign_get(&key, HOUR, now).await.expect("a URL can be signed"),
    ];
    for signed in signed {
        let rounding = SignedDuration::from_secs(1);
        let wanted = now + SignedDuration::from_hours(1);
        assert!(
            signed.expires_at <= wanted && signed.expires_at >= wanted - rounding,
            "valid for an hour at {now} ends at {}",
            signed.expires_at
        );
        assert!(!format!("{signed:?}").contains("http"), "a URL is a secret: {signed:?}");
    }
}

async fn urls_are_worth_nothing_when_they_have_ended(subject: &Subject) {
    if !subject.checks_signatures {
        return;
    }
    let key = key("ended/result.tar.gz");
    subject.put(&key, content(100, 7)).await;
    let long_ago = Timestamp::now() - SignedDuration::from_hours(2);
    let put = subject.store.sign_put(&key, MAX_BYTES, HOUR, long_ago).await;
    let put = put.expect("a URL can be signed").url;
    assert_eq!(subject.transfer.put(&put, content(200, 8)).await, 403);
    assert_eq!(subject.size(&key).await, Some(100), "the object is as it was");
    let get = subject.store.sign_get(&key, HOUR, long_ago).await;
    let (status, body) = subject.transfer.get(&get.expect("a URL can be signed").url).await;
    assert_eq!(status, 403);
    assert_ne!(body, content(100, 7), "nothing is given away");
}

async fn urls_allow_what_they_say_and_nothing_else(subject: &Subject) {
    if !subject.checks_signatures {
        return;
    }
    let (mine, other) = (key("only/mine/result.tar.gz"), key("only/other/result.tar.gz"));
    for key in [&mine, &other] {
        subject.put(key, content(100, 9)).await;
    }
    let (put, get) = (subject.put_url(&mine).await, subject.get_url(&mine).await);
    let elsewhere = |url: &str| url.replace("/only/mine/", "/only/other/");
    let forged = |url: &str| {
        let (path, query) = url.split_once('?').expect("a signed URL has a query");
        // Every figure in turn: signature, end and size are all among them.
        let places = query.char_indices().filter(|(_, c)| c.is_ascii_digit());
        places
            .map(|(at, digit)| {
                let other = if digit == '1' { "2" } else { "1" };
                format!("{path}?{}{other}{}", &query[..at], &query[at + 1..])
            })
            .collect::<Vec<_>>()
    };
    let bare = |url: &str| url.split('?').next().unwrap_or_default().to_owned();
    let mut wrong_puts = forged(&put);
    wrong_puts.extend([get.clone(), elsewhere(&put), bare(&put), put.replace("=put", "=get")]);
    wrong_puts.retain(|url| url != &put);
    for url in wrong_puts {
        let status = subject.transfer.put(&url, content(55, 10)).await;
        assert!(is_refused(status), "a PUT to a URL that was not given out: {status}");
    }
    let mut wrong_gets = forged(&get);
    wrong_gets.extend([put, elsewhere(&get), bare(&get)]);
    for url in wrong_gets {
        let (status, body) = subject.transfer.get(&url).await;
        assert!(is_refused(status), "a GET of a URL that was not given out: {status}");
        assert_ne!(body, content(100, 9), "nothing is given away");
    }
    for key in [&mine, &other] {
        assert!(subject.read(key).await == Some(content(100, 9)), "{key} is as it was");
    }
}

async fn what_is_too_large_is_refused_without_trace(subject: &Subject) {
    if !subject.checks_sizes {
        return;
    }
    let key = key("size/result.tar.gz");
    let signed = subject.store.sign_put(&key, 1_000, HOUR, Timestamp::now()).await;
    let url = signed.expect("a URL can be signed").url;
    assert_eq!(subject.transfer.put(&url, content(1_001, 11)).await, 413);
    assert_eq!(subject.size(&key).await, None, "nothing of it is kept");
    let status = subject.transfer.put(&url, content(1_000, 12)).await;
    assert!(is_success(status), "exactly as large as allowed: {status}");
    assert_eq!(subject.transfer.put(&url, content(500_000, 13)).await, 413);
    assert!(subject.read(&key).await == Some(content(1_000, 12)), "the object is as it was");
    assert_eq!(subject.store.list(&key).await.expect("objects can be listed").len(), 1);
}
