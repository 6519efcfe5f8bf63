//! How machines run, end by themselves, and are ended.

use std::time::Duration;

use railsbench_core::provider::{MachineState, Outcome, Provider, Scope, UserData};

use crate::world::{PATIENT, STUBBORN, TOKEN, World, runs, until};

/// The runner's parent is `timeout`, and the parent of that is the machine's shell.
const NOTE_SHELL: &str = "echo $(ps -o ppid= -p $PPID) >\"$NOTES/shell\"";

#[tokio::test]
async fn a_runner_is_told_what_it_needs_and_no_command_line_holds_the_token() {
    let world = World::new();
    let plan = world.plan(&format!("env >\"$NOTES/environment\"; note runner; {PATIENT}"));
    let deployment = world.provision(&plan).await;
    world.noted("runner").await;
    assert_eq!(world.state(&deployment).await, MachineState::Running);

    let environment = std::fs::read_to_string(world.path("notes/environment")).unwrap();
    let has = |line: &str| environment.lines().any(|have| have == line);
    let run = &world.run_id;
    let workdir = world.state_dir().join(format!("machines/{run}/host-1/work"));
    assert!(workdir.is_dir());
    for line in [
        "ORCHESTRATOR_URL=http://127.0.0.1:9/".to_owned(),
        format!("API_KEY={TOKEN}"),
        format!("RUN_ID={run}"),
        "PROVIDER=local".to_owned(),
        "INSTANCE_TYPE=host".to_owned(),
        "MAX_LIFETIME_SECONDS=60".to_owned(),
        format!("RAILSBENCH_WORKDIR={}", workdir.display()),
        format!("RAILSBENCH_MACHINE={run}/host-1"),
    ] {
        assert!(has(&line), "{line:?} is not in:\n{environment}");
    }

    let listed = world.provider().list(&Scope::run(run.clone())).await.unwrap();
    let processes: Vec<_> = listed.iter().filter(|found| found.kind == "process").collect();
    assert!(processes.len() >= 3, "shell, timeout and runner: {listed:?}");
    for process in processes {
        assert!(process.expires_at.is_some(), "{process:?}");
        let line = std::fs::read_to_string(format!("/proc/{}/cmdline", process.id));
        assert!(!line.unwrap_or_default().contains(TOKEN), "{process:?}");
    }
    world.teardown().await;
}

#[tokio::test]
async fn a_machine_that_ends_says_how_and_is_waited_for() {
    let world = World::new();
    let plan = world.plan("note runner; echo some words; exit 3");
    let deployment = world.provision(&plan).await;
    assert_eq!(world.stopped(&deployment).await, "exit code 3");
    let log = world.provider().console_log(&deployment.machines[0].id).await.unwrap().unwrap();
    assert!(log.ends_with("some words\n"), "{log}");

    // It is not in the way of the next of its name.
    let again = world.plan(&format!("note second; {PATIENT}"));
    assert_eq!(world.provision(&again).await, deployment);
    world.noted("second").await;
    assert_eq!(world.state(&deployment).await, MachineState::Running);
    world.teardown().await;
    assert_eq!(world.state(&deployment).await, MachineState::Gone);
    assert!(!world.state_dir().join("machines").join(world.run_id.as_str()).exists());
}

#[tokio::test]
async fn the_shell_of_a_machine_that_ended_is_no_zombie() {
    let world = World::new();
    let deployment = world.provision(&world.plan(NOTE_SHELL)).await;
    let shell = world.noted("shell").await;
    world.stopped(&deployment).await;
    let entry = std::path::PathBuf::from(format!("/proc/{shell}"));
    until("the last of the shell", || (!entry.exists()).then_some(())).await;
}

#[tokio::test]
async fn a_runner_is_asked_once_and_may_finish() {
    let world = World::new();
    let plan = world.plan(
        "trap 'echo asked >>\"$NOTES/asked\"' TERM; note runner\n\
         while ! [ -e \"$NOTES/asked\" ]; do sleep 0.05; done\n\
         sleep 0.2; echo finished >\"$NOTES/finished\"",
    );
    world.provision(&plan).await;
    world.noted("runner").await;
    let patient = world.provider().with_stop_grace(Duration::from_secs(30));
    patient.teardown(&Scope::run(world.run_id.clone())).await.unwrap();
    let asked = std::fs::read_to_string(world.path("notes/asked")).unwrap();
    assert_eq!(asked, "asked\n");
    assert!(world.path("notes/finished").exists());
}

#[tokio::test]
async fn who_does_not_listen_is_killed_with_all_it_started() {
    let world = World::new();
    let child = world.script("child", &format!("echo $$ >\"$1\"; {STUBBORN}"));
    let child = child.display();
    // The last one has lost its parent.
    let plan = world.plan(&format!(
        "{child} \"$NOTES/same_group\" &\n\
         setsid {child} \"$NOTES/own_session\" &\n\
         env -i {child} \"$NOTES/untagged\" &\n\
         (setsid {child} \"$NOTES/orphan\" &)\n\
         note runner; {STUBBORN}"
    ));
    world.provision(&plan).await;
    let mut pids = Vec::new();
    for name in ["runner", "same_group", "own_session", "untagged", "orphan"] {
        pids.push(world.noted(name).await);
    }
    assert!(pids.iter().all(|pid| runs(*pid)));
    assert!(world.teardown().await >= pids.len());
    for pid in pids {
        assert!(!runs(pid), "{pid} runs");
    }
}

