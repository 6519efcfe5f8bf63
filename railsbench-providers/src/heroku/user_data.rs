//! What Heroku is given: config vars and a release, shown as one script.
//!
//! A dyno has no start-up script. The script that is rendered here does on a Unix host what
//! railsbench does at Heroku: it sets the config vars and writes the files of the source. It is
//! there to be read, to be tested like the user data of the other providers, and to try a release
//! by hand.

use std::sync::LazyLock;

use railsbench_core::provider::{RenderError, ScriptTemplates, UserData, UserDataVars};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::api::ConfigVars;
use super::naming::{provider_name, size};
use super::release::Release;
use crate::templates::{CA, ENVIRONMENT};

/// Heroku takes no more config vars than this, names and values together
/// (devcenter.heroku.com/articles/config-vars, "Limits").
const CONFIG_VARS_LIMIT: usize = 64 * 1024;

/// The config var with the run token.
pub(super) const API_KEY: &str = "API_KEY";

/// The config var with the certificate of the orchestrator's own CA.
const RAILSBENCH_CA: &str = "RAILSBENCH_CA";

static TEMPLATES: LazyLock<ScriptTemplates> = LazyLock::new(|| {
    ScriptTemplates::new(&[ENVIRONMENT, CA, ("script", include_str!("user_data.sh.hbs"))])
        .expect("these texts are compiled in, and a test renders them")
});

pub(super) fn render(vars: &UserDataVars) -> Result<UserData, RenderError> {
    let bytes = config_vars(vars)
        .iter()
        .map(|(name, value)| name.len() + value.expose_secret().len())
        .sum();
    if bytes > CONFIG_VARS_LIMIT {
        return Err(RenderError::TooLarge {
            provider: provider_name(),
            bytes,
            limit: CONFIG_VARS_LIMIT,
        });
    }
    let release = Release::new(vars)?;
    let spelling =
        spelling(vars).map(|(variable, value)| json!({"variable": variable, "value": value}));
    let more = json!({
        "spelling": spelling,
        "buildpacks": release.buildpacks,
        "files": release.files,
    });
    TEMPLATES.render("script", vars, more)
}

/// The config vars of a run's app, without its tags.
pub(super) fn config_vars(vars: &UserDataVars) -> ConfigVars {
    let lifetime = vars.max_lifetime.as_secs().to_string();
    let mut config_vars: ConfigVars = [
        ("ORCHESTRATOR_URL", vars.orchestrator_url.as_str()),
        ("RUN_ID", vars.run_id.as_str()),
        ("PROVIDER", vars.provider.as_str()),
        ("MAX_LIFETIME_SECONDS", lifetime.as_str()),
    ]
    .map(|(name, value)| (name.to_owned(), SecretString::from(value)))
    .into();
    config_vars.insert(API_KEY.to_owned(), vars.api_key.clone());
    config_vars.extend(
        vars.ca_certificate
            .as_ref()
            .map(|ca| (RAILSBENCH_CA.to_owned(), SecretString::from(ca.as_pem().trim_end()))),
    );
    config_vars.extend(spelling(vars).map(|(name, value)| (name, SecretString::from(value))));
    config_vars
}

