//! The start-up script, and how it is handed to EC2.

use std::io::{self, Write};
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, GzBuilder};
use railsbench_core::provider::{RenderError, UserData, UserDataVars};
use secrecy::SecretString;

use super::naming::{provider_name, shape};
use crate::vm::StartupScript;

/// What EC2 takes, before base64.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html>
const LIMIT: usize = 16 << 10;

/// What a script may be before it is compressed; it shrinks to less than a half.
const LONGEST: usize = 32 << 10;

pub(super) static SCRIPT: LazyLock<StartupScript> = LazyLock::new(|| {
    StartupScript::new(provider_name(), include_str!("user_data.sh.hbs"), LONGEST)
        .expect("these texts are compiled in, and a test renders them")
});

pub(super) fn render(vars: &UserDataVars) -> Result<UserData, RenderError> {
    let shape = shape(vars.instance_type.as_str()).map_err(|_| RenderError::Value {
        field: "INSTANCE_TYPE",
        problem: "EC2 has no such instance type",
    })?;
    let script = SCRIPT.render(vars, shape.arch)?;
    check(&script)?;
    Ok(script)
}

/// Whether EC2 takes the script.
pub(super) fn check(script: &UserData) -> Result<(), RenderError> {
    if script.expose().len() <= LIMIT { Ok(()) } else { encode(script).map(drop) }
}

/// The script as EC2 takes it: base64 of the text, or where that is too long, of the text
/// compressed, which cloud-init unpacks. The same script gives the same text.
pub(super) fn encode(script: &UserData) -> Result<SecretString, RenderError> {
    let text = script.expose().as_bytes();
    if text.len() <= LIMIT {
        return Ok(STANDARD.encode(text).into());
    }
    let packed = pack(text).map_err(|error| RenderError::Template(error.to_string()))?;
    if packed.len() > LIMIT {
        return Err(RenderError::TooLarge {
            provider: provider_name(),
            bytes: packed.len(),
            limit: LIMIT,
        });
    }
    Ok(STANDARD.encode(packed).into())
}

fn pack(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut packer = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    packer.write_all(text)?;
    packer.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use railsbench_core::config::RubyVersion;

    use railsbench_core::provider::{RunnerFile, RunnerTarget};
    use secrecy::ExposeSecret;

    use super::*;
    use crate::testing;

    fn vars(instance_type: &str) -> UserDataVars {
        let runner = |target, digits: &str| RunnerFile { target, sha256: digits.repeat(32) };
        UserDataVars {
            ruby_version: Some(RubyVersion::Version("3.4.1".to_owned())),
            allow_install: true,
            runners: vec![runner(RunnerTarget::X86Musl, "86"), runner(RunnerTarget::ArmMusl, "a6")],
            ..testing::vars("aws", instance_type)
        }
    }

    #[test]
    fn the_script_is_as_reviewed() {
        insta::assert_snapshot!(render(&vars("c7g.medium")).unwrap().redacted());
    }

    /// ARM and x86 differ by the runner that is fetched, and by nothing else.
    #[test]
    fn the_runner_is_chosen_by_architecture() {
        let arm = render(&vars("c7g.medium")).unwrap();
        let x86 = render(&vars("m5.large")).unwrap();
        let pairs = arm.expose().lines().zip(x86.expose().lines());
        let differ: Vec<_> = pairs.filter(|(arm, x86)| arm != x86).collect();
        let names: Vec<&str> = differ.iter().filter_map(|(arm, _)| arm.split('=').next()).collect();
        assert_eq!(names, ["INSTANCE_TYPE", "runner_path", "runner_sha256"]);
        assert!(differ[1].0.contains("/runner/aarch64-unknown-linux-musl"), "{differ:?}");
        assert!(differ[1].1.contains("/runner/x86_64-unknown-linux-musl"), "{differ:?}");
        assert!(differ[2].1.contains(&"86".repeat(32)), "{differ:?}");
    }

    #[test]
    fn the_script_keeps_to_the_rules_of_all_start_up_scripts() {
        let provider = crate::AwsProvider::new();
        for instance_type in ["c7g.medium", "m5.large"] {
            let ca_certificate = Some(testing::ca_certificate());
            let vars = UserDataVars { ca_certificate, ..vars(instance_type) };
            let script = render(&vars).unwrap();
            testing::assert_tells_runner(&script, &vars);
            testing::assert_shell_finds_no_fault(&script);
            testing::assert_at_most(&script, LIMIT);
            testing::assert_only_https(&script);
            testing::assert_no_value_breaks_out(&provider, &vars);
            assert!(script.expose().starts_with("#!"), "cloud-init runs what begins so");
        }
    }

    #[test]
    fn what_is_sent_is_the_script_as_it_is_or_compressed() {
        let script = render(&vars("c7g.medium")).unwrap();
        let sent = STANDARD.decode(encode(&script).unwrap().expose_secret()).unwrap();
        assert_eq!(sent, script.expose().as_bytes());

        let long = UserData::new("#!/bin/sh\n".repeat(4000), "secret".to_owned().into());
        let sent = encode(&long).unwrap();
        let again = encode(&long).unwrap();
        assert_eq!(sent.expose_secret(), again.expose_secret(), "a start can be repeated");
        let sent = STANDARD.decode(sent.expose_secret()).unwrap();
        assert!(sent.len() <= LIMIT, "{} bytes", sent.len());
        let mut text = String::new();
        flate2::read::GzDecoder::new(&sent[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, long.expose());
    }

    #[test]
    fn what_ec2_would_refuse_is_refused_here() {
        // Nothing compresses hash values.
        let noise: Vec<String> = (0..2000).map(|n| format!("{:x}", sha2_of(n))).collect();
        let script = UserData::new(noise.concat(), "secret".to_owned().into());
        let error = encode(&script).unwrap_err();
        assert!(matches!(error, RenderError::TooLarge { limit: 16_384, .. }), "{error}");
        let long = UserDataVars { orchestrator_url: "a".repeat(LONGEST), ..vars("c7g.medium") };
        assert!(matches!(render(&long), Err(RenderError::TooLarge { .. })));
        let unknown = render(&vars("c7g.medum")).unwrap_err().to_string();
        assert!(unknown.contains("EC2 has no such instance type"), "{unknown}");
    }

    fn sha2_of(number: u32) -> u128 {
        use sha2::{Digest, Sha256};
        let digest = Sha256::digest(number.to_le_bytes());
        digest.iter().take(16).fold(0, |sum, byte| sum << 8 | u128::from(*byte))
    }
}
