//! Which certificate the server has, as the options say.

use railsbench_server::TlsConfig;

use super::{Options, OptionsError};

impl Options {
    /// The one way that is chosen, if any.
    pub(super) fn tls(&self) -> Result<Option<TlsConfig>, OptionsError> {
        let mut ways: Vec<(&'static str, TlsConfig)> = Vec::new();
        match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => {
                let (certificate, key) = (certificate.clone(), key.clone());
                ways.push(("--tls-cert", TlsConfig::Files { certificate, key }));
            }
            (Some(_), None) => {
                return Err(OptionsError::HalfPair { given: "--tls-cert", missing: "--tls-key" });
            }
            (None, Some(_)) => {
                return Err(OptionsError::HalfPair { given: "--tls-key", missing: "--tls-cert" });
            }
            (None, None) => {}
        }
        #[cfg(feature = "private-ca")]
        ways.extend(self.private_ca()?.map(|config| ("--tls-private-ca", config)));
        #[cfg(feature = "acme")]
        ways.extend(self.acme()?.map(|config| ("--acme-domain", config)));
        let mut ways = ways.into_iter();
        match (ways.next(), ways.next()) {
            (Some((one, _)), Some((other, _))) => Err(OptionsError::TwoCertificates(one, other)),
            (way, _) => Ok(way.map(|(_, config)| config)),
        }
    }

    #[cfg(feature = "private-ca")]
    fn private_ca(&self) -> Result<Option<TlsConfig>, OptionsError> {
        let names = self.tls_name.clone();
        match self.tls_private_ca {
            Some(true) => Ok(Some(TlsConfig::PrivateCa { names })),
            _ if names.is_empty() => Ok(None),
            _ => Err(OptionsError::Idle { option: "--tls-name", needed: "--tls-private-ca" }),
        }
    }

    #[cfg(feature = "acme")]
    fn acme(&self) -> Result<Option<TlsConfig>, OptionsError> {
        use railsbench_server::{AcmeConfig, LETS_ENCRYPT};
        if self.acme_domain.is_empty() {
            let idle = [
                ("--acme-contact", self.acme_contact.is_some()),
                ("--acme-directory", self.acme_directory.is_some()),
                ("--acme-directory-ca", self.acme_directory_ca.is_some()),
            ];
            let idle = idle.into_iter().find(|(_, given)| *given);
            return idle.map_or(Ok(None), |(option, _)| {
                Err(OptionsError::Idle { option, needed: "--acme-domain" })
            });
        }
        Ok(Some(TlsConfig::Acme(AcmeConfig {
            domains: self.acme_domain.clone(),
            contact: self.acme_contact.clone(),
            directory: self
                .acme_directory
                .as_ref()
                .map_or_else(|| LETS_ENCRYPT.to_owned(), ToString::to_string),
            directory_ca: self.acme_directory_ca.clone(),
        })))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn tls(flags: &[&str]) -> Result<Option<TlsConfig>, String> {
        let options = Options::try_parse_from([&["railsbench-server"], flags].concat()).unwrap();
        options.tls().map_err(|error| error.to_string())
    }

    #[test]
    fn without_an_option_there_is_no_certificate() {
        assert!(tls(&[]).unwrap().is_none());
    }

    #[test]
    fn a_certificate_needs_its_key() {
        let both = tls(&["--tls-cert", "a.pem", "--tls-key", "b.pem"]).unwrap();
        let Some(TlsConfig::Files { certificate, key }) = both else { panic!("{both:?}") };
        assert_eq!((certificate.to_str(), key.to_str()), (Some("a.pem"), Some("b.pem")));
        let half = tls(&["--tls-key", "b.pem"]).unwrap_err();
        assert_eq!(half, "--tls-key is given without --tls-cert: a certificate needs both");
        assert!(tls(&["--tls-cert", "a.pem"]).unwrap_err().contains("without --tls-key"));
    }

    #[cfg(feature = "private-ca")]
    #[test]
    fn names_are_for_the_private_ca() {
        let chosen = tls(&["--tls-private-ca", "--tls-name", "a", "--tls-name", "b,c"]).unwrap();
        let Some(TlsConfig::PrivateCa { names }) = chosen else { panic!("{chosen:?}") };
        assert_eq!(names, ["a", "b", "c"]);
        assert!(tls(&["--tls-private-ca", "false"]).unwrap().is_none());
        let idle = tls(&["--tls-name", "a"]).unwrap_err();
        assert_eq!(idle, "--tls-name means nothing without --tls-private-ca");
    }

    #[cfg(feature = "acme")]
    #[test]
    fn a_domain_is_certified_by_lets_encrypt_unless_another_is_named() {
        let chosen = tls(&["--acme-domain", "a.example", "--acme-contact", "me@a.example"]);
        let Ok(Some(TlsConfig::Acme(acme))) = chosen else { panic!("{chosen:?}") };
        assert_eq!(acme.domains, ["a.example"]);
        assert_eq!(acme.contact.as_deref(), Some("me@a.example"));
        assert!(acme.directory.contains("letsencrypt.org"));
        let other = ["--acme-domain", "a.example", "--acme-directory", "https://ca.example/dir"];
        let Ok(Some(TlsConfig::Acme(acme))) = tls(&other) else { panic!("no ACME") };
        assert_eq!(acme.directory, "https://ca.example/dir");
        let idle = tls(&["--acme-contact", "me@a.example"]).unwrap_err();
        assert_eq!(idle, "--acme-contact means nothing without --acme-domain");
    }

    #[cfg(feature = "private-ca")]
    #[test]
    fn a_server_has_one_certificate() {
        let two = tls(&["--tls-cert", "a", "--tls-key", "b", "--tls-private-ca"]).unwrap_err();
        assert!(two.starts_with("--tls-cert and --tls-private-ca are both given"), "{two}");
    }
}
