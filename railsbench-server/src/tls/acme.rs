//! A certificate from a CA that speaks ACME (RFC 8555), proven by TLS-ALPN-01 (RFC 8737): the CA
//! makes a connection to port 443 of the domain, which this server answers itself.
//!
//! Account and certificate are kept in `acme/` of the data folder: CAs count how often they are
//! asked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount,
    NewOrder, Order, OrderStatus, RetryPolicy,
};
use jiff::Timestamp;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::CertifiedKey;

use super::current::Current;
use super::{Place, TlsError, certificate};
use crate::data_dir::write_secret;

/// The directory of Let's Encrypt.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// How often it is looked whether the certificate must be renewed.
const LOOK_EVERY: Duration = Duration::from_hours(1);
/// The first pause after a failure. It doubles: Let's Encrypt takes five failures in an hour.
const FIRST_PAUSE: Duration = Duration::from_mins(2);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_hours(12);

/// The kept account.
const ACCOUNT: &str = "account.json";
/// The kept certificate with its issuers and its key.
const CERTIFICATE: &str = "certificate.pem";

/// A certificate from a CA that speaks ACME. Who asks for one agrees to that CA's terms.
#[derive(Debug, Clone)]
pub struct AcmeConfig {
    /// The domains that the certificate is for; at least one.
    pub domains: Vec<String>,
    /// Whom the CA may write to, as an e-mail address.
    pub contact: Option<String>,
    /// URL of the CA's directory, e.g. [`LETS_ENCRYPT`].
    pub directory: String,
    /// File with the only CA that is trusted when the directory is called, in PEM; those that
    /// this system trusts otherwise.
    pub directory_ca: Option<PathBuf>,
}

/// The CA, as seen from here.
pub(super) struct Acme {
    config: AcmeConfig,
    folder: PathBuf,
}

/// Why no certificate was got this time.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Acme(#[from] instant_acme::Error),
    #[error(transparent)]
    Proof(#[from] rcgen::Error),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
    #[error("the CA does not take TLS-ALPN-01 as proof for {0}")]
    NoWay(String),
    #[error("the CA's order is {0:?}, and cannot be finished")]
    Order(OrderStatus),
}

impl Acme {
    /// Makes the folder. Calls nobody yet.
    pub(super) fn open(config: AcmeConfig, place: &Place<'_>) -> Result<Self, TlsError> {
        use std::os::unix::fs::DirBuilderExt;
        for name in &config.domains {
            let is_domain =
                matches!(ServerName::try_from(name.as_str()), Ok(ServerName::DnsName(_)));
            if !is_domain || !name.contains('.') {
                return Err(TlsError::BadName { name: name.clone() });
            }
        }
        if let Some(path) = &config.directory_ca {
            std::fs::read(path).map_err(|source| TlsError::Unreadable {
                what: "CA certificate",
                path: path.clone(),
                source,
            })?;
        }
        let folder = place.data.join("acme");
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(
            |error| TlsError::Acme {
                action: "make the folder",
                path: folder.clone(),
                problem: error.to_string(),
            },
        )?;
        Ok(Self { config, folder })
    }

    /// The certificate of an earlier start, if it is still good and for these domains.
    pub(super) fn kept(&self) -> Option<CertifiedKey> {
        let path = self.folder.join(CERTIFICATE);
        let text = std::fs::read(&path).ok()?;
        match certificate::read((&path, &text), (&path, &text)) {
            Ok(kept) => {
                let mut domains = self.config.domains.iter();
                domains.all(|domain| certificate::is_for(&kept, domain)).then_some(kept)
            }
            Err(error) => {
                tracing::warn!(%error, "the kept certificate is not used");
                None
            }
        }
    }

