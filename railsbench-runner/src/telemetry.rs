//! How the machine fares: a [`Sample`] of its counters, and what lies between two of them.
//!
//! Samples are taken when a workload starts, at heartbeats, and when it ends, and at no other
//! time. What could have spoiled the figures is said in words by [`noise`]; nothing is refused.

use std::path::Path;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use procfs::{CpuTime, FromRead, FromReadSI, KernelStats, LoadAverage, Meminfo};
use railsbench_core::protocol::Telemetry;

use crate::machine::{Machine, throttle_count};

/// More steal than this, in percent, is worth a word.
const STEAL_LIMIT: f64 = 1.0;
/// More of the CPU time used by other processes than this, in percent, is worth a word.
const OTHERS_LIMIT: f64 = 2.0;
/// A higher load per CPU than this before the start is worth a word.
const LOAD_LIMIT: f64 = 0.25;
/// Less available memory than this share, in percent, is worth a word.
const MEMORY_LIMIT: u64 = 10;
/// Clock sources that are slow to read.
const SLOW_CLOCKS: [&str; 4] = ["acpi_pm", "hpet", "jiffies", "pit"];

/// The machine's counters at one moment.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    cpu: Option<CpuTicks>,
    /// CPU time of all ended child processes of the runner.
    children: Option<Duration>,
    load1: Option<f64>,
    swap_used: Option<u64>,
    memory_available: Option<u64>,
    memory_total: Option<u64>,
    throttled: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct CpuTicks {
    busy: u64,
    steal: u64,
    all: u64,
}

impl Sample {
    /// Reads the counters from the files below `root`.
    pub fn take(root: &Path) -> Self {
        let memory = Meminfo::from_file(root.join("proc/meminfo")).ok();
        let stat = root.join("proc/stat");
        Self {
            cpu: KernelStats::from_file(stat, procfs::current_system_info())
                .ok()
                .map(|stats| ticks(&stats.total)),
            children: getrusage(UsageWho::RUSAGE_CHILDREN)
                .ok()
                .map(|usage| duration(usage.user_time()) + duration(usage.system_time())),
            load1: LoadAverage::from_file(root.join("proc/loadavg"))
                .ok()
                .map(|load| (f64::from(load.one) * 100.0).round() / 100.0),
            swap_used: memory.as_ref().map(|info| info.swap_total.saturating_sub(info.swap_free)),
            memory_available: memory.as_ref().and_then(|info| info.mem_available),
            memory_total: memory.as_ref().map(|info| info.mem_total),
            throttled: None,
        }
    }

    /// The same with how often the CPUs were slowed down, which takes a file for each CPU.
    #[must_use]
    pub fn with_throttling(mut self, root: &Path) -> Self {
        self.throttled = throttle_count(root);
        self
    }

    /// CPU time that the hypervisor gave to others since an earlier sample, in percent.
    pub fn steal_percent_since(&self, earlier: &Self) -> Option<f64> {
        let (now, then) = (self.cpu?, earlier.cpu?);
        percent(now.steal.saturating_sub(then.steal), now.all.saturating_sub(then.all))
    }

    /// CPU time that processes other than the runner's children used since an earlier sample,
    /// in percent of all.
    fn others_percent_since(&self, earlier: &Self) -> Option<f64> {
        let (now, then) = (self.cpu?, earlier.cpu?);
        let own = self.children?.saturating_sub(earlier.children?);
        let own = own.as_secs_f64() * procfs::ticks_per_second() as f64;
        let all = now.all.saturating_sub(then.all);
        let others = now.busy.saturating_sub(then.busy) as f64 - own;
        (all > 0).then(|| (others / all as f64 * 100.0).clamp(0.0, 100.0))
    }

    /// What a heartbeat tells.
    pub fn telemetry(&self, earlier: &Self) -> Telemetry {
        Telemetry {
            steal_percent: self.steal_percent_since(earlier),
            load1: self.load1,
            swap_used_bytes: self.swap_used,
            memory_available_bytes: self.memory_available,
        }
    }
}

fn ticks(time: &CpuTime) -> CpuTicks {
    let steal = time.steal.unwrap_or(0);
    // Guest time is counted in user time already.
    let busy =
        time.user + time.nice + time.system + time.irq.unwrap_or(0) + time.softirq.unwrap_or(0);
    CpuTicks { busy, steal, all: busy + steal + time.idle + time.iowait.unwrap_or(0) }
}

fn duration(time: TimeVal) -> Duration {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let microseconds = u64::try_from(time.tv_usec()).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(microseconds)
}

fn percent(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| (part as f64 / all as f64 * 10_000.0).round() / 100.0)
}

