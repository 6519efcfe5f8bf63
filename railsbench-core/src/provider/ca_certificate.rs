//! The certificate of an orchestrator's own CA, on its way to those who trust it.

use std::fmt;
use std::str::FromStr;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// How long a line of PEM is, by RFC 7468, section 2.
const LINE: usize = 64;

/// Longest file that is taken, in bytes: user data has no room for more.
const LONGEST: usize = 8 << 10;

/// The certificate of a CA, or several, in PEM: `BEGIN CERTIFICATE` and base64. Whoever is given
/// one trusts nothing else when it calls the orchestrator. There is nothing secret in it.
///
/// It is parsed from PEM: comments around the certificates are left out and lines are wrapped
/// anew, so a shell script can hold it as it is. Whether the base64 is a certificate, only who
/// uses it can say.
#[derive(Clone, PartialEq, Eq)]
pub struct CaCertificate(String);

impl CaCertificate {
    /// In PEM, with a line end at its end.
    pub fn as_pem(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CaCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaCertificate").field("bytes", &self.0.len()).finish_non_exhaustive()
    }
}

/// A text that is no CA certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CaCertificateError {
    /// It holds none.
    #[error("it holds no certificate; it must be PEM, with a line {BEGIN:?}")]
    None,
    /// It holds the key of the CA, which must not travel.
    #[error("it holds a private key; give the file with the certificate alone")]
    PrivateKey,
    /// A certificate in it is not whole.
    #[error("certificate {0} in it is damaged; copy the file again")]
    Damaged(usize),
    /// It has no room in user data.
    #[error(
        "it is {0} bytes long, and at most {LONGEST} are taken; give the certificate of the \
         orchestrator's CA alone, not a bundle"
    )]
    TooLong(usize),
}

impl FromStr for CaCertificate {
    type Err = CaCertificateError;

    fn from_str(text: &str) -> Result<Self, CaCertificateError> {
        if text.contains("PRIVATE KEY-----") {
            return Err(CaCertificateError::PrivateKey);
        }
        let mut pem = String::new();
        let mut found = 0;
        let mut body: Option<String> = None;
        for line in text.lines().map(str::trim) {
            match (line, &mut body) {
                (BEGIN, None) => {
                    found += 1;
                    body = Some(String::new());
                }
                (END, Some(base64)) => {
                    if !is_der_in_base64(base64) {
                        return Err(CaCertificateError::Damaged(found));
                    }
                    append(&mut pem, base64);
                    body = None;
                }
                (BEGIN | END, _) => return Err(CaCertificateError::Damaged(found)),
                (line, Some(base64)) => base64.push_str(line),
                (_, None) => {}
            }
        }
        if body.is_some() {
            return Err(CaCertificateError::Damaged(found));
        }
        match pem.len() {
            0 => Err(CaCertificateError::None),
            length if length > LONGEST => Err(CaCertificateError::TooLong(length)),
            _ => Ok(Self(pem)),
        }
    }
}

/// Whether it looks like the base64 of a DER sequence of more than 127 bytes.
fn is_der_in_base64(text: &str) -> bool {
    let data = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - data.len() <= 2
        && data.starts_with("MI")
        && data.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

fn append(pem: &mut String, base64: &str) {
    pem.push_str(BEGIN);
    // It is ASCII, so it can be cut anywhere.
    for (place, character) in base64.chars().enumerate() {
        if place % LINE == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem.push('\n');
    pem.push_str(END);
    pem.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(base64: &str) -> String {
        format!("{BEGIN}\n{base64}\n{END}\n")
    }

    #[test]
    fn it_is_wrapped_anew_and_comments_are_left_out() {
        let body = "MI".to_owned() + &"Aa+/".repeat(20) + "A=";
        let text = format!("Subject: a CA\r\n{}\nand another\n{}", pem(&body), pem("MIAA"));
        let read: CaCertificate = text.replace('\n', "\r\n").parse().unwrap();
        let (first, rest) = body.split_at(64);
        assert_eq!(read.as_pem(), format!("{BEGIN}\n{first}\n{rest}\n{END}\n{}", pem("MIAA")));
        assert_eq!(read.as_pem().parse(), Ok(read.clone()));
    }

    #[test]
    fn what_is_none_is_refused_and_the_fix_is_said() {
        let parse = |text: &str| text.parse::<CaCertificate>().unwrap_err();
        assert_eq!(parse("hello"), CaCertificateError::None);
        let key = pem("MIAA") + "-----BEGIN EC PRIVATE KEY-----\nMIAA\n";
        assert_eq!(parse(&key), CaCertificateError::PrivateKey);
        for broken in [
            pem(""),
            pem("MIA"),
            pem("AAAA"),
            pem("MI$(touch broken)"),
            pem("MI==="),
            pem("MI\""),
            format!("{BEGIN}\nMIAA\n"),
            format!("{BEGIN}\nMIAA\n{}", pem("MIAA")),
            format!("MIAA\n{END}\n"),
        ] {
            let error = parse(&broken);
            assert!(matches!(error, CaCertificateError::Damaged(_)), "{broken:?}: {error}");
        }
        let long = pem(&("MIAA".to_owned() + &"A".repeat(LONGEST)));
        let error = parse(&long);
        assert!(matches!(error, CaCertificateError::TooLong(_)));
        assert!(error.to_string().contains("not a bundle"), "{error}");
    }

    proptest::proptest! {
        /// Whatever is read, a script can hold what comes of it.
        #[test]
        fn no_text_panics_or_brings_in_other_characters(
            text in "(-----BEGIN CERTIFICATE-----\n(MI[A-Za-z\"$`=\n]{0,9}\n)?(-----END CERTIFICATE-----\n)?.{0,9}){0,3}"
        ) {
            if let Ok(read) = text.parse::<CaCertificate>() {
                let tame = |c: char| c.is_ascii_alphanumeric() || "+/=- \n".contains(c);
                proptest::prop_assert!(read.as_pem().chars().all(tame));
            }
        }
    }
}
