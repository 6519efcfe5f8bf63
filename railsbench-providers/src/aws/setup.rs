//! What is found of AWS's settings without a call: credentials by the usual chain, and the region.
//!
//! Profiles are read by the SDK's own parser. What it makes of them is decided here as in its
//! `ProfileFileCredentialsProvider`, which tells only by taking the credentials, and for that may
//! have to call AWS.

use aws_config::profile::Profile;
use aws_types::os_shim_internal::{Env, Fs};
use railsbench_core::provider::{Setting, Setup};

use super::naming::DEFAULT_REGION;
use crate::firmware;

const CREDENTIALS: &str = "credentials";

/// What helps where there are none.
const FIX: &str = "run `aws configure`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
                   AWS_PROFILE to a profile that has them; docs/providers/aws.md says which \
                   permissions they need";

/// Where settings are looked for.
pub(super) struct Sources {
    pub(super) env: Env,
    pub(super) files: Fs,
    /// Whether this host is an instance of EC2, which may have been given a role.
    pub(super) is_instance: bool,
}

impl Sources {
    /// Those of this process and host.
    pub(super) fn real() -> Self {
        Self {
            env: Env::real(),
            files: Fs::real(),
            is_instance: firmware::any_contains(
                &["sys_vendor", "bios_vendor", "bios_version"],
                "amazon",
            ),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.env.get(name).ok().filter(|value| !value.trim().is_empty())
    }

    fn has(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.variable(name).is_some())
    }
}

/// What is found; `default_region` is where machines are made if nobody says where.
pub(super) async fn setup(sources: &Sources, default_region: &str) -> Setup {
    let named = ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .into_iter()
        .find(|name| sources.variable(name).as_deref() == Some(default_region));
    let origin = match named {
        Some(variable) => format!("{default_region} ({variable})"),
        None if default_region == DEFAULT_REGION => {
            format!("{default_region}, where regions.aws and AWS_REGION name none")
        }
        None => default_region.to_owned(),
    };
    Setup { settings: vec![credentials(sources).await, Setting::found("region", origin)] }
}

/// The first place of the chain that has them: environment, profile, web identity, container,
/// instance.
async fn credentials(sources: &Sources) -> Setting {
    const KEYS: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    if sources.has(&KEYS) {
        return Setting::found(CREDENTIALS, KEYS.join(" and "));
    }
    let no_profile = match profile(sources).await {
        Ok(setting) => return setting,
        Err(why) => why,
    };
    if sources.has(&["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"]) {
        return Setting::found(CREDENTIALS, "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN");
    }
    let container =
        ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
    if let Some(name) = container.into_iter().find(|name| sources.has(&[name])) {
        return Setting::unasked(CREDENTIALS, format!("the role of this container ({name})"));
    }
    let off = sources.variable("AWS_EC2_METADATA_DISABLED");
    let instance = sources.is_instance || sources.has(&["AWS_EC2_METADATA_SERVICE_ENDPOINT"]);
    if instance && !off.is_some_and(|off| off.eq_ignore_ascii_case("true")) {
        return Setting::unasked(CREDENTIALS, "the role of this EC2 instance");
    }
    let keys = match KEYS.into_iter().find(|name| !sources.has(&[name])) {
        Some(missing) if sources.has(&KEYS[..1]) || sources.has(&KEYS[1..]) => {
            format!("{missing} is not set, though the other half is")
        }
        _ => format!("{} are not set", KEYS.join(" and ")),
    };
    Setting::missing(CREDENTIALS, format!("{keys}, and {no_profile}"), FIX)
}