/// What could have spoiled the figures between two samples, a sentence each.
///
/// `own_load` says that a workload of this runner ended before the first sample, so that the
/// load average still shows it.
pub fn noise(machine: &Machine, before: &Sample, after: &Sample, own_load: bool) -> Vec<String> {
    let mut noise = Vec::new();
    if let Some(steal) = after.steal_percent_since(before).filter(|steal| *steal > STEAL_LIMIT) {
        noise.push(format!("the hypervisor gave {steal:.1} % of the CPU time to others (steal)"));
    }
    if let Some(others) = after.others_percent_since(before).filter(|other| *other > OTHERS_LIMIT) {
        noise.push(format!("other processes used {others:.1} % of the CPU time"));
    }
    if let (Some(load), Some(vcpus), false) = (before.load1, machine.vcpus, own_load)
        && load > LOAD_LIMIT * f64::from(vcpus)
    {
        noise.push(format!("other work was running before the start: load average {load:.2}"));
    }
    if let Some(swap) = after.swap_used.filter(|bytes| *bytes > 0) {
        noise.push(format!("{} MiB of swap were in use", swap.div_ceil(1 << 20)));
    }
    let available = [before, after]
        .into_iter()
        .filter_map(|sample| Some((sample.memory_available?, sample.memory_total?)));
    if let Some((free, total)) = available.min()
        && free.saturating_mul(100) < total.saturating_mul(MEMORY_LIMIT)
    {
        noise.push(format!("memory was low: {} of {} MiB available", free >> 20, total >> 20));
    }
    if let (Some(then), Some(now)) = (before.throttled, after.throttled)
        && now > then
    {
        noise.push(format!("the CPUs were slowed down {} times because of heat", now - then));
    }
    if let Some(governor) = machine.governor.as_deref().filter(|name| *name != "performance") {
        noise.push(format!("the CPU frequency governor is {governor}, not performance"));
    }
    if let Some(clock) = machine.clock_source.as_deref().filter(|name| SLOW_CLOCKS.contains(name)) {
        noise.push(format!("the clock source {clock} is slow to read"));
    }
    noise
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(busy: u64, steal: u64, all: u64) -> Sample {
        Sample {
            cpu: Some(CpuTicks { busy, steal, all }),
            children: Some(Duration::ZERO),
            load1: Some(0.1),
            swap_used: Some(0),
            memory_available: Some(900 << 20),
            memory_total: Some(1000 << 20),
            throttled: Some(5),
        }
    }

    fn quiet() -> Machine {
        Machine {
            vcpus: Some(2),
            governor: Some("performance".to_owned()),
            clock_source: Some("tsc".to_owned()),
            ..Machine::default()
        }
    }

    #[test]
    fn a_quiet_machine_has_nothing_to_say() {
        let (before, after) = (sample(100, 5, 1000), sample(110, 6, 2000));
        assert_eq!(noise(&quiet(), &before, &after, false), Vec::<String>::new());
        assert_eq!(after.steal_percent_since(&before), Some(0.1));
        assert_eq!(
            noise(&Machine::default(), &Sample::default(), &Sample::default(), false).len(),
            0
        );
    }

    #[test]
    fn every_kind_of_noise_is_named() {
        let before = Sample { load1: Some(1.5), ..sample(100, 5, 1000) };
        let after = Sample {
            swap_used: Some(3 << 20),
            memory_available: Some(50 << 20),
            throttled: Some(7),
            ..sample(200, 45, 2000)
        };
        let machine = Machine {
            governor: Some("powersave".to_owned()),
            clock_source: Some("hpet".to_owned()),
            ..quiet()
        };
        let said = noise(&machine, &before, &after, false);
        for word in [
            "4.0 % of the CPU time to others (steal)",
            "other processes used 10.0 %",
            "load average 1.50",
            "3 MiB of swap",
            "50 of 1000 MiB",
            "slowed down 2 times",
            "powersave",
            "hpet",
        ] {
            assert!(said.iter().any(|text| text.contains(word)), "{word} in {said:?}");
        }
        assert_eq!(said.len(), 8, "{said:?}");
        let later = noise(&machine, &before, &after, true);
        assert!(!later.iter().any(|text| text.contains("load average")), "{later:?}");
    }

    #[test]
    fn the_workloads_own_time_is_not_counted_as_other_load() {
        let before = sample(100, 0, 1000);
        let own = Duration::from_millis(500 * 1000 / procfs::ticks_per_second());
        let after = Sample { children: Some(own), ..sample(600, 0, 2000) };
        assert_eq!(after.others_percent_since(&before), Some(0.0));
    }

    #[test]
    fn this_machine_can_be_sampled() {
        let root = Path::new("/");
        let telemetry = Sample::take(root).telemetry(&Sample::default());
        assert!(telemetry.load1.is_some(), "{telemetry:?}");
        assert!(telemetry.memory_available_bytes.is_some(), "{telemetry:?}");
        assert_eq!(telemetry.steal_percent, None);
    }
}
