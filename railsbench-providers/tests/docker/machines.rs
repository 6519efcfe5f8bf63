//! What a machine may do, what it may not, and how it ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    CreateContainerOptions, KillContainerOptions, RemoveContainerOptions,
};
use railsbench_core::provider::{Deployment, MachineState, Provider, Scope};
use railsbench_providers::MemoryJournal;
use railsbench_providers::docker::Daemon;

use crate::fixture::{
    IMAGE, TOKEN, Turn, docker, inside, inspect, left, new_run, plan, provider, provision, request,
    teardown,
};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);

async fn state(deployment: &Deployment) -> MachineState {
    provider().status(deployment).await.unwrap().remove(0).state
}

async fn ended(deployment: &Deployment) -> String {
    let begun = Instant::now();
    loop {
        if let MachineState::Stopped { reason } = state(deployment).await {
            return reason;
        }
        assert!(begun.elapsed() < PATIENCE, "it does not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Asked of the kernel from within, not of the daemon.
#[tokio::test]
async fn a_machine_has_its_cpus_and_memory_and_no_right() {
    let _turn = Turn::take().await;
    let run_id = new_run();
    provision(&plan(&run_id, 1)).await.unwrap();
    let name = plan(&run_id, 1).machines.remove(0).name;
    let status = inside(&name, "cat /proc/self/status").await;
    let field = |wanted: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(wanted)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("no {wanted} in {status}")).trim().to_owned()
    };
    assert!(field("Uid").starts_with("10001\t") && field("Gid").starts_with("10001\t"), "{status}");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(field(set), "0000000000000000", "{set}");
    }
    assert_eq!(field("NoNewPrivs"), "1");
    let cpus: u32 = field("Cpus_allowed_list").parse().expect("one CPU");
    assert!(cpus < Daemon::from_environment().facts().cpus.unwrap());
    // By either version of the kernel's control groups.
    let limit =
        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null";
    assert_eq!(inside(&name, limit).await.trim(), (1_u64 << 30).to_string());

    let write = "for place in / /etc /usr/local/bin /opt/railsbench; do touch $place/x && echo wrote $place; done 2>/dev/null";
    assert_eq!(inside(&name, write).await, "");
    let work =
        "cd /work && echo kept >x && cat x && cp /bin/true . && ./true || echo cannot be run";
    assert_eq!(
        inside(&name, work).await.replace("sh: 1: ./true: Permission denied\n", ""),
        "kept\ncannot be run\n"
    );

    let found = inspect(&name).await;
    assert!(found.network_settings.unwrap().ports.unwrap_or_default().is_empty());
    let limits = found.host_config.unwrap();
    assert_eq!(limits.memory_swap, limits.memory, "no swap");
    assert_eq!(limits.binds.unwrap_or_default(), Vec::<String>::new());
    let labels = found.config.unwrap().labels.unwrap();
    assert_eq!(labels["railsbench-run"], run_id.as_str());
    let expires: jiff::Timestamp = labels["railsbench-expires"].parse().unwrap();
    assert!(expires > jiff::Timestamp::now());
    teardown(&run_id).await;
}

#[tokio::test]
async fn machines_have_cpus_of_their_own_and_do_not_see_each_other() {
    let _turn = Turn::take().await;
    if Daemon::from_environment().facts().cpus < Some(2) {
        let run_id = new_run();
        let refused = provider().plan(&request(&run_id, "1c1g", 2)).unwrap_err().to_string();
        assert!(refused.contains("need 2 CPUs of their own"), "{refused}");
        return;
    }
    let run_id = new_run();
    provision(&plan(&run_id, 2)).await.unwrap();
    let names: Vec<String> = plan(&run_id, 2).machines.into_iter().map(|m| m.name).collect();
    let [one, two] = [&names[0], &names[1]];
    let cpus = "grep Cpus_allowed_list /proc/self/status";
    assert_ne!(inside(one, cpus).await, inside(two, cpus).await);

    let networks = inspect(two).await.network_settings.unwrap().networks.unwrap();
    let address = networks.into_values().find_map(|network| network.ip_address).unwrap();
    let serve = "ruby -rsocket -e 'TCPServer.new(4000)
        fork { $stdout.close; $stderr.close; sleep 60 }'";
    assert_eq!(inside(two, serve).await, "");
    let call = |host: &str| {
        format!(
            "ruby -rsocket -e 'begin; Socket.tcp({host:?}, 4000, connect_timeout: 2).close; puts :reached
            rescue SystemCallError; puts :refused; end'"
        )
    };
    assert_eq!(inside(two, &call(&address)).await, "reached\n", "by itself");
    assert_eq!(inside(one, &call(&address)).await, "refused\n", "by its neighbour");
    teardown(&run_id).await;
}

