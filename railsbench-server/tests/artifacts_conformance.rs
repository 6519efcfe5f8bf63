//! Our artifact stores pass the suite that every artifact store must pass: the folder behind a
//! small HTTP server, and S3 against moto's.
//!
//! The S3 test starts `moto_server` itself; `railsbench_emulators::moto` tells where it comes from.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use railsbench_server::artifacts::conformance::{CASES, Subject, Transfer};
use railsbench_server::artifacts::filesystem::Operation;
use railsbench_server::artifacts::{ArtifactError, ArtifactStore, FilesystemArtifacts};
use url::Url;

/// A real HTTP client.
struct Client(reqwest::Client);

impl Client {
    fn new() -> Self {
        // Another test of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self(reqwest::Client::builder().no_proxy().build().unwrap())
    }
}

#[async_trait]
impl Transfer for Client {
    async fn put(&self, url: &str, body: Vec<u8>) -> u16 {
        let request = self.0.put(url).header("content-type", "application/gzip").body(body);
        request.send().await.unwrap().status().as_u16()
    }

    async fn get(&self, url: &str) -> (u16, Vec<u8>) {
        let answer = self.0.get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
    }
}

fn answer(error: &ArtifactError) -> Response {
    let status = match error {
        ArtifactError::Signature(_) => StatusCode::FORBIDDEN,
        ArtifactError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        ArtifactError::NotFound(_) => StatusCode::NOT_FOUND,
        ArtifactError::InvalidKey(_) => StatusCode::BAD_REQUEST,
        ArtifactError::Backend { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, error.to_string()).into_response()
}

async fn put_object(
    State(store): State<Arc<FilesystemArtifacts>>,
    Path(key): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let query = query.unwrap_or_default();
    let permission = match store.verify(Operation::Put, &key, &query, Timestamp::now()) {
        Ok(permission) => permission,
        Err(error) => return answer(&error),
    };
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    match store.write(&permission, request.into_body().into_data_stream(), length).await {
        Ok(_) => StatusCode::OK.into_response(),
        Err(error) => answer(&error),
    }
}

async fn get_object(
    State(store): State<Arc<FilesystemArtifacts>>,
    Path(key): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    let read = async {
        let permission = store.verify(Operation::Get, &key, &query, Timestamp::now())?;
        store.read(permission.key()).await
    };
    match read.await {
        Ok(stream) => Body::from_stream(stream).into_response(),
        Err(error) => answer(&error),
    }
}

async fn check(subject: Subject) {
    for case in CASES {
        println!("{}", case.name);
        case.check(&subject).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filesystem() {
    let folder = tempfile::tempdir().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let store = Arc::new(FilesystemArtifacts::open(folder.path(), &[7; 32], &base).unwrap());
    let routes = Router::new()
        .route("/artifacts/{*key}", get(get_object).put(put_object))
        .with_state(Arc::clone(&store));
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    assert!(store.embedded().is_some(), "its URLs point at the server's own route");
    check(Subject {
        store,
        transfer: Arc::new(Client::new()),
        checks_signatures: true,
        checks_sizes: true,
    })
    .await;
}

#[cfg(feature = "s3")]
mod s3 {
    use std::time::Duration;

    use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
    use railsbench_emulators::moto::Moto;
    use railsbench_server::artifacts::s3::S3Config;
    use railsbench_server::artifacts::{ArtifactKey, S3Artifacts};

    use super::*;

    const BUCKET: &str = "railsbench-results";

    fn config(moto: &Moto, bucket: &str, prefix: Option<&str>) -> S3Config {
        S3Config {
            bucket: bucket.to_owned(),
            prefix: prefix.map(|prefix| ArtifactKey::new(prefix).unwrap()),
            region: Some("us-east-1".to_owned()),
            endpoint: Some(moto.url.clone()),
            force_path_style: true,
        }
    }

    async fn open(
        moto: &Moto,
        bucket: &str,
        prefix: Option<&str>,
    ) -> Result<S3Artifacts, ArtifactError> {
        let keys = Credentials::new("key-id", "secret", None, None, "test");
        let keys = SharedCredentialsProvider::new(keys);
        S3Artifacts::open_with(config(moto, bucket, prefix), Some(keys)).await
    }

    async fn make_bucket(moto: &Moto) {
        let bucket = moto.url.join(BUCKET).unwrap();
        let answer = Client::new().0.put(bucket).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn s3() {
        let moto = Moto::start().await;
        let absent = open(&moto, BUCKET, None).await.unwrap_err().to_string();
        assert!(absent.contains("there is no bucket railsbench-results"), "{absent}");
        make_bucket(&moto).await;
        for prefix in [None, Some("some/prefix")] {
            let store = Arc::new(open(&moto, BUCKET, prefix).await.unwrap());
            check(Subject {
                store,
                transfer: Arc::new(Client::new()),
                // moto accepts any signature, at any time.
                checks_signatures: false,
                checks_sizes: false,
            })
            .await;
        }
        // With a prefix everything is below it, and nothing else is seen.
        let all = open(&moto, BUCKET, None).await.unwrap();
        let below = open(&moto, BUCKET, Some("some/prefix")).await.unwrap();
        let key = |text: &str| ArtifactKey::new(text).unwrap();
        let from_outside = all.list(&key("some/prefix/list")).await.unwrap();
        assert_eq!(from_outside.len(), 6);
        assert_eq!(below.list(&key("list")).await.unwrap().len(), 6);
        assert_eq!(below.list(&key("some")).await.unwrap(), []);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_s3_url_binds_method_key_time_and_content_type() {
        let moto = Moto::start().await;
        make_bucket(&moto).await;
        let store = open(&moto, BUCKET, None).await.unwrap();
        let (key, now) = (ArtifactKey::new("a/b").unwrap(), Timestamp::now());
        let parameter = |url: &str, name: &str| {
            let url = Url::parse(url).unwrap();
            let found = url.query_pairs().find(|(key, _)| key == name);
            found.map(|(_, value)| value.into_owned())
        };
        let hour = Duration::from_hours(1);
        let put = store.sign_put(&key, 10, hour, now).await.unwrap().url;
        let get = store.sign_get(&key, hour, now).await.unwrap().url;
        let signed = parameter(&put, "X-Amz-SignedHeaders").unwrap();
        assert_eq!(signed, "content-type;host", "what a client must send, and nothing more");
        assert_eq!(parameter(&get, "X-Amz-SignedHeaders").unwrap(), "host");
        assert_eq!(parameter(&put, "X-Amz-Expires").unwrap(), "3600");
        let signature = |url: &str| parameter(url, "X-Amz-Signature").unwrap();
        assert_ne!(signature(&put), signature(&get), "the method is bound");
        let other = ArtifactKey::new("a/c").unwrap();
        let elsewhere = store.sign_put(&other, 10, hour, now).await.unwrap().url;
        assert_ne!(signature(&put), signature(&elsewhere), "the key is bound");
        for url in [&put, &get] {
            assert!(!url.contains("secret"), "the secret is not in the URL");
            assert_eq!(parameter(url, "x-amz-checksum-crc32"), None, "no checksum of no body");
        }
        let year = Duration::from_hours(24 * 365);
        let longest = store.sign_put(&key, 10, year, now).await.unwrap();
        assert_eq!(parameter(&longest.url, "X-Amz-Expires").unwrap(), "604800");
        let week = now + jiff::SignedDuration::from_hours(7 * 24);
        assert!(longest.expires_at <= week, "it tells when it really ends");
    }
}