#[tokio::test]
async fn what_a_killed_shell_leaves_is_found_by_its_tag_alone() {
    let world = World::new();
    let plan = world.plan(&format!("{NOTE_SHELL}; note runner; {STUBBORN}"));
    let deployment = world.provision(&plan).await;
    let shell = world.noted("shell").await;
    let runner = world.noted("runner").await;
    let kill = std::process::Command::new("kill").args(["-KILL", &shell.to_string()]).status();
    assert!(kill.unwrap().success());
    until("the end of the shell", || (!runs(shell)).then_some(())).await;
    assert!(runs(runner));
    assert_eq!(world.state(&deployment).await, MachineState::Running);

    // Another state folder: nothing but the tag can lead there.
    let stranger = World::new();
    let scope = Scope::run(world.run_id.clone());
    let removed = stranger.provider().teardown(&scope).await.unwrap().removed;
    assert!(removed.iter().any(|found| found.id == runner.to_string()), "{removed:?}");
    assert!(!runs(runner));
    assert!(matches!(world.state(&deployment).await, MachineState::Stopped { .. }));
    assert_eq!(world.teardown().await, 1, "its folder is left");
}

#[tokio::test]
async fn a_machine_that_ends_takes_its_orphans_along() {
    let world = World::new();
    let child = world.script("child", &format!("echo $$ >\"$1\"; {STUBBORN}"));
    let plan = world.plan(&format!(
        "setsid {} \"$NOTES/orphan\" &\nwhile ! [ -s \"$NOTES/orphan\" ]; do sleep 0.05; done",
        child.display()
    ));
    let deployment = world.provision(&plan).await;
    let orphan = world.noted("orphan").await;
    assert_eq!(world.stopped(&deployment).await, "exit code 0");
    assert!(!runs(orphan));
}

#[tokio::test]
async fn a_runner_that_outlives_its_time_is_ended_without_anyone_asking() {
    let world = World::new();
    for (runner, reason) in [
        (PATIENT.replace("exit 0", "exit 9"), "exit code 124: the runner outlived its time"),
        (STUBBORN.to_owned(), "exit code 137: ended by signal 9"),
    ] {
        let mut plan = world.plan(&format!("note runner; {runner}"));
        // Its time is a minute and the grace another: shorten both.
        let script = plan.user_data.expose().to_owned();
        let short = script.replace("--kill-after=15s 120s", "--kill-after=0.2s 0.5s");
        assert_ne!(script, short);
        plan.user_data = UserData::new(short, TOKEN.to_owned().into());
        let deployment = world.provision(&plan).await;
        assert_eq!(world.stopped(&deployment).await, reason);
        assert!(!runs(world.noted("runner").await));
    }
}

#[tokio::test]
async fn preflight_passes_a_good_host_and_names_what_is_wrong() {
    let world = World::new();
    let request = world.request(PATIENT);
    let plan = world.provider().plan(&request).unwrap();
    let found = world.provider().preflight(&plan).await.unwrap();
    let names: Vec<&str> = found.checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(names, ["tools", "runner", "disk", "memory"]);
    assert_eq!(found.failures().count() + found.consents().count(), 0, "{found:?}");
    assert!(!world.state_dir().exists(), "a look changes nothing");

    let mut missing = request;
    missing.vars.runner = Some("/nonexistent/runner".to_owned());
    let plan = world.provider().plan(&missing).unwrap();
    let found = world.provider().preflight(&plan).await.unwrap();
    let failed: Vec<_> = found.failures().collect();
    assert_eq!(failed.len(), 1);
    assert!(matches!(
        &failed[0].outcome,
        Outcome::Failed { problem, .. } if problem.contains("/nonexistent/runner")
    ));

    // The preparation agrees with the look.
    let deployment = world.provision(&plan).await;
    let reason = world.stopped(&deployment).await;
    assert_eq!(reason, "exit code 69: the host could not be prepared");
    let log = world.provider().console_log(&deployment.machines[0].id).await.unwrap().unwrap();
    assert!(log.contains("failed\trunner\tthere is no executable file"), "{log}");
}

#[tokio::test]
async fn ids_of_no_machine_are_not_errors() {
    let world = World::new();
    let mut deployment = world.provision(&world.plan(PATIENT)).await;
    deployment.machines[0].id = "../../etc".parse().unwrap();
    assert_eq!(world.state(&deployment).await, MachineState::Gone);
    let log = world.provider().console_log(&deployment.machines[0].id).await.unwrap();
    assert_eq!(log, None);
}