/// The config var that tells a dyno how the operator spells its size, if not as Heroku does:
/// tasks are for instance types as the operator spells them.
fn spelling(vars: &UserDataVars) -> Option<(String, String)> {
    let size = size(&vars.instance_type);
    let spelled = vars.instance_type.as_str();
    (size != spelled).then(|| {
        let name = size.to_uppercase().replace(['-', '.'], "_");
        (format!("RAILSBENCH_SPELLING_{name}"), spelled.to_owned())
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::process::Command;

    use railsbench_core::config::RubyVersion;

    use super::super::release::GEMS;
    use super::*;
    use crate::testing;

    pub(in super::super) fn vars(size: &str, ruby_version: Option<RubyVersion>) -> UserDataVars {
        UserDataVars { ruby_version, ..testing::vars("heroku", size) }
    }

    fn version(text: &str) -> RubyVersion {
        text.parse().unwrap()
    }

    /// Without what is reviewed with the machines of other clouds.
    fn shown(script: &UserData) -> String {
        script.redacted().replace(GEMS, "(what installs the gems on every cloud)\n")
    }

    #[test]
    fn the_script_is_as_reviewed() {
        let with_ruby = render(&vars("standard-1x", Some(version("3.3.0")))).unwrap();
        insta::assert_snapshot!("with_ruby", shown(&with_ruby));
        let without = render(&vars("Performance-L", None)).unwrap();
        insta::assert_snapshot!("without_ruby", shown(&without));
    }

    #[test]
    fn the_shell_and_shellcheck_find_no_fault_in_it_or_in_its_files() {
        for version in [None, Some(version("system")), Some(version("3.3.0"))] {
            let vars = vars("Standard-1X", version);
            testing::assert_shell_finds_no_fault(&render(&vars).unwrap());
            for file in Release::new(&vars).unwrap().files {
                if file.content.starts_with("#!/bin/sh") {
                    let script = UserData::new(file.content, vars.api_key.clone());
                    testing::assert_shell_finds_no_fault(&script);
                }
            }
        }
    }

    /// What the script shows is what Heroku is given: the same config vars, the same files.
    #[test]
    fn the_script_does_what_the_calls_do() {
        let ca_certificate = Some(testing::ca_certificate());
        let vars = UserDataVars { ca_certificate, ..vars("Standard-1X", Some(version("3.3.0"))) };
        let folder = tempfile::tempdir().unwrap();
        let names = config_vars(&vars);
        let print: Vec<String> =
            names.keys().map(|name| format!("printf '%s\\0' \"${name}\"")).collect();
        let script = format!("{}\n{}", render(&vars).unwrap().expose(), print.join("\n"));
        let output =
            Command::new("sh").arg("-c").arg(script).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        let said: Vec<&str> = said.split_terminator('\0').collect();
        let expected: Vec<&str> = names.values().map(ExposeSecret::expose_secret).collect();
        assert_eq!(said, expected);

        let release = Release::new(&vars).unwrap();
        let archive = release.archive().unwrap();
        assert_eq!(archive, release.archive().unwrap(), "the same source, the same bytes");
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive.as_slice()));
        let mut files = BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_str().unwrap().to_owned();
            let mut text = String::new();
            std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
            files.insert(path, (text, entry.header().mode().unwrap() & 0o111 != 0));
        }
        assert_eq!(files.len(), release.files.len());
        for (path, (text, executable)) in &files {
            use std::os::unix::fs::PermissionsExt;
            let written = folder.path().join(path);
            assert_eq!(&std::fs::read_to_string(&written).unwrap(), text, "{path}");
            let mode = std::fs::metadata(&written).unwrap().permissions().mode();
            assert_eq!(mode & 0o100 != 0, *executable, "{path}");
            assert!(!text.contains("ecret"), "{path} holds the token");
        }
        assert!(files["Procfile"].0.contains("\nstandard-1x: sh start.sh standard-1x\n"));
        assert!(files["Gemfile.lock"].0.contains("\n   ruby 3.3.0\n"));
    }

    #[test]
    fn the_release_does_not_depend_on_the_machine() {
        let release = |size, version| Release::new(&vars(size, version)).unwrap();
        let one = release("standard-1x", Some(version("3.3.0")));
        assert_eq!(one.version(), release("Performance-L", Some(version("3.3.0"))).version());
        assert_ne!(one.version(), release("standard-1x", Some(version("3.3.1"))).version());
        assert_ne!(one.version(), release("standard-1x", None).version());
    }

    #[test]
    fn previews_are_named_as_rubygems_names_them() {
        let release = Release::new(&vars("standard-1x", Some(version("3.5.0-preview1")))).unwrap();
        let gemfile = release.files.iter().find(|file| file.path == "Gemfile").unwrap();
        assert!(gemfile.content.ends_with("ruby \"3.5.0.preview1\"\n"), "{}", gemfile.content);
    }

    #[test]
    fn what_heroku_does_not_take_is_refused() {
        let long = UserDataVars {
            orchestrator_url: format!("https://example.com/{}", "x".repeat(70_000)),
            ..vars("standard-1x", None)
        };
        let error = render(&long).unwrap_err().to_string();
        assert!(error.contains("heroku takes at most 65536"), "{error}");
        let none = UserDataVars { runners: Vec::new(), ..vars("standard-1x", None) };
        assert!(matches!(render(&none), Err(RenderError::Value { field: "runners", .. })));
    }

    proptest::proptest! {
        /// Whatever the values hold, a real shell reads them back as they are.
        #[test]
        fn no_value_breaks_out_of_the_script(
            url in "[^\\p{Cc}]{0,40}", key in "[\"$`'\\\\();&|<>*? !#~%a-z{}]{0,40}",
        ) {
            let vars = UserDataVars {
                orchestrator_url: url.clone(),
                api_key: key.clone().into(),
                ..vars("standard-1x", None)
            };
            let script = render(&vars).unwrap();
            let (head, _) = script.expose().split_once("\nexport ").unwrap();
            let echo = "\nprintf '%s\\0' \"$ORCHESTRATOR_URL\" \"$API_KEY\"";
            let output = Command::new("sh").arg("-c").arg(format!("{head}{echo}")).output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            proptest::prop_assert_eq!(said, format!("{url}\0{key}\0"));
        }
    }
}
