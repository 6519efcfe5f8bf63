//! Preflight: looks whether a plan can be carried out, and changes nothing.

use std::net::{IpAddr, TcpListener};

use bollard::models::SystemInfo;
use railsbench_core::provider::{Check, Outcome, Plan, Preflight, ProviderError};
use url::{Host, Url};

use super::api::Api;
use super::daemon::{Daemon, Facts};
use super::provision::{ImageNeed, image_need};

/// The oldest version of the API that all calls are in: that of Docker 20.10.
const OLDEST_API: (u32, u32) = (1, 41);

pub(super) async fn run(daemon: &Daemon, plan: &Plan) -> Result<Preflight, ProviderError> {
    let api = match Api::of(daemon).await {
        Ok(api) => api,
        Err(error) => {
            let check = failed("daemon", error.to_string(), "start a Docker daemon that answers");
            return Ok(Preflight { checks: vec![check] });
        }
    };
    let version = api.version().await?;
    let info = api.info().await?;
    let checks = vec![
        the_daemon(daemon, version.version.as_deref(), version.api_version.as_deref(), &info),
        limits(&info),
        room(plan, &Facts::of(&info)),
        image(image_need(&api, plan).await?),
        orchestrator(&plan.vars.orchestrator_url, daemon),
    ];
    Ok(Preflight { checks })
}

fn the_daemon(
    daemon: &Daemon,
    version: Option<&str>,
    api: Option<&str>,
    info: &SystemInfo,
) -> Check {
    let (version, api) = (version.unwrap_or("unknown"), api.unwrap_or("unknown"));
    let number = api
        .split_once('.')
        .and_then(|(major, minor)| Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?)));
    let system = info.os_type.as_deref().unwrap_or("linux");
    if number.is_none_or(|number| number < OLDEST_API) {
        let problem = format!("Docker {version} has version {api} of the API");
        return failed("daemon", problem, "use Docker 20.10 (API 1.41) or newer");
    }
    if system != "linux" {
        let problem = format!("the daemon runs containers of {system}");
        return failed("daemon", problem, "switch it to Linux containers");
    }
    passed("daemon", format!("Docker {version}, API {api}, at {}", daemon.host()))
}

/// Without these, a container would get more than its type says.
fn limits(info: &SystemInfo) -> Check {
    let missing: Vec<&str> =
        [("memory", info.memory_limit), ("CPUs", info.cpu_set), ("processes", info.pids_limit)]
            .into_iter()
            .filter(|(_, there)| *there == Some(false))
            .map(|(name, _)| name)
            .collect();
    if !missing.is_empty() {
        let problem = format!("the daemon cannot limit the {} of containers", missing.join(", "));
        return failed(
            "limits",
            problem,
            "boot its host with the cgroup controllers memory, cpuset and pids",
        );
    }
    let swap = match info.swap_limit {
        Some(false) => "; swap cannot be limited, so that its use may disturb (swapaccount=1)",
        _ => ", no swap",
    };
    passed("limits", format!("CPUs, memory and processes{swap}"))
}

/// The plan was made for the daemon as it was known then; the host itself has the last word.
fn room(plan: &Plan, facts: &Facts) -> Check {
    let count = plan.machines.len() as u64;
    let shape = plan.machines.first().map(|machine| machine.shape);
    let cpus = shape.and_then(|shape| shape.vcpus).map_or(0, u64::from) * count;
    let memory = shape.and_then(|shape| shape.memory_bytes).unwrap_or_default() * count;
    let has = |most: Option<u64>, wanted: u64| most.is_none_or(|most| wanted <= most);
    let text = format!(
        "{cpus} of {} CPUs and {} of {} MiB of memory",
        facts.cpus.unwrap_or_default(),
        memory >> 20,
        facts.memory_bytes.unwrap_or_default() >> 20
    );
    if has(facts.cpus.map(u64::from), cpus) && has(facts.memory_bytes, memory) {
        passed("room", text)
    } else {
        failed("room", format!("{text} are asked for"), "take a smaller type, or fewer machines")
    }
}

