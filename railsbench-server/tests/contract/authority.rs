//! CAs and certificates that exist in tests only.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// A CA.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

/// What a CA has issued.
pub struct Issued {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for these names that is good now.
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.issue_for_years(names, 2020, 2099)
    }

    /// One that is good from the beginning of one year to that of another.
    pub fn issue_for_years(&self, names: &[&str], from: i32, until: i32) -> Issued {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Issued { certificate, key: key.serialize_pem() }
    }

    /// A client that trusts this CA and no other.
    pub fn client(&self) -> reqwest::ClientBuilder {
        trusting(&self.pem)
    }
}

impl Issued {
    /// Puts it where a server looks, each file at once.
    pub fn write(&self, folder: &Path) {
        self.write_certificate(folder);
        replace(&folder.join("key.pem"), &self.key);
    }

    pub fn write_certificate(&self, folder: &Path) {
        replace(&folder.join("cert.pem"), &self.certificate);
    }
}

fn replace(path: &Path, text: &str) {
    std::fs::write(path.with_extension("new"), text).unwrap();
    std::fs::rename(path.with_extension("new"), path).unwrap();
}

/// A client that trusts the CA of this certificate and no other.
pub fn trusting(pem: &str) -> reqwest::ClientBuilder {
    drop(crate::support::client());
    let root = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    reqwest::Client::builder()
        .no_proxy()
        .timeout(std::time::Duration::from_mins(1))
        .tls_certs_only([root])
}

/// What went wrong at the bottom of it.
pub fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
