//! Artifacts in Amazon S3, or in anything that speaks its API.
//!
//! URLs are signed by the AWS SDK, and reading, listing and deleting is `object_store`'s; both
//! take their credentials from the usual AWS chain (environment, profile, web identity,
//! container, instance).
//!
//! # What a signed URL binds
//! * To put: bucket, key, method, time, and the header `Content-Type: application/gzip`, which
//!   the client must send. The size is **not** bound: S3 signs an exact `Content-Length` or
//!   none, and nobody knows the size of an archive before it is packed. So `max_bytes` is
//!   enforced when the server looks at the object, before it accepts the result.
//! * To get: bucket, key, method and time.
//!
//! S3 signs for seven days at most; a longer wish is cut to that, as [`SignedUrl::expires_at`]
//! tells. A URL that was signed with temporary credentials ends with them, if that is earlier.

mod credentials;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedCredentialsProvider,
};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_smithy_http_client::tls::{Provider as Tls, rustls_provider::CryptoMode};
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use url::Url;

use self::credentials::Chain;
use super::{ArtifactError, ArtifactKey, ArtifactStore, ByteStream, ObjectInfo, SignedUrl};

/// Content type that every upload is signed for.
pub const CONTENT_TYPE: &str = "application/gzip";

/// S3 signs for no longer than this.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// Where in S3 artifacts are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Config {
    /// The bucket; it must exist.
    pub bucket: String,
    /// All keys start with these segments.
    pub prefix: Option<ArtifactKey>,
    /// Region of the bucket, where the environment or profile does not say.
    pub region: Option<String>,
    /// Another service that speaks the API, e.g. `http://127.0.0.1:9000`.
    pub endpoint: Option<Url>,
    /// Put the bucket into the path and not into the host name, as most such services want.
    pub force_path_style: bool,
}

/// Artifacts in S3.
#[derive(Debug)]
pub struct S3Artifacts {
    config: S3Config,
    client: Client,
    objects: AmazonS3,
}

impl S3Artifacts {
    /// Opens the store with the credentials of the usual AWS chain, and looks whether the
    /// bucket is there.
    ///
    /// # Errors
    /// [`ArtifactError::Backend`] if there is no region, there are no credentials, or the bucket
    /// is absent or forbidden.
    pub async fn open(config: S3Config) -> Result<Self, ArtifactError> {
        Self::open_with(config, None).await
    }

    /// Opens the store with the given credentials instead of the chain's.
    ///
    /// # Errors
    /// As for [`S3Artifacts::open`].
    pub async fn open_with(
        config: S3Config,
        credentials: Option<SharedCredentialsProvider>,
    ) -> Result<Self, ArtifactError> {
        const ACTION: &str = "open its bucket";
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // The reading half needs a default for the process; another thread may have set one
            // by now, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Tls::Rustls(CryptoMode::Ring))
            .build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http);
        if let Some(region) = &config.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(credentials) = credentials {
            loader = loader.credentials_provider(credentials);
        }
        let shared = loader.load().await;
        let region = shared.region().map(ToString::to_string).ok_or_else(|| {
            backend(ACTION, "there is no region; set one in the configuration or AWS_REGION")
        })?;
        let credentials = shared.credentials_provider().ok_or_else(|| {
            backend(ACTION, "there are no AWS credentials; set AWS_PROFILE or AWS_ACCESS_KEY_ID")
        })?;
        let client = client(&config, &shared);
        let objects = reader(&config, region, credentials)
            .map_err(|error| backend(ACTION, causes(&error)))?;
        let store = Self { config, client, objects };
        store.preflight(ACTION).await?;
        Ok(store)
    }

    /// Asks whether the bucket is there and may be used.
    async fn preflight(&self, action: &'static str) -> Result<(), ArtifactError> {
        let bucket = &self.config.bucket;
        let answer = self.client.head_bucket().bucket(bucket).send().await;
        answer.map(drop).map_err(|error| {
            let status = error.raw_response().map(|response| response.status().as_u16());
            let detail = match status {
                Some(404) => format!("there is no bucket {bucket}; make it first"),
                Some(301) => format!("bucket {bucket} is in another region; set that one"),
                Some(403) => format!("these credentials may not use bucket {bucket}"),
                _ => format!("bucket {bucket}: {}", causes(&error)),
            };
            backend(action, detail)
        })
    }

    /// The key with the prefix, as S3 knows it.
    fn full(&self, key: &ArtifactKey) -> String {
        match &self.config.prefix {
            Some(prefix) => format!("{prefix}/{key}"),
            None => key.to_string(),
        }
    }

    fn path(&self, key: &ArtifactKey) -> Path {
        Path::from(self.full(key))
    }

    /// What S3 lists, under the key that it was stored at; `None` for what no key names.
    fn info(&self, meta: &ObjectMeta) -> Option<ObjectInfo> {
        let full = meta.location.as_ref();
        let key = match &self.config.prefix {
            Some(prefix) => full.strip_prefix(prefix.as_str())?.strip_prefix('/')?,
            None => full,
        };
        let at = meta.last_modified;
        let nanoseconds = i32::try_from(at.timestamp_subsec_nanos()).ok()?;
        let modified_at = Timestamp::new(at.timestamp(), nanoseconds).ok()?;
        Some(ObjectInfo { key: ArtifactKey::new(key).ok()?, size: meta.size, modified_at })
    }
}

