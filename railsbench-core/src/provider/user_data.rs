//! User data: the script a machine runs at its start, rendered so that no value can break out.

use std::time::Duration;

use handlebars::{
    Context, Handlebars, Helper, HelperResult, Output, RenderContext, RenderErrorReason,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::{CaCertificate, RunnerFile};
use crate::config::RubyVersion;
use crate::id::{ImageName, InstanceType, ProviderName, RunId};

/// What goes into user data.
#[derive(Debug, Clone)]
pub struct UserDataVars {
    /// Where the runner calls home.
    pub orchestrator_url: String,
    /// Token of scope `run`: the only secret that ever enters user data.
    pub api_key: SecretString,
    /// The run.
    pub run_id: RunId,
    /// The provider.
    pub provider: ProviderName,
    /// The instance type.
    pub instance_type: InstanceType,
    /// Which Ruby the workload needs; absent when it needs none.
    pub ruby_version: Option<RubyVersion>,
    /// The runner ends itself after this, and its machine with it.
    pub max_lifetime: Duration,
    /// Whether the script may install what is missing.
    pub allow_install: bool,
    /// Path of the runner on this host, for machines that are this host.
    pub runner: Option<String>,
    /// The runners that the orchestrator hands out, for machines that fetch theirs.
    pub runners: Vec<RunnerFile>,
    /// Image of the container that the runner runs in; absent for the official Ruby image.
    pub runner_image: Option<ImageName>,
    /// The only CA that is trusted when the orchestrator is called; absent for those that the
    /// machine's system trusts.
    pub ca_certificate: Option<CaCertificate>,
}

/// A rendered start-up script. It holds the run token, so it prints only with that hidden.
#[derive(Clone)]
pub struct UserData {
    script: SecretString,
    secret: SecretString,
}

impl UserData {
    /// Wraps a rendered script and the secret that is in it.
    pub fn new(script: String, secret: SecretString) -> Self {
        Self { script: script.into(), secret }
    }

    /// The script with its secret, to be handed to the machine and to nobody else.
    pub fn expose(&self) -> &str {
        self.script.expose_secret()
    }

    /// The script with its secret blotted out, to be shown.
    pub fn redacted(&self) -> String {
        let quoted = sh_quote(self.secret.expose_secret());
        self.script.expose_secret().replace(&quoted, "\"********\"")
    }
}

impl std::fmt::Debug for UserData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserData").field("bytes", &self.expose().len()).finish_non_exhaustive()
    }
}