    /// Gets a certificate whenever there is none or most of its time is over.
    pub(super) async fn renew(&self, current: &Current) {
        let mut pause = FIRST_PAUSE;
        loop {
            if !current.is_due(Timestamp::now()) {
                tokio::time::sleep(LOOK_EVERY).await;
                continue;
            }
            let domains = self.config.domains.join(", ");
            let got = self.get(current).await;
            current.proven();
            match got {
                Ok(certificate) => {
                    current.put(certificate);
                    pause = FIRST_PAUSE;
                    tracing::info!(domains, "there is a new certificate");
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Err(error) => {
                    tracing::error!(
                        domains,
                        directory = self.config.directory,
                        again_in = format!("{} min", pause.as_secs() / 60),
                        "cannot get a certificate: {error}; the domain must lead to this server, \
                         with port 443 open to all"
                    );
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Proves that the domains are this server's, and gets a certificate for them.
    async fn get(&self, current: &Current) -> Result<CertifiedKey, Refusal> {
        let account = self.account().await?;
        let domains = &self.config.domains;
        let identifiers: Vec<_> = domains.iter().cloned().map(Identifier::Dns).collect();
        let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
        prove(&mut order, current).await?;
        match order.poll_ready(&RetryPolicy::default()).await? {
            OrderStatus::Ready | OrderStatus::Valid => {}
            status => return Err(Refusal::Order(status)),
        }
        let key = order.finalize().await?;
        let chain = order.poll_certificate(&RetryPolicy::default()).await?;
        let pem = format!("{chain}\n{key}");
        let path = self.folder.join(CERTIFICATE);
        let got = certificate::read((&path, pem.as_bytes()), (&path, pem.as_bytes()))?;
        self.keep(CERTIFICATE, pem.as_bytes())?;
        Ok(got)
    }

    /// The account of an earlier start, or a new one.
    async fn account(&self) -> Result<Account, Refusal> {
        let builder = match &self.config.directory_ca {
            Some(path) => Account::builder_with_root(path)?,
            None => Account::builder()?,
        };
        let kept = std::fs::read(self.folder.join(ACCOUNT)).ok();
        if let Some(kept) = kept.and_then(|kept| serde_json::from_slice::<Kept>(&kept).ok())
            && kept.directory == self.config.directory
        {
            return Ok(builder.from_credentials(kept.credentials).await?);
        }
        let contact = self.config.contact.as_ref().map(|address| format!("mailto:{address}"));
        let contact: Vec<&str> = contact.as_deref().into_iter().collect();
        let wanted = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let directory = self.config.directory.clone();
        let (account, credentials) = builder.create(&wanted, directory.clone(), None).await?;
        let kept = serde_json::to_vec(&Kept { directory, credentials })
            .map_err(|error| self.not_kept(ACCOUNT, error.to_string()))?;
        self.keep(ACCOUNT, &kept)?;
        Ok(account)
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), TlsError> {
        write_secret(&self.folder, name, bytes)
            .map_err(|error| self.not_kept(name, error.to_string()))
    }

    fn not_kept(&self, name: &str, problem: String) -> TlsError {
        TlsError::Acme { action: "keep", path: Path::new(&self.folder).join(name), problem }
    }
}

/// The account as it is kept: another directory has other accounts.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    directory: String,
    credentials: AccountCredentials,
}

/// Shows what proves that each domain is this server's, and has the CA look.
async fn prove(order: &mut Order, current: &Current) -> Result<(), Refusal> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let domain = authorization.identifier().to_string();
        let Some(mut challenge) = authorization.challenge(ChallengeType::TlsAlpn01) else {
            return Err(Refusal::NoWay(domain));
        };
        let proof = proof(&domain, challenge.key_authorization().digest().as_ref())?;
        current.prove(domain, proof);
        challenge.set_ready().await?;
    }
    Ok(())
}

/// The certificate that says so (RFC 8737, section 3).
fn proof(domain: &str, digest: &[u8]) -> Result<CertifiedKey, Refusal> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([domain.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let chain = vec![params.self_signed(&key)?.into()];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    // What else would check that the two belong together does not know that extension.
    Ok(CertifiedKey::new(chain, super::provider().key_provider.load_private_key(key)?))
}
