//! What is found of Heroku's settings without a call: the token, and the team and space if any.

use railsbench_core::provider::{ProviderError, Setting, Setup};

use super::settings::{HerokuToken, Settings};
use crate::rest::TokenSource;

const CREDENTIALS: &str = "credentials";

pub(super) async fn setup(settings: &Settings) -> Setup {
    let token = HerokuToken { api_key: settings.api_key.clone(), netrc: settings.netrc.clone() };
    // It is in the environment or a file: nobody is called for it.
    let credentials = match token.token().await {
        Ok(_) => Setting::found(
            CREDENTIALS,
            match (&settings.api_key, &settings.netrc) {
                (None, Some(netrc)) => netrc.display().to_string(),
                _ => "HEROKU_API_KEY".to_owned(),
            },
        ),
        Err(ProviderError::Credentials { problem, fix, .. }) => {
            Setting::missing(CREDENTIALS, problem, fix)
        }
        Err(error) => Setting::missing(CREDENTIALS, error.to_string(), "run `heroku login`"),
    };
    let chosen = [("team", &settings.team), ("space", &settings.space)];
    let chosen = chosen
        .into_iter()
        .filter_map(|(name, value)| Some(Setting::found(name, value.as_deref()?)));
    Setup { settings: std::iter::once(credentials).chain(chosen).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(variables: &[(&str, &str)]) -> Vec<Setting> {
        let settings = Settings::from_variables(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        let setup = setup(&settings).await;
        assert!(!format!("{setup:?}").contains("hush"), "{setup:?}");
        setup.settings
    }

    #[tokio::test]
    async fn the_place_of_the_token_is_named_and_not_the_token() {
        let folder = tempfile::tempdir().unwrap();
        let netrc = folder.path().join("netrc");
        let path = netrc.to_str().unwrap();
        let missing = of(&[("NETRC", path)]).await.remove(0);
        let said = format!("{missing:?}");
        assert!(said.contains("heroku login") && said.contains(path), "{said}");
        std::fs::write(&netrc, "machine api.heroku.com login me password hush").unwrap();
        assert_eq!(of(&[("NETRC", path)]).await, [Setting::found(CREDENTIALS, path)]);
        let all = [("HEROKU_API_KEY", "hush"), ("HEROKU_TEAM", "ours"), ("NETRC", path)];
        let expected =
            [Setting::found(CREDENTIALS, "HEROKU_API_KEY"), Setting::found("team", "ours")];
        assert_eq!(of(&all).await, expected);
    }
}