fn client(config: &S3Config, shared: &aws_config::SdkConfig) -> Client {
    let mut builder = aws_sdk_s3::config::Builder::from(shared)
        .force_path_style(config.force_path_style)
        // The default would sign a checksum of the body, which the signer does not have.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    if let Some(endpoint) = &config.endpoint {
        builder = builder.endpoint_url(endpoint.as_str());
    }
    Client::from_conf(builder.build())
}

fn reader(
    config: &S3Config,
    region: String,
    credentials: SharedCredentialsProvider,
) -> Result<AmazonS3, object_store::Error> {
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region(region)
        .with_virtual_hosted_style_request(!config.force_path_style)
        .with_credentials(Arc::new(Chain::new(credentials)));
    if let Some(endpoint) = &config.endpoint {
        builder = builder
            .with_endpoint(endpoint.as_str().trim_end_matches('/'))
            .with_allow_http(endpoint.scheme() == "http");
    }
    builder.build()
}

fn backend(action: &'static str, detail: impl Into<String>) -> ArtifactError {
    ArtifactError::Backend { action, detail: detail.into() }
}

/// An error with what caused it: the outermost alone says little in the AWS SDK.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

fn presigning(valid_for: Duration, now: Timestamp) -> Result<PresigningConfig, ArtifactError> {
    let start = SystemTime::try_from(now).map_err(|error| backend("sign a URL", causes(&error)))?;
    PresigningConfig::builder()
        .start_time(start)
        .expires_in(valid_for.min(LONGEST))
        .build()
        .map_err(|error| backend("sign a URL", causes(&error)))
}

fn signed(
    request: &aws_sdk_s3::presigning::PresignedRequest,
    signing: &PresigningConfig,
) -> Result<SignedUrl, ArtifactError> {
    let end = signing.start_time() + signing.expires();
    let expires_at =
        Timestamp::try_from(end).map_err(|error| backend("sign a URL", causes(&error)))?;
    Ok(SignedUrl { url: request.uri().to_owned(), expires_at })
}

#[async_trait]
impl ArtifactStore for S3Artifacts {
    async fn sign_put(
        &self,
        key: &ArtifactKey,
        _max_bytes: u64,
        valid_for: Duration,
        now: Timestamp,
    ) -> Result<SignedUrl, ArtifactError> {
        let signing = presigning(valid_for, now)?;
        let put = self.client.put_object().bucket(&self.config.bucket).key(self.full(key));
        let request = put
            .content_type(CONTENT_TYPE)
            .presigned(signing.clone())
            .await
            .map_err(|error| backend("sign a URL", causes(&error)))?;
        signed(&request, &signing)
    }

    async fn sign_get(
        &self,
        key: &ArtifactKey,
        valid_for: Duration,
        now: Timestamp,
    ) -> Result<SignedUrl, ArtifactError> {
        let signing = presigning(valid_for, now)?;
        let get = self.client.get_object().bucket(&self.config.bucket).key(self.full(key));
        let request = get
            .presigned(signing.clone())
            .await
            .map_err(|error| backend("sign a URL", causes(&error)))?;
        signed(&request, &signing)
    }

    async fn head(&self, key: &ArtifactKey) -> Result<Option<ObjectInfo>, ArtifactError> {
        match self.objects.head(&self.path(key)).await {
            Ok(meta) => Ok(self.info(&meta)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(backend("look at an artifact", causes(&error))),
        }
    }

    async fn read(&self, key: &ArtifactKey) -> Result<ByteStream, ArtifactError> {
        match self.objects.get(&self.path(key)).await {
            Ok(found) => {
                let bytes = found.into_stream();
                Ok(bytes.map_err(|error| backend("read an artifact", causes(&error))).boxed())
            }
            Err(object_store::Error::NotFound { .. }) => Err(ArtifactError::NotFound(key.clone())),
            Err(error) => Err(backend("read an artifact", causes(&error))),
        }
    }

    async fn delete(&self, key: &ArtifactKey) -> Result<(), ArtifactError> {
        match self.objects.delete(&self.path(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(backend("delete an artifact", causes(&error))),
        }
    }

    async fn list(&self, prefix: &ArtifactKey) -> Result<Vec<ObjectInfo>, ArtifactError> {
        let below = self.objects.list(Some(&self.path(prefix)));
        let below: Vec<ObjectMeta> =
            below.try_collect().await.map_err(|error| backend("list artifacts", causes(&error)))?;
        let mut found: Vec<ObjectInfo> = below.iter().filter_map(|meta| self.info(meta)).collect();
        // S3 lists what is below a prefix; an object of that very name belongs to it too.
        if !found.iter().any(|info| &info.key == prefix) {
            found.extend(self.head(prefix).await?);
        }
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    async fn ping(&self) -> Result<(), ArtifactError> {
        self.preflight("reach its bucket").await
    }
}
