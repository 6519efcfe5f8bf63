use std::os::unix::fs::PermissionsExt;

use railsbench_core::config::RubyVersion;
use railsbench_core::provider::UserDataVars;

use super::machine::{Machine, TOKEN, read, render, said, vars};

#[test]
fn a_machine_fetches_its_runner_starts_it_and_ends() {
    let machine = Machine::new();
    let output = machine.boot(&render(&vars(None)));
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("a line of the runner"), "{}", said(&output));
    assert!(said(&output).contains("the runner ended with status 0"), "{}", said(&output));

    let calls = machine.calls();
    assert!(calls[0].starts_with("shutdown -h +60 "), "first of all it will end: {calls:?}");
    assert_eq!(calls.last().unwrap(), "shutdown -h now");
    assert_eq!(machine.count("apt-get"), 0, "docker is there");
    assert_eq!(
        machine.read("urls"),
        "https://bench.example.com/base[1]/runner/aarch64-unknown-linux-musl\n"
    );
    assert_eq!(machine.read("headers"), format!("Authorization: Bearer {TOKEN}\n"));
    assert_eq!(machine.read("images"), "debian:stable-slim\n");
}

#[test]
fn the_container_is_told_by_a_file_that_only_root_reads_and_the_token_is_nowhere_else() {
    let machine = Machine::new();
    let output = machine.boot(&render(&vars(None)));
    let told = machine.read("env");
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(
        lines[..5],
        [
            "ORCHESTRATOR_URL=https://bench.example.com/base[1]/",
            &format!("API_KEY={TOKEN}"),
            "RUN_ID=r1",
            "PROVIDER=cloud",
            "INSTANCE_TYPE=c7g.medium",
        ]
    );
    let left: u64 = lines[5].strip_prefix("MAX_LIFETIME_SECONDS=").unwrap().parse().unwrap();
    assert!((1..=3590).contains(&left), "{left}");
    let mode = machine.path("env").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!machine.state("runner.env").exists(), "it is removed once docker has read it");
    assert!(!machine.path("broken").exists(), "a part of a value was run");
    assert!(!machine.read("calls").contains("t0ken"), "the token is among the arguments");
    assert!(!said(&output).contains("t0ken"), "the token is on the console");
    let run = machine.calls().into_iter().find(|call| call.starts_with("docker run")).unwrap();
    for option in ["--network host", "--cap-drop ALL", "no-new-privileges", "--pids-limit 8192"] {
        assert!(run.contains(option), "{run}");
    }
}

#[test]
fn a_runner_that_is_not_the_planned_one_is_never_run() {
    let machine = Machine::new();
    std::fs::write(machine.path("served"), "#!/bin/sh\ntouch broken\n").unwrap();
    let output = machine.boot(&render(&vars(None)));
    assert!(!output.status.success());
    assert!(said(&output).contains("refusing to run"), "{}", said(&output));
    assert_eq!(machine.count("curl"), 3, "a damaged transfer is tried again");
    assert_eq!(machine.count("docker run"), 0);
    assert!(!machine.state("runner").exists());
    assert_eq!(machine.calls().last().unwrap(), "shutdown -h now");
}

#[test]
fn an_orchestrator_that_is_late_is_waited_for() {
    let machine = Machine::new();
    std::fs::remove_file(machine.path("served")).unwrap();
    // The fourth pause ends it: the orchestrator is there.
    let comes = "[ \"$(grep -c ^sleep \"$MACHINE/calls\")\" -lt 4 ] || \
                 printf '#!/bin/sh\\necho this is the runner\\n' >\"$MACHINE/served\"";
    machine.stand_in("sleep", comes);
    let output = machine.boot(&render(&vars(None)));
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(machine.count("curl"), 5);
    let pauses: Vec<String> =
        machine.calls().into_iter().filter(|call| call.starts_with("sleep")).collect();
    assert_eq!(pauses, ["sleep 2", "sleep 4", "sleep 8", "sleep 16"]);
}

#[test]
fn an_orchestrator_that_never_comes_ends_the_machine() {
    let machine = Machine::new();
    std::fs::remove_file(machine.path("served")).unwrap();
    let output = machine.boot(&render(&vars(None)));
    assert_eq!(output.status.code(), Some(69), "{}", said(&output));
    assert_eq!(machine.count("curl"), 40);
    assert_eq!(machine.calls().last().unwrap(), "shutdown -h now");
}