/// What the selected profile says of credentials, or why it says nothing, and others are asked.
async fn profile(sources: &Sources) -> Result<Setting, String> {
    // The type of the files to read has no name in the SDK's interface but a deprecated one.
    #[allow(clippy::default_trait_access)]
    let usual = Default::default();
    let loaded = aws_config::profile::load(&sources.files, &sources.env, &usual, None).await;
    let profiles = match loaded {
        Ok(profiles) => profiles,
        Err(error) => {
            let cause = std::error::Error::source(&error);
            let detail = cause.map_or_else(|| error.to_string(), ToString::to_string);
            return Ok(Setting::missing(
                CREDENTIALS,
                format!("the files of AWS profiles cannot be read: {detail}"),
                "put ~/.aws/config and ~/.aws/credentials right, or set AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY",
            ));
        }
    };
    let name = profiles.selected_profile();
    let Some(profile) = profiles.get_profile(name) else {
        return Err(format!("there is no profile {name:?} in ~/.aws"));
    };
    of_profile(profile).ok_or_else(|| format!("the profile {name:?} has no credentials"))
}

/// What a profile says of credentials; nothing if it says nothing.
fn of_profile(profile: &Profile) -> Option<Setting> {
    let name = profile.name();
    let has = |key: &str| profile.get(key).is_some();
    let found = |how: &str| Some(Setting::found(CREDENTIALS, format!("the profile {name:?}{how}")));
    let missing = |problem: String, fix: &str| Some(Setting::missing(CREDENTIALS, problem, fix));
    if has("role_arn") && !has("web_identity_token_file") {
        return match (profile.get("source_profile"), has("credential_source")) {
            (Some(source), false) => found(&format!(": a role, taken by the profile {source:?}")),
            (None, true) => found(": a role, taken by what credential_source names"),
            _ => missing(
                format!("the profile {name:?} has a role_arn and not one way to take the role"),
                "give it either source_profile or credential_source",
            ),
        };
    }
    if has("credential_source") {
        found(": what credential_source names")
    } else if has("web_identity_token_file") {
        found(": a web identity")
    } else if ["sso_session", "sso_start_url", "sso_account_id", "login_session"]
        .map(has)
        .contains(&true)
    {
        missing(
            format!("the profile {name:?} logs in by a browser, which railsbench cannot use"),
            "export its credentials: eval \"$(aws configure export-credentials --format env)\"",
        )
    } else if has("credential_process") {
        found(": its credential_process")
    } else {
        match (has("aws_access_key_id"), has("aws_secret_access_key")) {
            (true, true) => found(""),
            (false, false) => None,
            _ => missing(
                format!("the profile {name:?} has one half of a key"),
                "give it both aws_access_key_id and aws_secret_access_key",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use railsbench_core::provider::SettingState;

    use super::*;

    const CONFIG: &str = "[default]\nregion = eu-west-1\n\
        [profile keys]\naws_access_key_id = AKIA1\naws_secret_access_key = hush-hush\n\
        [profile half]\naws_access_key_id = AKIA1\n\
        [profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = keys\n\
        [profile lost]\nrole_arn = arn:aws:iam::1:role/r\n\
        [profile machine]\nrole_arn = arn:aws:iam::1:role/r\ncredential_source = Environment\n\
        [profile token]\nrole_arn = arn:aws:iam::1:role/r\nweb_identity_token_file = /t\n\
        [profile program]\ncredential_process = /bin/creds hush-hush\n\
        [profile browser]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n\
        [sso-session s]\nsso_region = us-east-1\nsso_start_url = https://example.com\n";

    async fn credentials_with(
        variables: &[(&str, &str)],
        config: &str,
        is_instance: bool,
    ) -> SettingState {
        let variables = [&[("HOME", "/home/me")], variables].concat();
        let sources = Sources {
            env: Env::from_slice(&variables),
            files: Fs::from_slice(&[("/home/me/.aws/config", config)]),
            is_instance,
        };
        let setup = setup(&sources, DEFAULT_REGION).await;
        assert!(!format!("{setup:?}").contains("hush"), "{setup:?}");
        let found = setup.settings.into_iter().find(|setting| setting.name == CREDENTIALS);
        found.unwrap().state
    }

    fn problem(state: SettingState) -> String {
        match state {
            SettingState::Missing { problem, fix } => format!("{problem}; {fix}"),
            other => panic!("{other:?}"),
        }
    }

    fn found(detail: &str) -> SettingState {
        SettingState::Found { detail: detail.to_owned() }
    }

    #[tokio::test]
    async fn the_first_place_of_the_chain_is_named_and_no_secret() {
        let keys = [("AWS_ACCESS_KEY_ID", "AKIA1"), ("AWS_SECRET_ACCESS_KEY", "hush-hush")];
        let web = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/hush"), ("AWS_ROLE_ARN", "r")];
        let profile = [("AWS_PROFILE", "keys")];
        let container = [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/hush")];
        let all = [&keys[..], &web, &profile, &container].concat();
        let environment = found("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
        assert_eq!(credentials_with(&all, CONFIG, true).await, environment);
        assert_eq!(credentials_with(&all[2..], CONFIG, true).await, found("the profile \"keys\""));
        let rest = [&web[..], &container].concat();
        let identity = found("AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN");
        assert_eq!(credentials_with(&rest, CONFIG, true).await, identity);
        for (variables, role) in [(&container[..], "this container"), (&[], "this EC2 instance")] {
            let state = credentials_with(variables, CONFIG, true).await;
            assert!(
                matches!(&state, SettingState::Unasked { detail } if detail.contains(role)),
                "{state:?}"
            );
        }
    }

    #[tokio::test]
    async fn profiles_say_how_they_come_by_credentials() {
        for (name, how) in [
            ("keys", ""),
            ("role", ": a role, taken by the profile \"keys\""),
            ("machine", ": a role, taken by what credential_source names"),
            ("token", ": a web identity"),
            ("program", ": its credential_process"),
        ] {
            let state = credentials_with(&[("AWS_PROFILE", name)], CONFIG, false).await;
            assert_eq!(state, found(&format!("the profile {name:?}{how}")));
        }
        for (name, said) in [
            ("half", "both aws_access_key_id and"),
            ("lost", "either source_profile or"),
            ("browser", "aws configure export-credentials"),
            ("default", "the profile \"default\" has no credentials; run `aws configure`"),
            ("none", "there is no profile \"none\" in ~/.aws; run `aws configure`"),
        ] {
            let problem = problem(credentials_with(&[("AWS_PROFILE", name)], CONFIG, false).await);
            assert!(problem.contains(said), "{problem}");
        }
        let problem = problem(credentials_with(&[], "[default\nhush", false).await);
        assert!(problem.contains("cannot be read") && !problem.contains("hush"), "{problem}");
    }

    #[tokio::test]
    async fn where_nothing_is_the_fix_is_told() {
        let half = [("AWS_SECRET_ACCESS_KEY", "hush-hush"), ("AWS_ACCESS_KEY_ID", " ")];
        let problem = problem(credentials_with(&half, "", false).await);
        assert!(problem.starts_with("AWS_ACCESS_KEY_ID is not set, though"), "{problem}");
        let off = [("AWS_EC2_METADATA_DISABLED", "true")];
        let state = credentials_with(&off, "", true).await;
        assert!(matches!(state, SettingState::Missing { .. }), "{state:?}");
    }

    #[tokio::test]
    async fn the_region_says_where_it_is_from() {
        let sources = Sources {
            env: Env::from_slice(&[("AWS_DEFAULT_REGION", "eu-west-1")]),
            files: Fs::from_slice(&[]),
            is_instance: false,
        };
        for (region, said) in [
            ("eu-west-1", "eu-west-1 (AWS_DEFAULT_REGION)"),
            ("us-east-1", "us-east-1, where regions.aws and AWS_REGION name none"),
            ("us-west-2", "us-west-2"),
        ] {
            let setup = setup(&sources, region).await;
            assert_eq!(setup.settings[1], Setting::found("region", said));
        }
    }
}