fn image(need: ImageNeed) -> Check {
    match need {
        ImageNeed::Ready(detail) => passed("image", detail),
        ImageNeed::Missing { problem, fix } => failed("image", problem, fix),
        ImageNeed::Build { problem, recipe } => Check {
            name: "image".to_owned(),
            outcome: Outcome::NeedsConsent { problem, command: recipe.command() },
        },
    }
}

/// Whether a container can reach the orchestrator, as far as its URL and this host tell.
fn orchestrator(url: &str, daemon: &Daemon) -> Check {
    const NAME: &str = "orchestrator";
    let Ok(parsed) = url.parse::<Url>() else {
        return failed(NAME, format!("{url:?} is no URL"), "name it with --orchestrator https://…");
    };
    let loopback = match parsed.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if loopback {
        let fix = if daemon.is_here() {
            "leave --orchestrator out: railsbench then starts one where containers reach it"
        } else {
            "the daemon is on another host: host railsbench-server where that reaches it, and name \
             it with --orchestrator https://…"
        };
        return failed(NAME, format!("{url} is a container itself, seen from within it"), fix);
    }
    if parsed.scheme() == "https" {
        return passed(NAME, format!("{url} is https"));
    }
    let problem = format!("{url} is not https, and the run token would be there for all to read");
    failed(NAME, problem, "serve it by https, or leave --orchestrator out")
}

/// Whether an address is one of this host's, that a server can listen on.
pub(super) fn is_of_this_host(address: IpAddr) -> bool {
    TcpListener::bind((address, 0)).is_ok()
}

fn passed(name: &str, detail: impl Into<String>) -> Check {
    Check { name: name.to_owned(), outcome: Outcome::Passed { detail: detail.into() } }
}

fn failed(name: &str, problem: impl Into<String>, fix: impl Into<String>) -> Check {
    let outcome = Outcome::Failed { problem: problem.into(), fix: fix.into() };
    Check { name: name.to_owned(), outcome }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(check: Check) -> Option<String> {
        match check.outcome {
            Outcome::Failed { problem, fix } => Some(format!("{problem}; {fix}")),
            _ => None,
        }
    }

    #[test]
    fn an_orchestrator_must_be_reached_from_within_a_container() {
        let here = Daemon::at("unix:///var/run/docker.sock");
        let there = Daemon::at("tcp://build.example.com:2376");
        for good in ["https://172.17.0.1:4567/", "https://bench.example.com"] {
            assert_eq!(problem(orchestrator(good, &here)), None, "{good}");
        }
        for (url, daemon, said) in [
            ("http://127.0.0.1:4567", &here, "leave --orchestrator out"),
            ("https://localhost", &here, "leave --orchestrator out"),
            ("https://[::1]/", &there, "on another host"),
            ("http://192.168.1.7", &here, "not https"),
            ("", &here, "is no URL"),
        ] {
            let problem = problem(orchestrator(url, daemon)).unwrap();
            assert!(problem.contains(said), "{url}: {problem}");
        }
    }

    #[test]
    fn a_daemon_that_cannot_do_what_is_needed_is_found() {
        let daemon = Daemon::at("unix:///docker.sock");
        let info = SystemInfo::default();
        let check = |api, info: &SystemInfo| problem(the_daemon(&daemon, Some("19"), api, info));
        assert_eq!(check(Some("1.41"), &info), None);
        assert_eq!(check(Some("2.0"), &info), None);
        assert!(check(Some("1.40"), &info).unwrap().contains("20.10"));
        assert!(check(None, &info).unwrap().contains("unknown"));
        let windows = SystemInfo { os_type: Some("windows".to_owned()), ..info.clone() };
        assert!(check(Some("1.41"), &windows).unwrap().contains("Linux containers"));
        assert_eq!(problem(limits(&info)), None);
        let limitless = SystemInfo { memory_limit: Some(false), cpu_set: Some(false), ..info };
        assert!(problem(limits(&limitless)).unwrap().contains("memory, CPUs"));
    }

    #[test]
    fn addresses_of_this_host_are_known() {
        assert!(is_of_this_host(IpAddr::from([127, 0, 0, 1])));
        // TEST-NET-3 of RFC 5737.
        assert!(!is_of_this_host(IpAddr::from([203, 0, 113, 1])));
    }
}
