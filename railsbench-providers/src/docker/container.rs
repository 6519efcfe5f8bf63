//! What a machine is made of: the body of the call that makes its container, and that of its
//! run's network.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, NetworkCreateRequest, RestartPolicy,
    RestartPolicyNameEnum,
};
use railsbench_core::provider::UserDataVars;
use secrecy::ExposeSecret;
use serde::Serialize;

use super::cpus::CpuSet;
use super::image;
use super::naming::{Size, network_name};
use crate::vm::Tags;

/// The one place that can be written to, in memory; it is the home of the user too.
pub(super) const WORKDIR: &str = "/work";

/// User and group of everything in the container: no user of any host or image.
pub(super) const USER: u32 = 10_001;

/// Processes and threads of a machine, at most.
const MOST_PROCESSES: u32 = 8192;

/// The runner ends itself when its time is over; one that hangs is ended from outside, this much
/// later.
const GRACE: Duration = Duration::from_mins(1);

/// What a runner that is told to end may take to do it.
const KILL_AFTER: Duration = Duration::from_secs(15);

/// Where the certificate of the orchestrator's own CA is put, from a variable: no file can be
/// given to a container whose daemon may be elsewhere.
const CA_FILE: &str = "/tmp/railsbench-ca.pem";
const KEEP_CA: &str = r#"printf '%s\n' "$RAILSBENCH_CA" >"$RAILSBENCH_CA_FILE" && exec "$@""#;

/// What `timeout` exits with if the runner outlived its time.
pub(super) const TIMED_OUT: i64 = 124;

/// No machine lives longer, whatever becomes of whoever made it.
pub(super) fn longest_life(max_lifetime: Duration) -> Duration {
    max_lifetime.saturating_add(GRACE).saturating_add(KILL_AFTER)
}

/// Everything that the container of a machine is told, but its name, CPUs and labels. The
/// start-up script is rendered of it too.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Settings {
    pub(super) image: String,
    pub(super) network: String,
    pub(super) workdir: &'static str,
    pub(super) user: String,
    pub(super) memory: u64,
    pub(super) work_mount: String,
    pub(super) tmp_mount: String,
    pub(super) processes: u32,
    pub(super) kill_after_seconds: u64,
    pub(super) timeout_seconds: u64,
    pub(super) life_seconds: u64,
    ca_file: &'static str,
    keep_ca: &'static str,
}

impl Settings {
    pub(super) fn of(vars: &UserDataVars, size: Size) -> Self {
        let memory = size.memory_bytes();
        let mount = |bytes: u64| {
            format!("rw,nosuid,nodev,noexec,size={bytes},mode=0700,uid={USER},gid={USER}")
        };
        Self {
            image: image::name(vars),
            network: network_name(&vars.run_id),
            workdir: WORKDIR,
            user: format!("{USER}:{USER}"),
            memory,
            // What is in them counts as memory of the machine.
            work_mount: mount(memory / 2),
            tmp_mount: mount(memory / 8),
            processes: MOST_PROCESSES,
            kill_after_seconds: KILL_AFTER.as_secs(),
            timeout_seconds: vars.max_lifetime.saturating_add(GRACE).as_secs(),
            life_seconds: longest_life(vars.max_lifetime).as_secs(),
            ca_file: CA_FILE,
            keep_ca: KEEP_CA,
        }
    }

    /// Name and value of each variable of the container.
    fn environment(&self, vars: &UserDataVars) -> Vec<String> {
        let lifetime = vars.max_lifetime.as_secs().to_string();
        let mut pairs = vec![
            ("ORCHESTRATOR_URL", vars.orchestrator_url.as_str()),
            ("API_KEY", vars.api_key.expose_secret()),
            ("RUN_ID", vars.run_id.as_str()),
            ("PROVIDER", vars.provider.as_str()),
            ("INSTANCE_TYPE", vars.instance_type.as_str()),
            ("MAX_LIFETIME_SECONDS", &lifetime),
            ("RAILSBENCH_WORKDIR", self.workdir),
            ("RAILSBENCH_IMAGE", &self.image),
            ("HOME", self.workdir),
        ];
        if let Some(ca) = &vars.ca_certificate {
            pairs.push(("RAILSBENCH_CA", ca.as_pem().trim_end()));
            pairs.push(("RAILSBENCH_CA_FILE", self.ca_file));
        }
        pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    /// What the container runs: the runner, ended in time.
    fn command(&self, vars: &UserDataVars) -> Vec<String> {
        let (kill_after, timeout) =
            (self.kill_after_seconds.to_string(), self.timeout_seconds.to_string());
        let run = ["timeout", "-k", &kill_after, &timeout, image::RUNNER];
        let keep_ca = ["sh", "-c", self.keep_ca, "sh"].into_iter();
        let words = keep_ca.filter(|_| vars.ca_certificate.is_some()).chain(run);
        words.map(str::to_owned).collect()
    }

    /// The body of the call that makes the container, on a network with this id.
    pub(super) fn body(
        &self,
        vars: &UserDataVars,
        cpus: &CpuSet,
        network: &str,
        tags: &Tags,
    ) -> ContainerCreateBody {
        let memory = i64::try_from(self.memory).unwrap_or(i64::MAX);
        let mut command = self.command(vars);
        let arguments = command.split_off(1);
        let mounts = [(self.workdir, &self.work_mount), ("/tmp", &self.tmp_mount)];
        ContainerCreateBody {
            image: Some(self.image.clone()),
            user: Some(self.user.clone()),
            working_dir: Some(self.workdir.to_owned()),
            env: Some(self.environment(vars)),
            entrypoint: Some(command),
            cmd: Some(arguments),
            labels: Some(labels(tags)),
            host_config: Some(HostConfig {
                cpuset_cpus: Some(cpus.to_string()),
                memory: Some(memory),
                // Memory and swap together: as much as memory alone.
                memory_swap: Some(memory),
                pids_limit: Some(self.processes.into()),
                init: Some(true),
                network_mode: Some(network.to_owned()),
                readonly_rootfs: Some(true),
                tmpfs: Some(
                    mounts.map(|(path, options)| (path.to_owned(), options.clone())).into(),
                ),
                cap_drop: Some(vec!["ALL".to_owned()]),
                security_opt: Some(vec!["no-new-privileges".to_owned()]),
                restart_policy: Some(RestartPolicy {
                    name: Some(RestartPolicyNameEnum::NO),
                    maximum_retry_count: None,
                }),
                log_config: Some(HostConfigLogConfig {
                    typ: Some("json-file".to_owned()),
                    config: Some(pairs([("max-size", "10m"), ("max-file", "2")])),
                }),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        }
    }
}

/// The body of the call that makes the network of a run: its machines do not see each other.
pub(super) fn network(name: &str, tags: &Tags) -> NetworkCreateRequest {
    NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".to_owned()),
        options: Some(pairs([("com.docker.network.bridge.enable_icc", "false")])),
        labels: Some(labels(tags)),
        ..NetworkCreateRequest::default()
    }
}

fn labels(tags: &Tags) -> HashMap<String, String> {
    tags.pairs().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> HashMap<String, String> {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}
