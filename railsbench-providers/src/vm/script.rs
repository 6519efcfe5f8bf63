//! The start-up script of a Debian machine, from the partials that all VM clouds share.

use railsbench_core::config::RubyVersion;
use railsbench_core::id::ProviderName;
use railsbench_core::provider::{
    Arch, RenderError, RunnerFile, ScriptTemplates, UserData, UserDataVars,
};
use serde_json::json;

use crate::templates::{CA, ENVIRONMENT};

/// The parts, by the names that templates include them by. Those that use no variable are included
/// with the parameter `""`: otherwise all variables are copied for them.
const PARTS: [(&str, &str); 8] = [
    ("vm-head", include_str!("templates/head.sh.hbs")),
    ("vm-main", include_str!("templates/main.sh.hbs")),
    ("vm-once", include_str!("templates/once.sh.hbs")),
    ("vm-apt", include_str!("templates/apt.sh.hbs")),
    ("vm-docker", include_str!("templates/docker.sh.hbs")),
    ("vm-runner", include_str!("templates/runner.sh.hbs")),
    ("vm-container", include_str!("templates/container.sh.hbs")),
    ("vm-gems", include_str!("templates/gems.sh.hbs")),
];

/// The start-up script of one cloud's machines.
///
/// The cloud's own template is a few lines: the shebang, `{{> vm-head}}`, a shell function
/// `end_machine` that ends the machine for good, and `{{> vm-main}}`:
/// ```text
/// #!/bin/sh
/// # Makes an EC2 instance a railsbench machine.
/// {{> vm-head}}
/// # An instance that shuts down is terminated.
/// end_machine() {
///   shutdown -h now
/// }
/// {{> vm-main}}
/// ```
/// The script may be started twice: the second start waits for nobody and changes nothing.
pub struct StartupScript {
    templates: ScriptTemplates,
    provider: ProviderName,
    longest: usize,
}

impl StartupScript {
    /// A script of this template, which the cloud takes up to `longest` bytes of.
    ///
    /// # Errors
    /// [`RenderError::Template`] with the place of a syntax error.
    pub fn new(
        provider: ProviderName,
        template: &str,
        longest: usize,
    ) -> Result<Self, RenderError> {
        let mut sources = vec![ENVIRONMENT, CA, ("script", template)];
        sources.extend(PARTS);
        Ok(Self { templates: ScriptTemplates::new(&sources)?, provider, longest })
    }

    /// Renders it for machines of an architecture.
    ///
    /// # Errors
    /// [`RenderError`] if there is no runner for the architecture, a value cannot stand in a
    /// script, or the script is longer than the cloud takes.
    pub fn render(&self, vars: &UserDataVars, arch: Arch) -> Result<UserData, RenderError> {
        let runner = RunnerFile::for_arch(&vars.runners, arch).ok_or(RenderError::Value {
            field: "runners",
            problem: "there is none for the architecture of the machine",
        })?;
        if !is_sha256(&runner.sha256) {
            return Err(RenderError::Value {
                field: "runners",
                problem: "the SHA-256 is not 64 lower-case hexadecimal digits",
            });
        }
        let more = json!({
            "runner_path": runner.target.path(),
            "runner_sha256": runner.sha256,
            "image": image(vars),
        });
        let script = self.templates.render("script", vars, more)?;
        let bytes = script.expose().len();
        if bytes > self.longest {
            return Err(RenderError::TooLarge {
                provider: self.provider.clone(),
                bytes,
                limit: self.longest,
            });
        }
        Ok(script)
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The image that the runner runs in: the configured one, or the official one of the Ruby that
/// is wanted; plain Debian where none is.
pub fn image(vars: &UserDataVars) -> String {
    match (&vars.runner_image, &vars.ruby_version) {
        (Some(image), _) => image.to_string(),
        (None, Some(RubyVersion::Version(version))) => format!("ruby:{version}-slim"),
        (None, Some(RubyVersion::System)) => "ruby:slim".to_owned(),
        (None, None) => "debian:stable-slim".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::vm::fixture::{self, script};

    fn vars(ruby_version: Option<RubyVersion>) -> UserDataVars {
        UserDataVars { ruby_version, ..fixture::vars() }
    }

    fn shellcheck(text: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("script.sh");
        std::fs::write(&path, text).unwrap();
        let output = Command::new("shellcheck")
            .args(["--shell=sh", "--severity=style", "--enable=quote-safe-variables"])
            .arg(&path)
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| {
                panic!("this test needs shellcheck ({error}); apt-get install shellcheck")
            });
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    #[test]
    fn the_script_is_as_reviewed() {
        let version = RubyVersion::Version("3.3.0".to_owned());
        let data = script(16_384).render(&vars(Some(version)), Arch::Aarch64).unwrap();
        insta::assert_snapshot!(data.redacted());
    }

    /// With a CA of the orchestrator's own, the script differs by what is needed to trust that
    /// one alone.
    #[test]
    fn an_own_ca_is_all_that_is_trusted() {
        let plain = script(16_384).render(&vars(None), Arch::Aarch64).unwrap();
        let ca_certificate = Some(crate::testing::ca_certificate());
        let vars = UserDataVars { ca_certificate, ..vars(None) };
        let with = script(16_384).render(&vars, Arch::Aarch64).unwrap();
        shellcheck(with.expose());
        let mut lines = with.expose().lines().peekable();
        let mut added = Vec::new();
        for line in plain.expose().lines() {
            while let Some(line) = lines.next_if(|more| *more != line) {
                added.push(line);
            }
            assert_eq!(lines.next(), Some(line), "a line is missing");
        }
        insta::assert_snapshot!(added.join("\n"));
    }

    #[test]
    fn shellcheck_finds_no_fault() {
        for version in [None, Some(RubyVersion::System)] {
            shellcheck(script(16_384).render(&vars(version), Arch::Aarch64).unwrap().expose());
        }
        shellcheck(include_str!("templates/gems.sh.hbs"));
    }

    #[test]
    fn the_image_follows_the_ruby_unless_one_is_named() {
        let version = RubyVersion::Version("3.4.1".to_owned());
        assert_eq!(image(&vars(Some(version))), "ruby:3.4.1-slim");
        assert_eq!(image(&vars(Some(RubyVersion::System))), "ruby:slim");
        assert_eq!(image(&vars(None)), "debian:stable-slim");
        let named = "registry.example.com/ruby:1".parse().unwrap();
        assert_eq!(
            image(&UserDataVars { runner_image: Some(named), ..vars(None) }),
            "registry.example.com/ruby:1"
        );
    }

    #[test]
    fn what_cannot_be_run_is_not_rendered() {
        let render = |vars: &UserDataVars, longest, arch| script(longest).render(vars, arch);
        let none = render(&vars(None), 16_384, Arch::X86_64).unwrap_err();
        assert!(none.to_string().contains("architecture"), "{none}");
        let long = render(&vars(None), 1000, Arch::Aarch64).unwrap_err();
        assert!(matches!(long, RenderError::TooLarge { limit: 1000, .. }), "{long}");
        let mut short = vars(None);
        short.runners[0].sha256.pop();
        let short = render(&short, 16_384, Arch::Aarch64).unwrap_err();
        assert!(short.to_string().contains("SHA-256"), "{short}");
    }
}