/// Two processes that know nothing of each other.
#[tokio::test]
async fn processes_that_start_machines_at_the_same_time_do_not_share_cpus() {
    let _turn = Turn::take().await;
    let runs = [new_run(), new_run()];
    let made = futures::future::join_all(runs.iter().map(async |run_id| {
        let deployment = provision(&plan(run_id, 1)).await?;
        let limits = inspect(deployment.machines[0].id.as_str()).await.host_config.unwrap();
        Ok::<_, railsbench_core::provider::ProviderError>(limits.cpuset_cpus.unwrap())
    }))
    .await;
    let cpus: Vec<&String> = made.iter().filter_map(|made| made.as_ref().ok()).collect();
    if Daemon::from_environment().facts().cpus >= Some(2) {
        assert_eq!(cpus.len(), 2, "{made:?}");
        assert_ne!(cpus[0], cpus[1]);
    } else {
        assert!(cpus.len() <= 1, "{made:?}");
    }
    for run_id in runs {
        teardown(&run_id).await;
    }
}

#[tokio::test]
async fn where_no_cpus_are_left_it_is_said_who_has_them() {
    let _turn = Turn::take().await;
    let cpus = Daemon::from_environment().facts().cpus.unwrap();
    let (holder, late) = (new_run(), new_run());
    let all = provider().plan(&request(&holder, &format!("{cpus}c1g"), 1)).unwrap();
    provision(&all).await.unwrap();
    let error = provision(&plan(&late, 1)).await.unwrap_err().to_string();
    assert!(error.contains(&format!("0 of {cpus} CPUs are free")), "{error}");
    assert!(error.contains(holder.as_str()), "{error}");
    assert_eq!(left(&late).await, Vec::<String>::new(), "what was made is taken back");
    teardown(&holder).await;
    provision(&plan(&late, 1)).await.unwrap();
    teardown(&late).await;
}

#[tokio::test]
async fn a_machine_ends_itself_when_its_time_is_over() {
    let _turn = Turn::take().await;
    let run_id = new_run();
    let mut request = request(&run_id, "1c1g", 1);
    request.max_lifetime = Duration::from_secs(1);
    let deployment = provision(&provider().plan(&request).unwrap()).await.unwrap();
    assert_eq!(ended(&deployment).await, "exit code 0");
    let log = provider().console_log(&deployment.machines[0].id).await.unwrap().unwrap();
    assert!(log.contains("the lifetime of this runner is over"), "{log}");
    assert!(!log.contains(TOKEN), "{log}");
    teardown(&run_id).await;
    assert_eq!(state(&deployment).await, MachineState::Gone);
    assert_eq!(provider().console_log(&deployment.machines[0].id).await.unwrap(), None);
}

#[tokio::test]
async fn a_machine_that_was_killed_is_told_apart_and_made_again() {
    let _turn = Turn::take().await;
    let run_id = new_run();
    let first = provision(&plan(&run_id, 1)).await.unwrap();
    let name = first.machines[0].id.as_str();
    docker().await.kill_container(name, None::<KillContainerOptions>).await.unwrap();
    assert_eq!(ended(&first).await, "exit code 137: ended by signal 9");
    let again = provision(&plan(&run_id, 1)).await.unwrap();
    assert_eq!(again, first);
    assert_eq!(state(&again).await, MachineState::Running);
    teardown(&run_id).await;
}

#[tokio::test]
async fn a_container_of_someone_else_is_left_alone() {
    let _turn = Turn::take().await;
    let run_id = new_run();
    let name = plan(&run_id, 1).machines.remove(0).name;
    let docker = docker().await;
    let body = ContainerCreateBody { image: Some(IMAGE.to_owned()), ..Default::default() };
    let options = CreateContainerOptions { name: Some(name.clone()), ..Default::default() };
    docker.create_container(Some(options), body).await.unwrap();
    let error = provision(&plan(&run_id, 1)).await.unwrap_err().to_string();
    assert!(error.contains("not one of railsbench's"), "{error}");
    assert_eq!(teardown(&run_id).await, 0);
    inspect(&name).await;
    docker.remove_container(&name, None::<RemoveContainerOptions>).await.unwrap();
}

/// What starts twice at once for one run, as its types do, shares its network.
#[tokio::test]
async fn types_of_a_run_share_its_network() {
    let _turn = Turn::take().await;
    let run_id = new_run();
    let provider = provider();
    let journal = Arc::new(MemoryJournal::default());
    let mut other = request(&run_id, "1c1g", 1);
    other.label = "other".to_owned();
    let plans = [plan(&run_id, 1), provider.plan(&other).unwrap()];
    let made = futures::future::join_all(
        plans.iter().map(|plan| provider.provision(plan, journal.clone())),
    );
    let made = made.await;
    let listed = provider.list(&Scope::run(run_id.clone())).await.unwrap();
    let networks = listed.iter().filter(|resource| resource.kind == "network").count();
    assert_eq!(networks, 1, "{made:?}: {listed:?}");
    teardown(&run_id).await;
}