#[test]
fn docker_is_installed_by_https_when_missing() {
    let machine = Machine::new();
    let docker = machine.path("bin/docker");
    std::fs::rename(&docker, machine.path("docker.deb")).unwrap();
    // Fails at first, and gives the command only with its package of Debian 13.
    let installs = "case \"$*\" in\n\
        *' update') [ -e \"$MACHINE/tried\" ] || { : >\"$MACHINE/tried\"; exit 100; } ;;\n\
        *' docker-cli') cp \"$MACHINE/docker.deb\" \"$MACHINE/bin/docker\" ;;\n\
        esac";
    machine.stand_in("apt-get", installs);
    // A docker of this host must not be found in its place.
    let data = render(&vars(None));
    let mut command = machine.command(&data);
    let bare = machine.path("bare");
    std::fs::create_dir(&bare).unwrap();
    for tool in [
        "sh",
        "awk",
        "cat",
        "chmod",
        "cp",
        "env",
        "flock",
        "grep",
        "ln",
        "mkdir",
        "mv",
        "rm",
        "sha256sum",
    ] {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|folder| folder.join(tool))
            .find(|path| path.is_file())
            .unwrap_or_else(|| panic!("this test needs {tool}"));
        std::os::unix::fs::symlink(found, bare.join(tool)).unwrap();
    }
    let path = format!("{}:{}", machine.path("bin").display(), bare.display());
    let output = command.env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let sources = read(&machine.state("apt.list"));
    assert_eq!(sources.lines().count(), 3, "{sources}");
    assert!(sources.lines().all(|line| line.contains(" https://deb.debian.org/")), "{sources}");
    for call in machine.calls().iter().filter(|call| call.starts_with("apt-get")) {
        assert!(call.contains("Dir::Etc::sourceparts=/dev/null"), "{call}");
        assert!(call.contains("apt.list"), "{call}");
    }
    assert_eq!(machine.count("docker run --detach"), 1);
}

#[test]
fn the_workload_gets_its_gems_once() {
    let machine = Machine::new();
    let data = render(&vars(Some(RubyVersion::Version("3.4.1".to_owned()))));
    let output = machine.boot(&data);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(machine.read("images"), "ruby:3.4.1-slim\nrailsbench-workload\n");
    assert!(read(&machine.state("gems.sh")).contains("gem install --no-document"));
    let runs: Vec<String> =
        machine.calls().into_iter().filter(|call| call.starts_with("docker run")).collect();
    assert!(runs[0].contains("ruby:3.4.1-slim /railsbench-gems.sh"), "{runs:?}");
    assert!(runs[1].ends_with(" railsbench-workload"), "{runs:?}");
}

#[test]
fn a_second_start_takes_up_what_the_first_has_left() {
    let machine = Machine::new();
    let data = render(&vars(Some(RubyVersion::System)));
    for _ in 0..2 {
        let output = machine.boot(&data);
        assert!(output.status.success(), "{}", said(&output));
    }
    assert_eq!(machine.count("curl"), 1);
    assert_eq!(machine.count("docker pull"), 1);
    assert_eq!(machine.count("docker commit"), 1);
    assert_eq!(machine.count("docker run --detach"), 1);
    assert_eq!(machine.count("docker wait"), 2);
}

#[test]
fn a_start_beside_another_changes_nothing() {
    let machine = Machine::new();
    std::fs::create_dir(machine.path("state")).unwrap();
    let lock = std::fs::File::create(machine.state("lock")).unwrap();
    lock.lock().unwrap();
    let output = machine.boot(&render(&vars(None)));
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("at work already"), "{}", said(&output));
    assert_eq!(machine.read("calls"), "");
}

#[test]
fn a_machine_that_was_restarted_ends() {
    let machine = Machine::new();
    std::fs::create_dir(machine.path("state")).unwrap();
    std::fs::write(machine.state("boot"), "another boot\n").unwrap();
    let output = machine.boot(&render(&vars(None)));
    assert!(said(&output).contains("was restarted"), "{}", said(&output));
    assert_eq!(machine.calls(), ["sync ", "shutdown -h now"]);
}

#[test]
fn a_machine_of_systemd_is_quiet_and_ends_after_a_restart() {
    let machine = Machine::new();
    std::fs::create_dir_all(machine.path("run/system")).unwrap();
    let output = machine.boot(&render(&vars(None)));
    assert!(output.status.success(), "{}", said(&output));
    assert!(machine.calls().iter().any(|call| call.starts_with("systemctl stop apt-daily.timer")));
    let unit = "systemd/system/multi-user.target.wants/railsbench-restarted.service";
    assert!(machine.read(unit).contains("/shutdown -h now\n"), "{}", machine.read(unit));
}

#[test]
fn a_machine_whose_time_is_over_ends_and_does_not_begin_again() {
    let machine = Machine::new();
    std::fs::create_dir(machine.path("state")).unwrap();
    std::fs::write(machine.state("deadline"), "0\n").unwrap();
    let output = machine.boot(&render(&vars(None)));
    assert!(said(&output).contains("the time of the machine is over"), "{}", said(&output));
    assert_eq!(machine.calls(), ["sync ", "shutdown -h now"]);
}

#[test]
fn a_disk_that_is_full_ends_the_machine() {
    let machine = Machine::new();
    // A file where the folder should be: it cannot be made.
    std::fs::write(machine.path("state"), "").unwrap();
    let output = machine.boot(&render(&vars(None)));
    assert!(!output.status.success());
    assert_eq!(machine.calls().last().unwrap(), "shutdown -h now");
}

#[test]
fn plain_http_is_fetched_by_http_alone() {
    let machine = Machine::new();
    let url = "http://127.0.0.1:4567".to_owned();
    let data = render(&UserDataVars { orchestrator_url: url, ..vars(None) });
    assert!(machine.boot(&data).status.success());
    let call = machine.calls().into_iter().find(|call| call.starts_with("curl")).unwrap();
    assert!(call.contains("--proto =http "), "{call}");
}
