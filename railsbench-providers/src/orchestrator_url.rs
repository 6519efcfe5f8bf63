//! Whether a machine at a cloud can reach an orchestrator, as far as its URL tells.

use std::net::{Ipv4Addr, Ipv6Addr};

use railsbench_core::provider::{Check, Outcome};
use url::{Host, Url};

/// What stands in the way of reaching an orchestrator from a cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreachable {
    /// What is wrong with its URL.
    pub problem: String,
    /// What to do about it.
    pub fix: &'static str,
}

const FIX: &str = "host railsbench-server where the cloud can reach it by https on port 443, and \
                   name it with --orchestrator https://…";

/// Looks at the URL of an orchestrator as a machine at a cloud would see it: it must be https on
/// port 443 of a public host. `emulated` says that the cloud itself is on this host, as an
/// emulator's is; then this host will do, and so will http.
///
/// # Errors
/// [`Unreachable`] saying what is wrong.
pub fn reachable(orchestrator_url: &str, emulated: bool) -> Result<(), Unreachable> {
    way(orchestrator_url, emulated).map(|_| ())
}

/// How an orchestrator is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    PublicHttps,
    /// By an emulator, which is on the orchestrator's own host.
    SameHost,
}

fn way(orchestrator_url: &str, emulated: bool) -> Result<Way, Unreachable> {
    let wrong = |problem: String| Err(Unreachable { problem, fix: FIX });
    let Ok(url) = orchestrator_url.parse::<Url>() else {
        return wrong(format!("the orchestrator's URL {orchestrator_url:?} is none"));
    };
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => is_name_of_this_host(name),
        None => return wrong(format!("the orchestrator's URL {url} has no host")),
    };
    if emulated && loopback {
        return Ok(Way::SameHost);
    }
    if loopback {
        return wrong(format!("{url} is this host, which a machine at a cloud cannot reach"));
    }
    let private = match url.host() {
        Some(Host::Ipv4(address)) => !is_public(address),
        Some(Host::Ipv6(address)) => !is_public_v6(address),
        Some(Host::Domain(name)) => is_private_name(name),
        None => true,
    };
    if private {
        return wrong(format!("{url} is in a private network, which a cloud cannot reach"));
    }
    if url.scheme() != "https" {
        return wrong(format!(
            "{url} is not https, and the run token would be there for all to read"
        ));
    }
    if url.port_or_known_default() != Some(443) {
        return wrong(format!("{url} is not on port 443, and machines may call no other"));
    }
    Ok(Way::PublicHttps)
}

/// The same as a look of a preflight.
pub fn reachable_check(orchestrator_url: &str, emulated: bool) -> Check {
    let outcome = match way(orchestrator_url, emulated) {
        Ok(Way::PublicHttps) => {
            Outcome::Passed { detail: format!("{orchestrator_url} is public https") }
        }
        Ok(Way::SameHost) => Outcome::Passed {
            detail: format!("{orchestrator_url} is on this host, as the emulated cloud is"),
        },
        Err(Unreachable { problem, fix }) => Outcome::Failed { problem, fix: fix.to_owned() },
    };
    Check { name: "orchestrator".to_owned(), outcome }
}

fn is_name_of_this_host(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

/// Names that no public DNS has: RFC 6761, RFC 6762, RFC 8375, RFC 9476, the one that ICANN keeps
/// for private use, and those without a dot.
fn is_private_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let last = name.rsplit('.').next().unwrap_or(name);
    !name.contains('.')
        || matches!(last, "local" | "internal" | "alt" | "test" | "invalid" | "onion" | "lan")
        || name.ends_with(".home.arpa")
}

/// Not in a block that is for private or special use (IANA's registry, RFC 6890).
fn is_public(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b); // RFC 6598, also of overlay networks
    let special =
        a == 0 || a >= 240 || (a == 192 && b == 0 && c == 0) || (a == 198 && (b & 0xfe) == 18);
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || shared
        || special)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(embedded) = address.to_ipv4_mapped() {
        return is_public(embedded);
    }
    let first = address.segments()[0];
    // Only 2000::/3 is given out; 2001:db8::/32 is for documentation.
    (first & 0xe000) == 0x2000 && !(first == 0x2001 && address.segments()[1] == 0x0db8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_https_is_reachable() {
        for url in [
            "https://bench.example.com/",
            "https://bench.example.com:443/base",
            "https://8.8.8.8",
            "https://[2606:4700::1111]/",
        ] {
            assert_eq!(reachable(url, false), Ok(()), "{url}");
        }
    }

    #[test]
    fn what_a_cloud_cannot_reach_is_said() {
        let cases = [
            ("", "is none"),
            ("file:///etc", "no host"),
            ("http://127.0.0.1:4567/", "this host"),
            ("https://localhost", "this host"),
            ("https://a.localhost./", "this host"),
            ("https://[::1]/", "this host"),
            ("https://10.1.2.3", "private network"),
            ("https://172.16.0.1", "private network"),
            ("https://192.168.1.1", "private network"),
            ("https://100.100.1.1", "private network"),
            ("https://169.254.169.254", "private network"),
            ("https://0.0.0.0", "private network"),
            ("https://[fd00::1]", "private network"),
            ("https://[fe80::1]", "private network"),
            ("https://[::ffff:10.0.0.1]", "private network"),
            ("https://laptop", "private network"),
            ("https://laptop.local", "private network"),
            ("https://bench.internal", "private network"),
            ("http://bench.example.com", "not https"),
            ("https://bench.example.com:8443", "port 443"),
        ];
        for (url, problem) in cases {
            let wrong = reachable(url, false).unwrap_err();
            assert!(wrong.problem.contains(problem), "{url}: {}", wrong.problem);
            assert!(matches!(reachable_check(url, false).outcome, Outcome::Failed { .. }));
        }
    }

    #[test]
    fn an_emulated_cloud_reaches_this_host_and_nothing_more() {
        assert_eq!(reachable("http://127.0.0.1:4567/", true), Ok(()));
        assert_eq!(reachable("http://localhost:4567/", true), Ok(()));
        let Outcome::Passed { detail } = reachable_check("http://localhost:4567/", true).outcome
        else {
            panic!("it is reachable")
        };
        assert!(detail.contains("this host") && !detail.contains("https"), "{detail}");
        assert!(reachable("http://10.0.0.1", true).is_err());
        assert!(reachable("http://bench.example.com", true).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "(https?://)?.{0,60}") {
            let _ = reachable(&text, false);
        }
    }
}
