//! What Docker is asked for, shown as one script.
//!
//! A container has no start-up script. The one that is rendered here does by the `docker` command
//! what railsbench does by the Engine's API: it makes the network of the run and the container of
//! a machine. It is there to be read, to be tested like the user data of the other providers, and
//! to start a machine by hand.

use std::sync::LazyLock;

use railsbench_core::provider::{RenderError, ScriptTemplates, UserData, UserDataVars};

use super::container::Settings;
use super::naming::Size;
use crate::templates::{CA, ENVIRONMENT};

static TEMPLATES: LazyLock<ScriptTemplates> = LazyLock::new(|| {
    ScriptTemplates::new(&[ENVIRONMENT, CA, ("script", include_str!("user_data.sh.hbs"))])
        .expect("these texts are compiled in, and a test renders them")
});

pub(super) fn render(vars: &UserDataVars) -> Result<UserData, RenderError> {
    let size = Size::parse(vars.instance_type.as_str()).ok_or(RenderError::Value {
        field: "INSTANCE_TYPE",
        problem: "it is no size of a container, such as 2c4g",
    })?;
    TEMPLATES.render("script", vars, Settings::of(vars, size))
}

#[cfg(test)]
pub(super) mod tests {

    use railsbench_core::config::RubyVersion;
    use railsbench_core::id::RunId;

    use super::*;
    use crate::testing;

    pub(in super::super) fn vars(instance_type: &str) -> UserDataVars {
        UserDataVars {
            run_id: RunId::new("Run.1").unwrap(),
            ruby_version: Some(RubyVersion::Version("3.4.1".to_owned())),
            ..testing::vars("docker", instance_type)
        }
    }

    #[test]
    fn the_script_is_as_reviewed() {
        insta::assert_snapshot!(render(&vars("2c4g")).unwrap().redacted());
    }

    #[test]
    fn the_script_is_without_fault_and_tells_the_runner() {
        let vars = vars("1c2g");
        let data = render(&vars).unwrap();
        testing::assert_shell_finds_no_fault(&data);
        testing::assert_tells_runner(&data, &vars);
        testing::assert_only_https(&data);
    }

    #[test]
    fn the_ca_of_the_orchestrator_goes_with_it() {
        let ca = "-----BEGIN CERTIFICATE-----\nMIIBAAAA\n-----END CERTIFICATE-----\n";
        let vars = UserDataVars { ca_certificate: Some(ca.parse().unwrap()), ..vars("1c2g") };
        let data = render(&vars).unwrap();
        testing::assert_shell_finds_no_fault(&data);
        testing::assert_tells_runner(&data, &vars);
        insta::assert_snapshot!("with_a_ca", data.redacted());
    }

    #[test]
    fn what_is_no_size_is_refused() {
        assert!(render(&vars("c7g.medium")).unwrap_err().to_string().contains("2c4g"));
    }

    proptest::proptest! {
        /// Whatever the values hold, a real shell reads them back as they are.
        #[test]
        fn no_value_breaks_out_of_the_script(
            url in "[^\\p{Cc}]{0,40}", key in "[\"$`'\\\\();&|<>*? !#~%a-z{}]{0,40}",
        ) {
            let vars = UserDataVars {
                orchestrator_url: url,
                api_key: key.into(),
                ..vars("2c4g")
            };
            testing::assert_tells_runner(&render(&vars).unwrap(), &vars);
        }
    }
}
