//! What makes an image ready for the workload, run with stand-ins for Ruby and its tools.

use std::process::{Command, Output, Stdio};

use super::machine::{Machine, said};

const GEMS: &str = include_str!("../../src/vm/templates/gems.sh.hbs");

/// A Ruby of this version that loads the gems once they were installed.
fn image(version: &str) -> Machine {
    let machine = Machine::new();
    machine.stand_in(
        "ruby",
        &format!(
            "case $2 in\n\
             'require '*) [ -e \"$MACHINE/gems\" ] ;;\n\
             'exit Gem.ruby_version >= Gem::Version.new(\"3.2\")') [ {version} -ge 302 ] ;;\n\
             *) exit 64 ;;\n\
             esac"
        ),
    );
    machine.stand_in("gem", ": >\"$MACHINE/gems\"");
    machine
}

fn prepare(machine: &Machine) -> Output {
    let path = format!("{}:/usr/bin:/bin", machine.path("bin").display());
    Command::new("sh")
        .arg("-c")
        .arg(GEMS)
        .env_clear()
        .env("PATH", path)
        .env("MACHINE", machine.path(""))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn gems_are_pinned_by_the_age_of_the_ruby() {
    for (version, rails) in [("301", "rails:7.2.3"), ("304", "rails:8.0.4")] {
        let machine = image(version);
        machine.stand_in("cc", "");
        machine.stand_in("make", "");
        let output = prepare(&machine);
        assert!(output.status.success(), "{}", said(&output));
        let installs: Vec<String> =
            machine.calls().into_iter().filter(|call| call.starts_with("gem")).collect();
        assert_eq!(
            installs,
            [format!("gem install --no-document {rails} sqlite3:2.7.4 puma:7.1.0")]
        );
        assert_eq!(machine.count("apt-get"), 0, "a compiler is there");
    }
}

#[test]
fn an_image_that_has_the_gems_is_left_as_it_is() {
    let machine = image("304");
    std::fs::write(machine.path("gems"), "").unwrap();
    assert!(prepare(&machine).status.success());
    assert_eq!(machine.count("gem"), 0);
}

#[test]
fn gems_that_do_not_load_fail_the_image() {
    let machine = image("304");
    machine.stand_in("gem", "");
    machine.stand_in("cc", "");
    machine.stand_in("make", "");
    assert!(!prepare(&machine).status.success());
}
