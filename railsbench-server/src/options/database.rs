//! Where runs are kept, as the options say.
//!
//! The URL of a database holds a password: like the operator token it is no flag, which process
//! lists would show, but comes from `RAILSBENCH_DATABASE_URL` or from a file of its own.

use railsbench_server::DatabaseConfig;
use secrecy::SecretString;

use super::{Options, OptionsError};

impl Options {
    /// With the value of the environment variable.
    pub(crate) fn with_database_url(self, url: Option<String>) -> Self {
        Self { database_url: url.map(SecretString::from), ..self }
    }

    #[cfg(feature = "postgres")]
    pub(super) fn database(&self) -> Result<DatabaseConfig, OptionsError> {
        use railsbench_server::store::PostgresConfig;
        let url = match (&self.database_url, &self.database_url_file) {
            (Some(_), Some(_)) => return Err(OptionsError::TwoDatabases),
            (Some(url), None) => url.clone(),
            (None, Some(path)) => SecretString::from(super::read(path)?.trim()),
            (None, None) => {
                let idle = [
                    ("--database-ca-file", self.database_ca_file.is_some()),
                    ("--database-connections", self.database_connections.is_some()),
                ];
                let idle = idle.into_iter().find(|(_, given)| *given);
                return idle.map_or(Ok(DatabaseConfig::Sqlite), |(option, _)| {
                    Err(OptionsError::Idle { option, needed: "RAILSBENCH_DATABASE_URL" })
                });
            }
        };
        Ok(DatabaseConfig::Postgres(PostgresConfig {
            ca_file: self.database_ca_file.clone(),
            connections: self.database_connections.unwrap_or(PostgresConfig::CONNECTIONS),
            ..PostgresConfig::new(url)
        }))
    }

    #[cfg(not(feature = "postgres"))]
    pub(super) fn database(&self) -> Result<DatabaseConfig, OptionsError> {
        match &self.database_url {
            // Into a file of its own, the runs would not be where they are looked for.
            Some(_) => Err(OptionsError::NoPostgres),
            None => Ok(DatabaseConfig::Sqlite),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn options(flags: &[&str]) -> Options {
        Options::try_parse_from([&["railsbench-server"], flags].concat()).unwrap()
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn the_database_url_comes_from_one_place_and_is_not_shown() {
        use secrecy::ExposeSecret;
        let url = "postgres://u:hush@db.example.org/bench";
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, format!("{url}\n")).unwrap();
        let flags = ["--database-url-file", file.path().to_str().unwrap()];
        for options in [options(&flags), options(&[]).with_database_url(Some(url.to_owned()))] {
            let Ok(DatabaseConfig::Postgres(config)) = options.database() else { panic!("SQLite") };
            assert_eq!(config.url.expose_secret(), url);
            assert!(!format!("{options:?}{config:?}").contains("hush"));
        }
        let both = options(&flags).with_database_url(Some(url.to_owned())).database();
        assert!(matches!(both, Err(OptionsError::TwoDatabases)));
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn options_of_the_database_need_one() {
        let idle = options(&["--database-connections", "3"]).database().unwrap_err().to_string();
        assert!(idle.contains("without RAILSBENCH_DATABASE_URL"), "{idle}");
    }

    #[cfg(not(feature = "postgres"))]
    #[test]
    fn a_build_without_postgres_does_not_fall_back_on_a_file() {
        let given = options(&[]).with_database_url(Some("postgres://u@h/d".to_owned()));
        assert!(given.database().unwrap_err().to_string().contains("--features postgres"));
        assert!(matches!(options(&[]).database(), Ok(DatabaseConfig::Sqlite)));
    }
}
