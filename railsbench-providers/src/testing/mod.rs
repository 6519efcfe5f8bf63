//! Assertions on user data and plans, for tests of providers and of programs that embed
//! railsbench. They panic, saying what is wrong.
//!
//! ```
//! # fn example(provider: &dyn railsbench_core::provider::Provider) {
//! use railsbench_providers::testing;
//!
//! let vars = testing::vars("aws", "c7g.medium");
//! let data = provider.render_user_data(&vars).unwrap();
//! testing::assert_tells_runner(&data, &vars);
//! testing::assert_shell_finds_no_fault(&data);
//! testing::assert_at_most(&data, 16 * 1024);
//! testing::assert_no_value_breaks_out(provider, &vars);
//! # }
//! ```
//! A [`StandInMachine`] runs the script of a VM cloud on this host.
//!
//! They need `sh` and `shellcheck` on `PATH`, and for cloud-config `cloud-init`; without those
//! they fail and say what to install.

mod machine;
mod request;

use std::io::Write;
use std::process::{Command, Stdio};

use railsbench_core::provider::{CaCertificate, Direction, Plan, Provider, UserData, UserDataVars};
use secrecy::SecretString;

pub use crate::conformance::{HOSTILE, VARIABLES};
use crate::conformance::{read_back, values};
pub use machine::StandInMachine;
pub use request::{request, vars};

/// The values that the script gives to [`VARIABLES`], as a real `sh` reads them.
///
/// # Errors
/// What is wrong, in words: a variable is set never, twice or without double quotes, or a part of
/// a value was run.
pub fn told_to_runner(data: &UserData) -> Result<Vec<String>, String> {
    read_back(data)
}

/// The script tells the runner the five values as they are.
#[track_caller]
pub fn assert_tells_runner(data: &UserData, vars: &UserDataVars) {
    match told_to_runner(data) {
        Ok(told) => assert!(
            told == values(vars),
            "the script tells the runner other values than it was given: {VARIABLES:?} became \
             {:?}",
            // The second is the token.
            told.iter().enumerate().map(|(i, v)| if i == 1 { "…" } else { v }).collect::<Vec<_>>()
        ),
        Err(problem) => panic!("{problem}"),
    }
}

/// Whatever the values hold, the provider's script has them stand for themselves: each of
/// [`HOSTILE`] is rendered as URL and as token, and read back by a real `sh`.
#[track_caller]
pub fn assert_no_value_breaks_out(provider: &dyn Provider, vars: &UserDataVars) {
    for hostile in HOSTILE {
        let url = UserDataVars { orchestrator_url: hostile.to_owned(), ..vars.clone() };
        let token = UserDataVars { api_key: SecretString::from(hostile), ..vars.clone() };
        for vars in [url, token] {
            match provider.render_user_data(&vars) {
                Ok(data) => assert_tells_runner(&data, &vars),
                Err(error) => panic!("{hostile:?} is refused: {error}"),
            }
        }
    }
}

/// A CA certificate as an orchestrator makes it for itself, of no use but to be carried about.
///
/// # Panics
/// Never: a test reads it.
pub fn ca_certificate() -> CaCertificate {
    include_str!("ca.pem").parse().expect("it is compiled in, and a test reads it")
}

/// Where the orchestrator has a CA of its own, its certificate travels with the script, and where
/// it has none, no other does.
#[track_caller]
pub fn assert_carries_ca(provider: &dyn Provider, vars: &UserDataVars) {
    let render = |ca_certificate| {
        let vars = UserDataVars { ca_certificate, ..vars.clone() };
        match provider.render_user_data(&vars) {
            Ok(data) => data,
            Err(error) => panic!("{}: no user data: {error}", provider.name()),
        }
    };
    let ca = ca_certificate();
    let with = render(Some(ca.clone()));
    assert!(
        with.expose().contains(ca.as_pem().trim_end()),
        "{}: the certificate of the orchestrator's own CA is not in the user data",
        provider.name()
    );
    assert_shell_finds_no_fault(&with);
    assert!(
        !render(None).expose().contains("-----BEGIN CERTIFICATE"),
        "{}: a certificate that nobody gave is in the user data",
        provider.name()
    );
}

/// The script is no longer than the cloud takes.
#[track_caller]
pub fn assert_at_most(data: &UserData, bytes: usize) {
    let length = data.expose().len();
    assert!(length <= bytes, "the user data is {length} bytes; at most {bytes} are taken");
}

/// The script is a POSIX shell script without faults: `sh -n` reads it, and ShellCheck has
/// nothing to say, not even on style.
#[track_caller]
pub fn assert_shell_finds_no_fault(data: &UserData) {
    assert!(data.expose().starts_with("#!/bin/sh\n"), "the script begins with no #!/bin/sh");
    check("sh", "dash", &["-n"], data.expose());
    check("shellcheck", "shellcheck", &["--shell=sh", "--severity=style"], data.expose());
}

