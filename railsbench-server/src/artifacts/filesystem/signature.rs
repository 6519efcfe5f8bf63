//! Signed URLs of the server's own `/artifacts` route: who holds one may do what it says, to
//! the key it says, until it ends, and nothing else.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use url::{Url, form_urlencoded};

use crate::artifacts::{ArtifactError, ArtifactKey, SignedUrl};

/// What a signed URL allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Store the object.
    Put,
    /// Read the object.
    Get,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
        }
    }
}

/// What a URL was found to allow. Only a valid signature makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    operation: Operation,
    key: ArtifactKey,
    max_bytes: u64,
}

impl Permission {
    /// What may be done.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// To which object.
    pub fn key(&self) -> &ArtifactKey {
        &self.key
    }

    /// How many bytes may be stored; 0 where nothing may be.
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }
}

/// Signs URLs and checks them.
pub(super) struct Signer {
    key: Hmac<Sha256>,
    base: String,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Signer {
    pub(super) fn new(key: &[u8; 32], base: &Url) -> Self {
        let key = Hmac::new_from_slice(key).expect("HMAC takes keys of any length");
        let base = base.as_str().trim_end_matches('/').to_owned();
        Self { key, base }
    }

    pub(super) fn sign(
        &self,
        permission: &Permission,
        valid_for: Duration,
        now: Timestamp,
    ) -> SignedUrl {
        let expires_at = SignedDuration::try_from(valid_for)
            .ok()
            .and_then(|valid_for| now.checked_add(valid_for).ok())
            .and_then(|end| Timestamp::from_second(end.as_second()).ok())
            .unwrap_or(now);
        let expires = expires_at.as_second();
        let signature = URL_SAFE_NO_PAD.encode(self.signature(permission, expires));
        let Permission { operation, key, max_bytes } = permission;
        let (base, operation) = (&self.base, operation.as_str());
        let url = format!(
            "{base}/artifacts/{key}?op={operation}&max={max_bytes}&expires={expires}&sig={signature}"
        );
        SignedUrl { url, expires_at }
    }

    pub(super) fn verify(
        &self,
        operation: Operation,
        key_path: &str,
        query: &str,
        now: Timestamp,
    ) -> Result<Permission, ArtifactError> {
        const UNSIGNED: ArtifactError =
            ArtifactError::Signature("this URL is not signed; ask for an upload or download URL");
        const WRONG: ArtifactError = ArtifactError::Signature(
            "the signature of this URL does not fit what is asked; use the URL as it was given",
        );
        let parameter = |name: &str| {
            form_urlencoded::parse(query.as_bytes())
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
                .ok_or(UNSIGNED)
        };
        if parameter("op")? != operation.as_str() {
            return Err(WRONG);
        }
        let signature = URL_SAFE_NO_PAD.decode(parameter("sig")?).map_err(|_| WRONG)?;
        let expires: i64 = parameter("expires")?.parse().map_err(|_| WRONG)?;
        let permission = Permission {
            operation,
            key: ArtifactKey::new(key_path)?,
            max_bytes: parameter("max")?.parse().map_err(|_| WRONG)?,
        };
        let expected = self.signature(&permission, expires);
        if !bool::from(expected.as_slice().ct_eq(&signature)) {
            return Err(WRONG);
        }
        if now.as_second() >= expires {
            return Err(ArtifactError::Signature("this URL has expired; ask for a fresh one"));
        }
        Ok(permission)
    }

    fn signature(&self, permission: &Permission, expires: i64) -> [u8; 32] {
        let Permission { operation, key, max_bytes } = permission;
        // Keys hold no newline, so no two permissions give the same text.
        let text = format!("artifact\n{}\n{key}\n{max_bytes}\n{expires}", operation.as_str());
        self.key.clone().chain_update(text).finalize().into_bytes().into()
    }
}

impl Permission {
    pub(super) fn put(key: &ArtifactKey, max_bytes: u64) -> Self {
        Self { operation: Operation::Put, key: key.clone(), max_bytes }
    }

    pub(super) fn get(key: &ArtifactKey) -> Self {
        Self { operation: Operation::Get, key: key.clone(), max_bytes: 0 }
    }
}
