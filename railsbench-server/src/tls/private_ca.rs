//! A CA of the server's own, and the certificates that it issues to the server.
//!
//! The CA's key stays in the data folder; its certificate goes to all who call the server. What
//! it issues is held in memory only, and made anew at each start and long before it ends.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
use railsbench_core::provider::CaCertificate;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;

use super::certificate::{self, Validity};
use super::current::Current;
use super::{Place, TlsError};

/// The file of the CA's certificate in the data folder.
const CERTIFICATE: &str = "ca.pem";
/// The file of the CA's key in the data folder.
const KEY: &str = "ca.key";

/// How long the CA is good: longer than any orchestrator lives.
const CA_YEARS: i64 = 10;
/// How long a certificate of the server is good.
const CERTIFICATE_DAYS: i64 = 30;
/// Clocks of machines that have just booted may be slow by this.
const SLOW_DAYS: i64 = 1;

/// How often it is looked whether the certificate must be renewed.
const LOOK_EVERY: Duration = Duration::from_hours(1);

/// The CA, and the names that it certifies.
pub(super) struct PrivateCa {
    issuer: Issuer<'static, KeyPair>,
    certificate: CaCertificate,
    der: CertificateDer<'static>,
    names: Vec<String>,
    folder: PathBuf,
}

impl PrivateCa {
    /// The CA of a data folder; made if there is none.
    pub(super) fn open(place: &Place<'_>, more_names: &[String]) -> Result<Self, TlsError> {
        let folder = place.data.path().to_owned();
        let wrong = |problem: String| TlsError::PrivateCa { path: folder.clone(), problem };
        let names = names(&place.hosts, more_names)?;
        let keep = |name: &str, fresh: &str| {
            place
                .data
                .keep(name, fresh.as_bytes())
                .and_then(|bytes| String::from_utf8(bytes).map_err(std::io::Error::other))
                .map_err(|error| wrong(format!("{name} cannot be kept: {error}")))
        };
        let fresh = KeyPair::generate().map_err(|error| wrong(error.to_string()))?;
        let key = KeyPair::from_pem(&keep(KEY, &fresh.serialize_pem())?)
            .map_err(|error| wrong(format!("{KEY} holds no key: {error}; {RESTORE}")))?;
        let fresh = authority().self_signed(&key).map_err(|error| wrong(error.to_string()))?;
        let pem = keep(CERTIFICATE, &fresh.pem())?;
        let damaged =
            |error: String| wrong(format!("{CERTIFICATE} is damaged: {error}; {RESTORE}"));
        let certificate: CaCertificate =
            pem.parse().map_err(|error: railsbench_core::provider::CaCertificateError| {
                damaged(error.to_string())
            })?;
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| damaged(error.to_string()))?;
        let issuer = Issuer::new(authority(), key);
        let ca = Self { issuer, certificate, der, names, folder };
        let until = ca.validity()?.until;
        if Timestamp::now() > until {
            let day = until.strftime("%Y-%m-%d");
            return Err(ca.wrong(format!("its certificate has expired on {day}; {RENEW}")));
        }
        Ok(ca)
    }

    /// What clients must be given.
    pub(super) fn certificate(&self) -> &CaCertificate {
        &self.certificate
    }

    /// A fresh certificate for the server.
    pub(super) fn issue(&self) -> Result<CertifiedKey, TlsError> {
        let refused = |error: rcgen::Error| self.wrong(error.to_string());
        let key = KeyPair::generate().map_err(refused)?;
        let mut params = CertificateParams::new(self.names.clone()).map_err(refused)?;
        params.distinguished_name = named("railsbench-server");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        set_period(&mut params, CERTIFICATE_DAYS.days());
        let certificate = params.signed_by(&key, &self.issuer).map_err(refused)?;
        self.check(certificate.der())?;
        let chain = vec![certificate.into()];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        CertifiedKey::from_der(chain, key, &super::provider())
            .map_err(|error| self.wrong(error.to_string()))
    }

    /// Issues a certificate whenever most of the time of the one in use is over.
    pub(super) async fn renew(&self, current: &Current) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            if !current.is_due(Timestamp::now()) {
                continue;
            }
            match self.issue() {
                Ok(certificate) => {
                    current.put(certificate);
                    tracing::info!("the private CA has issued the next certificate");
                }
                Err(error) => tracing::error!(%error, "the certificate is not renewed"),
            }
        }
    }

    /// Sees that clients who trust the CA's certificate trust what its key has signed.
    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), TlsError> {
        let verify = || {
            let mut roots = RootCertStore::empty();
            roots.add(self.der.clone())?;
            verify_server_cert_signed_by_trust_anchor(
                &ParsedCertificate::try_from(certificate)?,
                &roots,
                &[],
                UnixTime::now(),
                super::provider().signature_verification_algorithms.all,
            )
        };
        verify().map_err(|error| {
            let reason = certificate::reason(&error);
            self.wrong(format!("{CERTIFICATE} is not of {KEY}: {reason}; {RESTORE}"))
        })
    }

    fn validity(&self) -> Result<Validity, TlsError> {
        Validity::of(&self.der).map_err(|error| {
            let reason = certificate::reason(&error);
            self.wrong(format!("{CERTIFICATE} is damaged: {reason}; {RESTORE}"))
        })
    }

    fn wrong(&self, problem: String) -> TlsError {
        TlsError::PrivateCa { path: self.folder.clone(), problem }
    }
}

const RESTORE: &str = "restore ca.key and ca.pem from one backup, or remove both and give \
                       clients the new ca.pem";
const RENEW: &str = "remove ca.key and ca.pem, and give clients the new ca.pem";

/// What is the same in all certificates of such CAs. Only key and time differ, so that the key
/// alone is enough to issue.
fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("railsbench private CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_period(&mut params, CA_YEARS.years());
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}

/// Makes it good from a little before today on for so long, in whole days.
fn set_period(params: &mut CertificateParams, length: Span) {
    let today = TimeZone::UTC.to_datetime(Timestamp::now()).date();
    let at = |date: Date| {
        let (year, month, day) = (date.year(), date.month(), date.day());
        rcgen::date_time_ymd(year.into(), month.unsigned_abs(), day.unsigned_abs())
    };
    params.not_before = at(today.saturating_sub(SLOW_DAYS.days()));
    params.not_after = at(today.saturating_add(length));
}

/// Everything by which clients may call the server, each once.
fn names(hosts: &[String], more: &[String]) -> Result<Vec<String>, TlsError> {
    let own =
        ["localhost".to_owned(), Ipv4Addr::LOCALHOST.to_string(), Ipv6Addr::LOCALHOST.to_string()];
    let mut names: Vec<String> = Vec::new();
    for name in hosts.iter().chain(more).chain(&own) {
        let name = name.trim_matches(['[', ']']).trim_end_matches('.').to_lowercase();
        if ServerName::try_from(name.as_str()).is_err() {
            return Err(TlsError::BadName { name });
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}
