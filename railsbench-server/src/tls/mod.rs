//! HTTPS: where the server's certificate comes from, how it is kept fresh, and how connections
//! are made with it.
//!
//! A certificate is only looked at when a connection is made, so a new one takes nothing from
//! connections that are there already.

#[cfg(feature = "acme")]
mod acme;
mod certificate;
mod current;
mod error;
mod files;
mod listener;
#[cfg(feature = "private-ca")]
mod private_ca;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use railsbench_core::provider::CaCertificate;
use rustls::crypto::CryptoProvider;

use crate::data_dir::DataDir;
use current::Current;
use files::Files;

#[cfg(feature = "acme")]
pub use acme::{AcmeConfig, LETS_ENCRYPT};
pub use error::TlsError;
pub(crate) use listener::TlsListener;

/// Where the server's certificate comes from.
#[derive(Debug, Clone)]
pub enum TlsConfig {
    /// From files that someone else renews; they are read again when they have changed.
    Files {
        /// The certificate and those of its issuers, in PEM, the server's own first.
        certificate: PathBuf,
        /// Its private key, in PEM and not encrypted.
        key: PathBuf,
    },
    /// From a CA of the server's own, which it keeps in its data folder as `ca.pem` and `ca.key`.
    /// Clients must be given `ca.pem`.
    #[cfg(feature = "private-ca")]
    PrivateCa {
        /// Names and addresses by which clients call the server, besides those of
        /// [`crate::ServerConfig::listen`] and [`crate::ServerConfig::public_url`].
        names: Vec<String>,
    },
    /// From a CA that speaks ACME, as Let's Encrypt does (RFC 8555). The CA calls port 443 of
    /// each domain to see that it is this server's.
    #[cfg(feature = "acme")]
    Acme(AcmeConfig),
}

/// What is known of a server that certificates are for.
pub(crate) struct Place<'a> {
    #[cfg_attr(
        not(any(feature = "private-ca", feature = "acme")),
        expect(dead_code, reason = "only what makes or gets certificates keeps something")
    )]
    pub(crate) data: &'a DataDir,
    /// The hosts of its public URL and of its address, as far as there are any.
    pub(crate) hosts: Vec<String>,
}

/// The certificate that is in use, and where the next one comes from.
pub(crate) struct Tls {
    current: Arc<Current>,
    source: Source,
}

enum Source {
    Files(Files),
    #[cfg(feature = "private-ca")]
    PrivateCa(Box<private_ca::PrivateCa>),
    #[cfg(feature = "acme")]
    Acme(Box<acme::Acme>),
}

impl Tls {
    /// Gets a certificate, or with ACME what is needed to get one.
    pub(crate) fn new(config: &TlsConfig, place: &Place<'_>) -> Result<Self, TlsError> {
        let current = Arc::new(Current::default());
        let source = match config {
            TlsConfig::Files { certificate, key } => {
                let files = Files::new(certificate.clone(), key.clone());
                let loaded = files.load()?;
                if let Some(host) = place.hosts.first()
                    && !certificate::is_for(&loaded, host)
                {
                    tracing::warn!(
                        path = %certificate.display(),
                        "clients that call {host} do not take this certificate, which is for \
                         other names"
                    );
                }
                current.put(loaded);
                Source::Files(files)
            }
            #[cfg(feature = "private-ca")]
            TlsConfig::PrivateCa { names } => {
                let ca = private_ca::PrivateCa::open(place, names)?;
                current.put(ca.issue()?);
                Source::PrivateCa(Box::new(ca))
            }
            #[cfg(feature = "acme")]
            TlsConfig::Acme(config) => {
                let acme = acme::Acme::open(config.clone(), place)?;
                if let Some(kept) = acme.kept() {
                    current.put(kept);
                }
                Source::Acme(Box::new(acme))
            }
        };
        Ok(Self { current, source })
    }

    /// How connections are made.
    pub(crate) fn server_config(&self) -> Result<rustls::ServerConfig, TlsError> {
        let mut config = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Setup(error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(self.current.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        #[cfg(feature = "acme")]
        if let Source::Acme(_) = self.source {
            config.alpn_protocols.push(current::CHALLENGE.to_vec());
        }
        Ok(config)
    }

    /// The CA that clients must be given.
    pub(crate) fn ca_certificate(&self) -> Option<&CaCertificate> {
        match &self.source {
            #[cfg(feature = "private-ca")]
            Source::PrivateCa(ca) => Some(ca.certificate()),
            _ => None,
        }
    }

    /// Takes the certificate that is there now. If it is no good, the one in use stays.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        match &self.source {
            Source::Files(files) => self.current.put(files.load()?),
            #[cfg(feature = "private-ca")]
            Source::PrivateCa(ca) => self.current.put(ca.issue()?),
            // It is renewed in time by itself, and its CA counts how often it is asked.
            #[cfg(feature = "acme")]
            Source::Acme(_) => {}
        }
        Ok(())
    }

    /// Keeps the certificate fresh for as long as it is polled.
    pub(crate) async fn keep_fresh(&self, look_every: Duration) {
        match &self.source {
            Source::Files(files) => files.watch(&self.current, look_every).await,
            #[cfg(feature = "private-ca")]
            Source::PrivateCa(ca) => ca.renew(&self.current).await,
            #[cfg(feature = "acme")]
            Source::Acme(acme) => acme.renew(&self.current).await,
        }
    }
}

/// The one implementation of cryptography that the workspace builds.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
