//! What can be said of a certificate before it is served.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, InconsistentKeys, RootCertStore};

use super::TlsError;

/// What the file of a certificate should hold, in messages.
pub(super) const CERTIFICATE: &str = "certificate";
/// What the file of a key should hold, in messages.
pub(super) const KEY: &str = "private key";

/// When a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

impl Validity {
    /// When a certificate is good. The library that parses it tells that only by refusing it:
    /// at the beginning of time it is not good yet, and at the end no longer.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        let seconds_at = |time| match verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &RootCertStore::empty(),
            &[],
            UnixTime::since_unix_epoch(Duration::from_secs(time)),
            super::provider().signature_verification_algorithms.all,
        ) {
            Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
                not_before,
                ..
            })) => Ok(not_before.as_secs()),
            Err(Error::InvalidCertificate(CertificateError::ExpiredContext {
                not_after, ..
            })) => Ok(not_after.as_secs()),
            // It is good at that very time.
            Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) | Ok(()) => Ok(time),
            Err(error) => Err(error),
        };
        let timestamp = |seconds| {
            i64::try_from(seconds)
                .ok()
                .and_then(|seconds| Timestamp::from_second(seconds).ok())
                .unwrap_or(Timestamp::MAX)
        };
        Ok(Self { from: timestamp(seconds_at(0)?), until: timestamp(seconds_at(u64::MAX)?) })
    }

    /// Whether two thirds of the time are over: then there is time enough to renew it in peace.
    #[cfg(any(feature = "private-ca", feature = "acme"))]
    pub(super) fn is_due(self, now: Timestamp) -> bool {
        let whole = self.until.duration_since(self.from);
        now.duration_since(self.from) >= whole / 3 * 2
    }
}

/// Reads certificate and key from the texts of two files, which may be one, and sees whether they
/// can be served with now.
pub(super) fn read(
    certificate: (&Path, &[u8]),
    key: (&Path, &[u8]),
) -> Result<CertifiedKey, TlsError> {
    let (path, text) = certificate;
    let (key_path, key_text) = key;
    let chain = CertificateDer::pem_slice_iter(text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| not_pem(CERTIFICATE, path, text, &error))?;
    let Some(own) = chain.first() else {
        return Err(not_pem(CERTIFICATE, path, text, &pem::Error::NoItemsFound));
    };
    let private = PrivateKeyDer::from_pem_slice(key_text)
        .map_err(|error| not_pem(KEY, key_path, key_text, &error))?;
    let unusable = |what, path: &Path, error: &Error| TlsError::Unusable {
        what,
        path: path.to_owned(),
        problem: reason(error),
    };
    let validity = Validity::of(own).map_err(|error| unusable(CERTIFICATE, path, &error))?;
    let now = Timestamp::now();
    if now > validity.until {
        return Err(TlsError::Expired { path: path.to_owned(), until: validity.until });
    }
    if now < validity.from {
        return Err(TlsError::NotYet { path: path.to_owned(), from: validity.from });
    }
    CertifiedKey::from_der(chain, private, &super::provider()).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            TlsError::OtherKey { certificate: path.to_owned(), key: key_path.to_owned() }
        }
        error => unusable(KEY, key_path, &error),
    })
}

/// What is wrong with a certificate or key, in the words of the library, which speaks of those of
/// others.
pub(super) fn reason(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(kind) => format!("it is no certificate that serves ({kind:?})"),
        error => error.to_string(),
    }
}

/// Whether clients that call the server by this name take the certificate for its.
pub(super) fn is_for(certificate: &CertifiedKey, host: &str) -> bool {
    let name = host.trim_matches(['[', ']']);
    let parsed = certificate.end_entity_cert().and_then(ParsedCertificate::try_from);
    match (parsed, ServerName::try_from(name)) {
        (Ok(parsed), Ok(name)) => verify_server_name(&parsed, &name).is_ok(),
        _ => false,
    }
}

/// Says what a file holds instead, without quoting any of it: it may be a key.
fn not_pem(what: &'static str, path: &Path, text: &[u8], error: &pem::Error) -> TlsError {
    let text = String::from_utf8_lossy(text);
    let has = |label: &str| text.contains(&format!("{label}-----"));
    let problem = if text.trim().is_empty() {
        "it is empty".to_owned()
    } else if what == KEY && has("ENCRYPTED PRIVATE KEY") {
        "the key is encrypted; write it in the clear with `openssl pkey`, for the server's user \
         alone to read"
            .to_owned()
    } else if what == KEY && has("CERTIFICATE") {
        "it holds a certificate; give the key's file".to_owned()
    } else if what == CERTIFICATE && has("PRIVATE KEY") {
        "it holds a key; give the certificate's file".to_owned()
    } else if text.contains("-----BEGIN") && !matches!(error, pem::Error::NoItemsFound) {
        "it is damaged; copy it again".to_owned()
    } else {
        format!("there is no line `-----BEGIN {}-----`; is it DER?", what.to_uppercase())
    };
    TlsError::NotPem { what, path: path.to_owned(), problem }
}
