//! The calls to the daemon, in the words of this provider.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerStateStatusEnum, NetworkCreateRequest,
    SystemInfo, SystemVersion,
};
use bollard::query_parameters::{
    CreateContainerOptions, ListContainersOptions, ListNetworksOptions, LogsOptions,
    RemoveContainerOptions, StopContainerOptions,
};
use futures::StreamExt;
use railsbench_core::id::RunId;
use railsbench_core::provider::{MachineState, ProviderError};

use super::container::TIMED_OUT;
use super::cpus::CpuSet;
use super::daemon::{Daemon, failed, status, told};
use crate::vm::{Tags, tags};

/// How much of a log is shown.
const LOG_LINES: &str = "500";

/// The calls to one daemon.
pub(super) struct Api<'a>(&'a Docker);

/// A container of ours, as a list shows it.
pub(super) struct Listed {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) tags: Tags,
}

/// A container of ours, as a close look shows it.
pub(super) struct Container {
    pub(super) tags: Tags,
    pub(super) state: MachineState,
    /// Whether its CPUs and its memory are its own, now or soon.
    pub(super) is_live: bool,
    pub(super) cpus: CpuSet,
    pub(super) memory: u64,
    environment: Vec<String>,
}

impl Container {
    /// Whether it has been made and not started.
    pub(super) fn is_unstarted(&self) -> bool {
        self.state == MachineState::Starting
    }

    /// The value of a variable that it was given.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.iter().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }
}

impl<'a> Api<'a> {
    pub(super) async fn of(daemon: &'a Daemon) -> Result<Self, ProviderError> {
        Ok(Self(daemon.connect().await?))
    }

    pub(super) async fn version(&self) -> Result<SystemVersion, ProviderError> {
        self.0.version().await.map_err(|error| call("asking for the version", &error))
    }

    pub(super) async fn info(&self) -> Result<SystemInfo, ProviderError> {
        self.0.info().await.map_err(|error| call("asking for the host", &error))
    }

    /// The address of the host on the network that every daemon has.
    pub(super) async fn bridge_address(&self) -> Result<Option<IpAddr>, ProviderError> {
        let found = self.0.inspect_network("bridge", None).await;
        let network =
            unless_missing(found).map_err(|e| call("looking at the network bridge", &e))?;
        let blocks = network.and_then(|network| network.ipam).and_then(|ipam| ipam.config);
        Ok(blocks
            .unwrap_or_default()
            .iter()
            .find_map(|block| gateway(block.gateway.as_deref(), block.subnet.as_deref())))
    }

    /// The labels of an image; `None` if it is not there.
    pub(super) async fn image(
        &self,
        name: &str,
    ) -> Result<Option<HashMap<String, String>>, ProviderError> {
        let found = self.0.inspect_image(name).await;
        let image = unless_missing(found).map_err(|e| call(format!("looking at {name}"), &e))?;
        Ok(image.map(|image| image.config.and_then(|config| config.labels).unwrap_or_default()))
    }

    /// The networks of ours, of one run or of all.
    pub(super) async fn networks(&self, run: Option<&RunId>) -> Result<Vec<Listed>, ProviderError> {
        let options = ListNetworksOptions { filters: Some(filters(run)) };
        let found = self.0.list_networks(Some(options)).await;
        let found = found.map_err(|error| call("listing networks", &error))?;
        Ok(found
            .into_iter()
            .filter_map(|network| {
                Some(Listed {
                    id: network.id?,
                    name: network.name.unwrap_or_default(),
                    tags: read(network.labels.as_ref()?)?,
                })
            })
            .collect())
    }

    /// Makes a network and gives its id.
    pub(super) async fn create_network(
        &self,
        request: NetworkCreateRequest,
    ) -> Result<String, ProviderError> {
        let action = format!("making the network {}", request.name);
        match self.0.create_network(request).await {
            Ok(made) => Ok(made.id),
            Err(error) => Err(call(action, &error)),
        }
    }

    /// Removes a network; it is no error if it is gone.
    pub(super) async fn remove_network(&self, id: &str) -> Result<(), ProviderError> {
        let removed = self.0.remove_network(id).await;
        unless_missing(removed)
            .map(drop)
            .map_err(|e| call(format!("removing the network {id}"), &e))
    }

