//! What the operator's environment says of Heroku: where, as whom, for which team.

use std::path::PathBuf;

use async_trait::async_trait;
use railsbench_core::provider::ProviderError;
use secrecy::SecretString;
use url::{Host, Url};

use super::naming::provider_name;
use crate::rest::TokenSource;

/// Where the Platform API is.
const API_URL: &str = "https://api.heroku.com/";

/// The machine whose password in `~/.netrc` is the token, as the Heroku CLI writes it.
const NETRC_MACHINE: &str = "api.heroku.com";

/// What the operator's environment says of Heroku.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Base URL of the Platform API.
    pub api_url: String,
    /// Team that apps belong to; the account's own if absent.
    pub team: Option<String>,
    /// Private space that apps run in; the common runtime if absent.
    pub space: Option<String>,
    /// The API token, where it is not looked for in `netrc`.
    pub api_key: Option<SecretString>,
    /// The file that the Heroku CLI keeps the token in.
    pub netrc: Option<PathBuf>,
}

impl Settings {
    /// Reads `HEROKU_API_KEY`, `HEROKU_TEAM` (or, as the Heroku CLI does, `HEROKU_ORGANIZATION`),
    /// `HEROKU_SPACE`, `HEROKU_API_URL`, and `NETRC` or `HOME`; an empty variable is absent.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let lookup = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let home = || lookup("HOME").map(|home| PathBuf::from(home).join(".netrc"));
        Self {
            api_url: lookup("HEROKU_API_URL").unwrap_or_else(|| API_URL.to_owned()),
            team: lookup("HEROKU_TEAM").or_else(|| lookup("HEROKU_ORGANIZATION")),
            space: lookup("HEROKU_SPACE"),
            api_key: lookup("HEROKU_API_KEY").map(|key| key.trim().to_owned().into()),
            netrc: lookup("NETRC").map(PathBuf::from).or_else(home),
        }
    }

    /// Whether the Platform API is on this host, as that of an emulator is.
    pub(super) fn is_emulated(&self) -> bool {
        self.api_url.parse::<Url>().is_ok_and(|url| match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        })
    }
}

/// The token of the Heroku CLI's chain: `HEROKU_API_KEY`, else `~/.netrc`. It is read anew for
/// each call, so that a login during a run is noticed.
pub(super) struct HerokuToken {
    pub(super) api_key: Option<SecretString>,
    pub(super) netrc: Option<PathBuf>,
}

#[async_trait]
impl TokenSource for HerokuToken {
    async fn token(&self) -> Result<SecretString, ProviderError> {
        if let Some(key) = &self.api_key {
            return Ok(key.clone());
        }
        let missing = |place: String| ProviderError::Credentials {
            provider: provider_name(),
            problem: format!("HEROKU_API_KEY is not set, and {place}"),
            fix: "run `heroku login`, or set HEROKU_API_KEY to what \
                  `heroku authorizations:create` prints"
                .to_owned(),
        };
        let path =
            self.netrc.as_ref().ok_or_else(|| missing("there is no home folder".to_owned()))?;
        let text = tokio::fs::read_to_string(path)
            .await
            .map_err(|error| missing(format!("{} cannot be read: {error}", path.display())))?;
        password(&text, NETRC_MACHINE)
            .map(SecretString::from)
            .ok_or_else(|| missing(format!("{} has no {NETRC_MACHINE}", path.display())))
    }

    async fn refused(&self) -> bool {
        false
    }
}

/// The password of a machine in a netrc file: words apart by white space, in any order after the
/// machine's name.
fn password(netrc: &str, machine: &str) -> Option<String> {
    let mut words = netrc
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(str::split_whitespace);
    let mut ours = false;
    while let Some(word) = words.next() {
        match word {
            "machine" => ours = words.next() == Some(machine),
            "default" => ours = false,
            "password" if ours => return words.next().map(str::to_owned),
            "login" | "account" | "password" => {
                words.next();
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        Settings::from_variables(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn variables_are_read_and_empty_ones_are_absent() {
        let none = settings(&[("HEROKU_TEAM", " "), ("HEROKU_API_KEY", "")]);
        assert_eq!(none.api_url, "https://api.heroku.com/");
        assert!(none.team.is_none() && none.space.is_none() && none.api_key.is_none());
        assert!(none.netrc.is_none());
        let all = settings(&[
            ("HEROKU_API_KEY", "key\n"),
            ("HEROKU_ORGANIZATION", "ours"),
            ("HEROKU_SPACE", "quiet"),
            ("HEROKU_API_URL", "http://127.0.0.1:1"),
            ("HOME", "/home/me"),
        ]);
        assert_eq!(all.api_url, "http://127.0.0.1:1");
        assert!(all.is_emulated() && !none.is_emulated());
        assert_eq!(all.team.as_deref(), Some("ours"));
        assert_eq!(all.space.as_deref(), Some("quiet"));
        assert_eq!(all.netrc.as_deref(), Some(std::path::Path::new("/home/me/.netrc")));
        assert!(!format!("{all:?}").contains("\"key\""), "{all:?}");
        assert_eq!(all.api_key.unwrap().expose_secret(), "key");
    }

    #[test]
    fn the_password_of_the_machine_is_found() {
        let file = "# machine api.heroku.com password commented\n\
                    machine git.heroku.com\n  login a\n  password wrong\n\
                    machine api.heroku.com\n  login password\n  password right\n\
                    default login b password other\n";
        assert_eq!(password(file, NETRC_MACHINE).as_deref(), Some("right"));
        let one_line = "machine api.heroku.com password right login x";
        assert_eq!(password(one_line, NETRC_MACHINE).as_deref(), Some("right"));
        for none in [
            "",
            "machine api.heroku.com",
            "machine x password y",
            "default password z",
            "machine api.heroku.com login a\nmachine b password c",
            "machine api.heroku.com password",
        ] {
            assert_eq!(password(none, NETRC_MACHINE), None, "{none:?}");
        }
    }

    #[tokio::test]
    async fn the_chain_is_key_then_file_then_an_error_with_the_fix() {
        let folder = tempfile::tempdir().unwrap();
        let netrc = folder.path().join("netrc");
        std::fs::write(&netrc, "machine api.heroku.com login me password filed").unwrap();
        let ask = async |api_key: Option<&str>, netrc: Option<&std::path::Path>| {
            HerokuToken {
                api_key: api_key.map(SecretString::from),
                netrc: netrc.map(PathBuf::from),
            }
            .token()
            .await
            .map(|token| token.expose_secret().to_owned())
            .map_err(|error| error.to_string())
        };
        assert_eq!(ask(Some("given"), Some(&netrc)).await.unwrap(), "given");
        assert_eq!(ask(None, Some(&netrc)).await.unwrap(), "filed");
        for wrong in [None, Some(std::path::Path::new("/nonexistent/netrc"))] {
            let error = ask(None, wrong).await.unwrap_err();
            assert!(error.contains("heroku login"), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_netrc_panics(text in "(machine|login|password|default|api.heroku.com|[ \n#x]){0,20}") {
            let _ = password(&text, NETRC_MACHINE);
        }
    }
}
