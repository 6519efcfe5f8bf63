//! What is known of the instance types: sizes that a daemon has room for.

use railsbench_core::provider::{Price, Shape};

use super::daemon::Facts;
use super::naming::Size;

/// GiB of memory for each CPU, as clouds sell them.
const MEMORY_PER_CPU: [u32; 3] = [1, 2, 4];

/// What is listed where nobody knows how large the daemon's host is.
const USUAL_CPUS: u32 = 4;

/// Sizes that are worth a look: all CPUs of the host, and powers of two below that. Any other
/// that fits can be asked for as well.
pub(super) fn sizes(facts: &Facts) -> Vec<Size> {
    let most = facts.cpus.unwrap_or(USUAL_CPUS);
    let mut cpus: Vec<u32> = std::iter::successors(Some(1_u32), |n| n.checked_mul(2))
        .take_while(|n| *n < most)
        .collect();
    cpus.push(most);
    let mut sizes: Vec<Size> = cpus
        .into_iter()
        .flat_map(|cpus| MEMORY_PER_CPU.map(|per_cpu| (cpus, cpus.saturating_mul(per_cpu))))
        .map(|(cpus, gib)| Size { cpus, gib })
        .filter(|size| facts.memory_bytes.is_none_or(|most| size.memory_bytes() <= most))
        .filter(|size| Size::parse(&size.name()).is_some())
        .collect();
    if sizes.is_empty() {
        sizes.push(Size { cpus: 1, gib: 1 });
    }
    sizes
}

/// The same with their shapes. Using a daemon is counted as free.
pub(super) fn instance_types(facts: &Facts) -> Vec<(String, Shape, Option<Price>)> {
    sizes(facts).into_iter().map(|size| (size.name(), size.shape(facts.arch), None)).collect()
}

#[cfg(test)]
mod tests {
    use railsbench_core::provider::Arch;

    use super::*;

    fn names(cpus: Option<u32>, gib: Option<u64>) -> Vec<String> {
        let memory_bytes = gib.map(|gib| gib << 30);
        let facts = Facts { arch: Arch::X86_64, cpus, memory_bytes };
        sizes(&facts).iter().map(|size| size.name()).collect()
    }

    #[test]
    fn sizes_fit_the_host() {
        assert_eq!(names(Some(2), Some(5)), ["1c1g", "1c2g", "1c4g", "2c2g", "2c4g"]);
        let six = names(Some(6), Some(64));
        assert!(six.contains(&"4c16g".to_owned()) && six.contains(&"6c24g".to_owned()), "{six:?}");
        assert_eq!(names(Some(1), Some(0)), ["1c1g"], "there is always one to be named");
        assert_eq!(names(None, None).len(), 9);
        for odd in [0, u32::MAX] {
            names(Some(odd), None);
        }
    }
}
