//! The certificate that new connections are made with.

use std::sync::Arc;

#[cfg(any(feature = "private-ca", feature = "acme"))]
use jiff::Timestamp;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

#[cfg(any(feature = "private-ca", feature = "acme"))]
use super::certificate::Validity;

/// The protocol by which an ACME server asks for proof (RFC 8737).
#[cfg(feature = "acme")]
pub(super) const CHALLENGE: &[u8] = b"acme-tls/1";

/// The certificate in use; there is none until ACME has given the first.
#[derive(Debug)]
pub(super) struct Current {
    certificate: watch::Sender<Option<Arc<CertifiedKey>>>,
    /// Proofs for an ACME server, by domain.
    #[cfg(feature = "acme")]
    proofs: watch::Sender<std::collections::HashMap<String, Arc<CertifiedKey>>>,
}

impl Default for Current {
    fn default() -> Self {
        Self {
            certificate: watch::Sender::new(None),
            #[cfg(feature = "acme")]
            proofs: watch::Sender::default(),
        }
    }
}

impl Current {
    /// From now on connections are made with this one.
    pub(super) fn put(&self, certificate: CertifiedKey) {
        self.certificate.send_replace(Some(Arc::new(certificate)));
    }

    /// Whether it is time to renew the certificate in use; it is if there is none.
    #[cfg(any(feature = "private-ca", feature = "acme"))]
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let current = self.certificate.borrow().clone();
        current.is_none_or(|current| {
            let own = current.end_entity_cert();
            own.and_then(Validity::of).is_ok_and(|validity| validity.is_due(now))
        })
    }

    /// Shows a proof to whoever asks for it.
    #[cfg(feature = "acme")]
    pub(super) fn prove(&self, domain: String, proof: CertifiedKey) {
        self.proofs.send_modify(|proofs| {
            proofs.insert(domain, Arc::new(proof));
        });
    }

    /// Shows no proof any more.
    #[cfg(feature = "acme")]
    pub(super) fn proven(&self) {
        self.proofs.send_modify(std::collections::HashMap::clear);
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        #[cfg(feature = "acme")]
        if hello.alpn().is_some_and(|mut offered| offered.all(|name| name == CHALLENGE)) {
            return self.proofs.borrow().get(hello.server_name()?).cloned();
        }
        let _ = hello;
        self.certificate.borrow().clone()
    }
}