/// cloud-init takes it: a script, or a cloud-config that `cloud-init schema` finds valid.
#[track_caller]
pub fn assert_cloud_init_takes(data: &UserData) {
    let text = data.expose();
    if text.starts_with("#cloud-config\n") {
        check("cloud-init", "cloud-init", &["schema", "--config-file"], text);
    } else {
        assert!(text.starts_with("#!/"), "it is neither a script nor a #cloud-config");
    }
}

/// Nothing that is planned lets anyone in, and nothing but TCP 443 out.
#[track_caller]
pub fn assert_no_way_in(plan: &Plan) {
    for rule in &plan.firewall {
        assert!(rule.direction == Direction::Egress, "the plan lets traffic in: {rule:?}");
        assert!(rule.protocol == "tcp" && rule.port == 443, "more than 443 goes out: {rule:?}");
    }
    let script = plan.user_data.expose().to_lowercase();
    for way in ["authorized_keys", "ssh-rsa", "ssh-ed25519", "chpasswd", "ssh_authorized"] {
        assert!(!script.contains(way), "the user data opens a way in: {way}");
    }
}

/// The machine is told to call nothing by plain http. The orchestrator's own URL is left out of
/// this: that it is https is for the preflight to say.
#[track_caller]
pub fn assert_only_https(data: &UserData) {
    for line in data.expose().lines().filter(|line| !line.starts_with("ORCHESTRATOR_URL=")) {
        let comment = line.trim_start().starts_with('#');
        assert!(comment || !line.contains("http://"), "plain http is called: {line}");
    }
}

#[track_caller]
fn check(program: &str, package: &str, arguments: &[&str], text: &str) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    file.write_all(text.as_bytes()).expect("a temporary file can be written");
    let ran = Command::new(program).args(arguments).arg(file.path()).stdin(Stdio::null()).output();
    match ran {
        Ok(output) => assert!(
            output.status.success(),
            "{program} finds fault: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => panic!("{program} cannot be run ({error}); apt-get install {package}"),
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    fn vars() -> UserDataVars {
        UserDataVars {
            orchestrator_url: "https://bench.example.com".to_owned(),
            api_key: "t0ken".to_owned().into(),
            ..super::vars("cloud", "small")
        }
    }

    const GOOD: &str = "#!/bin/sh\nORCHESTRATOR_URL=\"https://bench.example.com\"\n\
        API_KEY=\"t0ken\"\nRUN_ID=\"r1\"\nPROVIDER=\"cloud\"\nINSTANCE_TYPE=\"small\"\n\
        export ORCHESTRATOR_URL API_KEY RUN_ID PROVIDER INSTANCE_TYPE\n";

    fn data(text: &str) -> UserData {
        UserData::new(text.to_owned(), "t0ken".to_owned().into())
    }

    #[track_caller]
    fn fails(assertion: impl Fn(&UserData) + std::panic::RefUnwindSafe, text: &str) -> String {
        let caught = catch_unwind(|| assertion(&data(text))).expect_err("it should fail");
        let fixed = caught.downcast_ref::<&str>().map(ToString::to_string);
        caught.downcast_ref::<String>().cloned().or(fixed).unwrap_or_default()
    }

    #[test]
    fn a_good_script_passes() {
        let good = data(GOOD);
        assert_tells_runner(&good, &vars());
        assert_shell_finds_no_fault(&good);
        assert_cloud_init_takes(&good);
        assert_only_https(&good);
        assert_at_most(&good, GOOD.len());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let tells = |data: &UserData| assert_tells_runner(data, &vars());
        let unquoted = GOOD.replace("\"r1\"", "r1");
        assert!(fails(tells, &unquoted).contains("RUN_ID is not in double quotes"));
        let other = fails(tells, &GOOD.replace("t0ken", "0ther"));
        assert!(other.contains("other values") && !other.contains("0ther"), "{other}");
        assert!(fails(tells, &GOOD.replace("API_KEY=", "API_KEZ=")).contains("no line sets"));
        let careless = format!("{GOOD}echo $1\n");
        assert!(fails(assert_shell_finds_no_fault, &careless).contains("SC2086"));
        assert!(fails(assert_shell_finds_no_fault, &format!("{GOOD}if\n")).contains("sh finds"));
        let plain = format!("{GOOD}curl http://deb.debian.org\n");
        assert!(fails(assert_only_https, &plain).contains("deb.debian.org"));
        assert!(fails(|data| assert_at_most(data, 10), GOOD).contains("at most 10"));
        assert!(fails(assert_cloud_init_takes, "echo").contains("neither"));
    }

    #[test]
    fn cloud_config_is_checked_against_its_schema() {
        assert_cloud_init_takes(&data("#cloud-config\nruncmd:\n  - [echo, hello]\n"));
        let wrong = "#cloud-config\nruncmd: 1\n";
        assert!(fails(assert_cloud_init_takes, wrong).contains("runcmd"));
    }
}
