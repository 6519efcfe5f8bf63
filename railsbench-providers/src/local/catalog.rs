//! What is known of the instance types: here, what this host is.

use railsbench_core::provider::{Arch, Shape};
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// The architecture that this program was compiled for, and so that of the host it runs on.
#[cfg(target_arch = "x86_64")]
const ARCH: Arch = Arch::X86_64;
#[cfg(target_arch = "aarch64")]
const ARCH: Arch = Arch::Aarch64;

/// Architecture, processors that this process may use, and memory within its limits.
pub(super) fn this_host() -> Shape {
    let vcpus = std::thread::available_parallelism().ok();
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let memory_bytes = System::new_with_specifics(memory).ok().map(|system| {
        let installed = system.total_memory();
        system.cgroup_limits().map_or(installed, |limits| limits.total_memory.min(installed))
    });
    Shape {
        arch: ARCH,
        vcpus: vcpus.and_then(|count| u32::try_from(count.get()).ok()),
        memory_bytes: memory_bytes.filter(|bytes| *bytes > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_is_known() {
        let shape = this_host();
        assert_eq!(shape.arch.as_str(), std::env::consts::ARCH);
        assert!(shape.vcpus.unwrap() >= 1);
        assert!(shape.memory_bytes.unwrap() > 64 << 20);
    }
}