/// Why user data cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A value cannot stand in a script.
    #[error("{field} cannot be put into a start-up script: {problem}")]
    Value {
        /// Which variable.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The script is longer than the provider takes.
    #[error("user data is {bytes} bytes; {provider} takes at most {limit}")]
    TooLarge {
        /// The provider.
        provider: ProviderName,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// A template is wrong.
    #[error("template: {0}")]
    Template(String),
}

/// Quotes a value for `sh` so that it stands for itself, whatever it holds: in double quotes,
/// with `\`, `"`, `$` and the backquote escaped. These are the characters that keep a meaning
/// there by POSIX.1-2024, Shell Command Language, section 2.2.3.
pub fn sh_quote(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for character in value.chars() {
        if matches!(character, '\\' | '"' | '$' | '`') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

/// Handlebars templates of shell scripts: strict about missing variables, without HTML
/// escaping, and with `{{sh value}}`, which writes a value quoted by [`sh_quote`].
pub struct ScriptTemplates(Handlebars<'static>);

impl ScriptTemplates {
    /// Registers templates and partials by name.
    ///
    /// # Errors
    /// [`RenderError::Template`] with the place of a syntax error.
    pub fn new(sources: &[(&str, &str)]) -> Result<Self, RenderError> {
        let mut registry = Handlebars::new();
        registry.set_strict_mode(true);
        registry.register_escape_fn(handlebars::no_escape);
        registry.register_helper("sh", Box::new(quote));
        for (name, source) in sources {
            registry
                .register_template_string(name, source)
                .map_err(|error| RenderError::Template(error.to_string()))?;
        }
        Ok(Self(registry))
    }

    /// Renders a template for a machine. `more` is added to the variables of `vars`.
    ///
    /// # Errors
    /// [`RenderError::Value`] if a value holds a NUL or control character, which no script can;
    /// [`RenderError::Template`] if the template needs a variable that is not there.
    pub fn render(
        &self,
        name: &str,
        vars: &UserDataVars,
        more: impl Serialize,
    ) -> Result<UserData, RenderError> {
        #[derive(Serialize)]
        struct Data<'a, T> {
            orchestrator_url: &'a str,
            api_key: &'a str,
            run_id: &'a RunId,
            provider: &'a ProviderName,
            instance_type: &'a InstanceType,
            needs_ruby: bool,
            ruby_version: String,
            max_lifetime_seconds: u64,
            allow_install: bool,
            runner: &'a str,
            ca_pem: Option<&'a str>,
            #[serde(flatten)]
            more: T,
        }
        let ruby_version = vars.ruby_version.as_ref().map(ToString::to_string).unwrap_or_default();
        let api_key = vars.api_key.expose_secret();
        for (field, value) in [
            ("ORCHESTRATOR_URL", vars.orchestrator_url.as_str()),
            ("API_KEY", api_key),
            ("runner", vars.runner.as_deref().unwrap_or_default()),
        ] {
            if value.chars().any(char::is_control) {
                return Err(RenderError::Value { field, problem: "it holds a control character" });
            }
        }
        let data = Data {
            orchestrator_url: &vars.orchestrator_url,
            api_key,
            run_id: &vars.run_id,
            provider: &vars.provider,
            instance_type: &vars.instance_type,
            needs_ruby: vars.ruby_version.is_some(),
            ruby_version,
            max_lifetime_seconds: vars.max_lifetime.as_secs(),
            allow_install: vars.allow_install,
            runner: vars.runner.as_deref().unwrap_or_default(),
            ca_pem: vars.ca_certificate.as_ref().map(|ca| ca.as_pem().trim_end()),
            more,
        };
        let script =
            self.0.render(name, &data).map_err(|error| RenderError::Template(error.to_string()))?;
        Ok(UserData::new(script, vars.api_key.clone()))
    }
}

fn quote(
    helper: &Helper<'_>,
    _: &Handlebars<'_>,
    _: &Context,
    _: &mut RenderContext<'_, '_>,
    out: &mut dyn Output,
) -> HelperResult {
    let value = helper
        .param(0)
        .filter(|param| !param.is_value_missing())
        .ok_or(RenderErrorReason::ParamNotFoundForIndex("sh", 0))?
        .value();
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    out.write(&sh_quote(&text))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(url: &str, key: &str) -> UserDataVars {
        UserDataVars {
            orchestrator_url: url.to_owned(),
            api_key: key.to_owned().into(),
            run_id: RunId::new("r1").unwrap(),
            provider: ProviderName::new("aws").unwrap(),
            instance_type: InstanceType::new("c7g.medium").unwrap(),
            ruby_version: None,
            max_lifetime: Duration::from_mins(1),
            allow_install: false,
            runner: None,
            runners: Vec::new(),
            runner_image: None,
            ca_certificate: None,
        }
    }

    #[test]
    fn values_are_quoted_and_secrets_blotted_out() {
        let templates = ScriptTemplates::new(&[
            ("environment", "ORCHESTRATOR_URL={{sh orchestrator_url}}\nAPI_KEY={{sh api_key}}\n"),
            ("main", "{{> environment}}echo {{sh extra}}\n"),
        ])
        .unwrap();
        let more = serde_json::json!({"extra": "a'b"});
        let data = templates.render("main", &vars("https://example.com", "k$(x)"), more).unwrap();
        assert_eq!(
            data.expose(),
            "ORCHESTRATOR_URL=\"https://example.com\"\nAPI_KEY=\"k\\$(x)\"\necho \"a'b\"\n"
        );
        assert!(data.redacted().contains("API_KEY=\"********\""));
        assert!(!format!("{data:?}").contains("k$"));
    }

    #[test]
    fn missing_variables_and_control_characters_are_errors() {
        let templates = ScriptTemplates::new(&[("main", "{{sh nothing}}")]).unwrap();
        let none = serde_json::json!({});
        assert!(matches!(
            templates.render("main", &vars("u", "k"), &none),
            Err(RenderError::Template(_))
        ));
        assert!(matches!(
            templates.render("main", &vars("u\n", "k"), &none),
            Err(RenderError::Value { field: "ORCHESTRATOR_URL", .. })
        ));
    }

    proptest::proptest! {
        /// What a real shell makes of the quoted text is the text itself.
        #[test]
        fn a_real_shell_reads_back_what_was_quoted(value in "[^\\x00]{0,40}") {
            let script = format!("printf %s {}", sh_quote(&value));
            let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
            proptest::prop_assert_eq!(output.stdout, value.as_bytes());
        }
    }
}
