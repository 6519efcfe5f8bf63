//! The start-up script of an instance, which goes into its metadata as `startup-script`.

use std::sync::LazyLock;

use railsbench_core::provider::{RenderError, ShapeError, UserData, UserDataVars};

use super::naming::{provider_name, shape};
use crate::vm::StartupScript;

/// Longest value in an instance's metadata, in bytes.
/// Source: <https://cloud.google.com/compute/docs/metadata/setting-custom-metadata#limitations>.
const LONGEST: usize = 256 * 1024;

static SCRIPT: LazyLock<StartupScript> = LazyLock::new(|| {
    StartupScript::new(provider_name(), include_str!("user_data.sh.hbs"), LONGEST)
        .expect("the template is compiled in, and a test renders it")
});

/// The script of all instances.
pub(super) fn script() -> &'static StartupScript {
    &SCRIPT
}

/// The script of an instance of this type.
pub(super) fn render(vars: &UserDataVars) -> Result<UserData, RenderError> {
    let shape = shape(vars.instance_type.as_str()).map_err(|error| match error {
        ShapeError::Unknown { .. } => RenderError::Value {
            field: "INSTANCE_TYPE",
            problem: "Google has no machine type of that name",
        },
        ShapeError::Ambiguous { .. } => RenderError::Value {
            field: "INSTANCE_TYPE",
            problem: "it does not say whether the processor is x86 or Arm",
        },
    })?;
    SCRIPT.render(vars, shape.arch)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::super::plan::tests::request;
    use super::*;

    fn check(program: &str, arguments: &[&str], script: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("startup-script.sh");
        std::fs::write(&path, script).unwrap();
        let output = Command::new(program)
            .args(arguments)
            .arg(&path)
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| {
                panic!("this test needs {program} ({error}); apt-get install {program}")
            });
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    }

    #[test]
    fn scripts_for_x86_and_arm_are_as_reviewed_and_without_fault() {
        for machine_type in ["e2-micro", "c4a-standard-1"] {
            let script = render(&request(machine_type).vars).unwrap();
            insta::assert_snapshot!(format!("script_{machine_type}"), script.redacted());
            check("sh", &["-n"], script.expose());
            check("shellcheck", &["--shell=sh", "--severity=style"], script.expose());
        }
    }

    #[test]
    fn a_type_that_is_none_has_no_script() {
        for name in ["e2-mirco", "n5x-standard-4"] {
            let error = render(&request(name).vars).unwrap_err();
            assert!(error.to_string().starts_with("INSTANCE_TYPE cannot be put"), "{error}");
        }
    }

    #[test]
    fn a_script_that_google_would_not_take_is_refused() {
        let mut vars = request("e2-micro").vars;
        vars.orchestrator_url = format!("https://{}", "x".repeat(LONGEST));
        assert!(matches!(render(&vars), Err(RenderError::TooLarge { limit: LONGEST, .. })));
    }
}