    /// The containers of ours, of one run or of all, also those that have ended.
    pub(super) async fn containers(
        &self,
        run: Option<&RunId>,
    ) -> Result<Vec<Listed>, ProviderError> {
        let options = ListContainersOptions {
            all: true,
            filters: Some(filters(run)),
            ..ListContainersOptions::default()
        };
        let found = self.0.list_containers(Some(options)).await;
        let found = found.map_err(|error| call("listing containers", &error))?;
        Ok(found
            .into_iter()
            .filter_map(|container| {
                let name = container.names.and_then(|names| names.into_iter().next());
                Some(Listed {
                    id: container.id?,
                    name: name.unwrap_or_default().trim_start_matches('/').to_owned(),
                    tags: read(container.labels.as_ref()?)?,
                })
            })
            .collect())
    }

    /// A container by name or id, if it is there.
    ///
    /// # Errors
    /// Also if it is there and not ours.
    pub(super) async fn container(&self, name: &str) -> Result<Option<Container>, ProviderError> {
        let action = || format!("looking at the container {name}");
        let found = unless_missing(self.0.inspect_container(name, None).await);
        let Some(found) = found.map_err(|error| call(action(), &error))? else { return Ok(None) };
        let container = look(found);
        let strange =
            "it is not one of railsbench's; remove or rename it, or give the run another id";
        container.map(Some).ok_or_else(|| failed(action(), strange))
    }

    pub(super) async fn create(
        &self,
        name: &str,
        body: ContainerCreateBody,
    ) -> Result<(), ProviderError> {
        let options = CreateContainerOptions { name: Some(name.to_owned()), ..Default::default() };
        let made = self.0.create_container(Some(options), body).await;
        made.map(drop).map_err(|error| call(format!("making the container {name}"), &error))
    }

    pub(super) async fn start(&self, name: &str) -> Result<(), ProviderError> {
        let started = self.0.start_container(name, None).await;
        started.map_err(|error| call(format!("starting the container {name}"), &error))
    }

    /// Ends a container: it is asked to, and made to if that takes longer than `seconds`. It is
    /// no error if it has ended or is gone.
    pub(super) async fn stop(&self, name: &str, seconds: i32) -> Result<(), ProviderError> {
        let options = StopContainerOptions { t: Some(seconds), ..StopContainerOptions::default() };
        match unless_missing(self.0.stop_container(name, Some(options)).await) {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(304) => Ok(()),
            Err(error) => Err(call(format!("stopping the container {name}"), &error)),
        }
    }

    /// Removes a container and what it alone has; it is no error if it is gone, or going.
    pub(super) async fn remove(&self, name: &str) -> Result<(), ProviderError> {
        let options = RemoveContainerOptions { v: true, force: true, link: false };
        match unless_missing(self.0.remove_container(name, Some(options)).await) {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(409) => Ok(()),
            Err(error) => Err(call(format!("removing the container {name}"), &error)),
        }
    }

    /// What a container has printed last; `None` if it is gone.
    pub(super) async fn log(&self, name: &str) -> Result<Option<String>, ProviderError> {
        let options = LogsOptions {
            stdout: true,
            stderr: true,
            tail: LOG_LINES.to_owned(),
            ..LogsOptions::default()
        };
        let mut parts = Box::pin(self.0.logs(name, Some(options)));
        let mut bytes = Vec::new();
        while let Some(part) = parts.next().await {
            let part = unless_missing(part)
                .map_err(|error| call(format!("reading the log of {name}"), &error))?;
            let Some(part) = part else { return Ok(None) };
            bytes.extend_from_slice(&match part {
                LogOutput::StdErr { message }
                | LogOutput::StdOut { message }
                | LogOutput::StdIn { message }
                | LogOutput::Console { message } => message,
            });
        }
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }
}

fn call(action: impl Into<String>, error: &Error) -> ProviderError {
    failed(action, told(error))
}

/// What is not there is no error, but nothing.
fn unless_missing<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if status(&error) == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The host's address in a block: the one that is said, or else the first.
fn gateway(said: Option<&str>, subnet: Option<&str>) -> Option<IpAddr> {
    if let Some(address) = said.and_then(|text| text.parse().ok()) {
        return Some(address);
    }
    let first: Ipv4Addr = subnet?.split_once('/')?.0.parse().ok()?;
    Some(IpAddr::V4(Ipv4Addr::from(u32::from(first).checked_add(1)?)))
}

fn filters(run: Option<&RunId>) -> HashMap<String, Vec<String>> {
    let mut labels = vec![format!("{}=true", tags::OURS)];
    labels.extend(run.map(|run| format!("{}={run}", tags::RUN)));
    HashMap::from([("label".to_owned(), labels)])
}

fn read(labels: &HashMap<String, String>) -> Option<Tags> {
    Tags::read(|name| labels.get(name).map(String::as_str))
}

fn look(found: ContainerInspectResponse) -> Option<Container> {
    let config = found.config?;
    let tags = read(config.labels.as_ref()?)?;
    let state = found.state.unwrap_or_default();
    let limits = found.host_config.unwrap_or_default();
    let code = state.exit_code.unwrap_or_default();
    let (machine, is_live) = match state.status {
        Some(ContainerStateStatusEnum::CREATED) => (MachineState::Starting, true),
        Some(
            ContainerStateStatusEnum::RUNNING
            | ContainerStateStatusEnum::PAUSED
            | ContainerStateStatusEnum::RESTARTING,
        ) => (MachineState::Running, true),
        _ => {
            let out_of_memory = state.oom_killed.unwrap_or_default();
            (MachineState::Stopped { reason: reason(code, out_of_memory) }, false)
        }
    };
    Some(Container {
        tags,
        state: machine,
        is_live,
        cpus: CpuSet::parse(limits.cpuset_cpus.as_deref().unwrap_or_default()),
        memory: limits.memory.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
        environment: config.env.unwrap_or_default(),
    })
}

fn reason(code: i64, out_of_memory: bool) -> String {
    match code {
        _ if out_of_memory => format!("exit code {code}: its memory was not enough"),
        TIMED_OUT => format!("exit code {code}: the runner outlived its time"),
        125..=127 => format!("exit code {code}: the image has no railsbench-runner that starts"),
        code if code > 128 => format!("exit code {code}: ended by signal {}", code - 128),
        code => format!("exit code {code}"),
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::{ContainerConfig, ContainerState};

    use super::*;

    fn found(
        status: ContainerStateStatusEnum,
        labels: &[(&str, &str)],
    ) -> ContainerInspectResponse {
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        ContainerInspectResponse {
            config: Some(ContainerConfig {
                labels: Some(labels),
                env: Some(vec!["API_KEY_OTHER=x".to_owned(), "API_KEY=a=b".to_owned()]),
                ..ContainerConfig::default()
            }),
            state: Some(ContainerState {
                status: Some(status),
                exit_code: Some(124),
                ..ContainerState::default()
            }),
            ..ContainerInspectResponse::default()
        }
    }

    #[test]
    fn states_are_told_apart() {
        let state = |status| look(found(status, &[("railsbench", "true")])).unwrap();
        assert!(state(ContainerStateStatusEnum::CREATED).is_unstarted());
        let running = state(ContainerStateStatusEnum::RUNNING);
        assert_eq!((running.state.clone(), running.is_live), (MachineState::Running, true));
        assert_eq!(running.variable("API_KEY"), Some("a=b"));
        let ended = state(ContainerStateStatusEnum::EXITED);
        let MachineState::Stopped { reason } = ended.state else { panic!("it has ended") };
        assert!(reason.contains("outlived") && !ended.is_live, "{reason}");
    }

    #[test]
    fn a_container_of_others_is_none_of_ours() {
        assert!(look(found(ContainerStateStatusEnum::RUNNING, &[])).is_none());
        assert!(look(ContainerInspectResponse::default()).is_none());
    }

    #[test]
    fn the_bridge_has_an_address() {
        let address = |text: &str| text.parse().ok();
        assert_eq!(gateway(Some("10.9.0.7"), Some("10.9.0.0/16")), address("10.9.0.7"));
        assert_eq!(gateway(None, Some("172.17.0.0/16")), address("172.17.0.1"));
        assert_eq!(gateway(Some(""), Some("172.17.0.0/16")), address("172.17.0.1"));
        for nothing in [None, Some(""), Some("x/16"), Some("fd00::/64"), Some("255.255.255.255/32")]
        {
            assert_eq!(gateway(None, nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn exit_codes_are_explained() {
        assert!(reason(137, true).contains("memory"));
        assert_eq!(reason(137, false), "exit code 137: ended by signal 9");
        assert!(reason(127, false).contains("no railsbench-runner"));
        assert_eq!(reason(0, false), "exit code 0");
    }
}
