//! What kind of machine this is: facts that do not change while the runner lives.
//!
//! All of it is read from files below a root folder, which is `/` but for tests. A file that is
//! missing or unreadable leaves its fact out; no fact is worth failing for.

use std::fs;
use std::path::{Path, PathBuf};

use procfs::process::Stat;
use procfs::{CpuInfo, FromRead, Meminfo, Uptime};
use railsbench_core::id::MachineId;
use railsbench_core::protocol::RunnerFacts;

/// Facts about the machine and its system.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Machine {
    /// The kernel's boot id: runners that share it share a kernel.
    pub id: Option<MachineId>,
    /// Architecture, e.g. `x86_64`.
    pub arch: String,
    /// CPUs that this process may use, by affinity and control group.
    pub vcpus: Option<u32>,
    /// Memory in bytes: the machine's, or less if the control group allows less.
    pub memory_bytes: Option<u64>,
    /// The processor in its maker's words.
    pub cpu_model: Option<String>,
    /// Its microcode revision.
    pub microcode: Option<String>,
    /// Kernel release.
    pub kernel: Option<String>,
    /// Operating system, e.g. `Debian GNU/Linux 13 (trixie)`.
    pub os: Option<String>,
    /// CPU frequency governor of the first CPU.
    pub governor: Option<String>,
    /// Clock source of the kernel.
    pub clock_source: Option<String>,
    /// Whether two threads share a core.
    pub smt: Option<bool>,
    /// Number of NUMA nodes.
    pub numa_nodes: Option<u32>,
    /// Name of the image that the machine was started from, as the runner was told.
    pub image: Option<String>,
}

impl Machine {
    /// Reads the facts from the files below `root`.
    pub fn read(root: &Path, image: Option<String>) -> Self {
        let files = Files(root);
        let cpus = CpuInfo::from_file(files.path("proc/cpuinfo")).ok();
        let cpu_field = |name| Some(one_line(cpus.as_ref()?.get_field(0, name)?));
        // ARM kernels name numbers where x86 kernels name a product.
        let arm_model = || {
            let implementer = cpu_field("CPU implementer")?;
            Some(format!("implementer {implementer}, part {}", cpu_field("CPU part")?))
        };
        let os_release = files.text("etc/os-release").or_else(|| files.text("usr/lib/os-release"));
        Self {
            id: files
                .text("proc/sys/kernel/random/boot_id")
                .and_then(|text| MachineId::new(text.trim()).ok()),
            arch: std::env::consts::ARCH.to_owned(),
            vcpus: std::thread::available_parallelism()
                .ok()
                .and_then(|count| u32::try_from(count.get()).ok()),
            memory_bytes: memory(&files),
            cpu_model: cpu_field("model name").or_else(arm_model),
            microcode: cpu_field("microcode"),
            kernel: files.line("proc/sys/kernel/osrelease"),
            os: os_release.as_deref().and_then(pretty_name),
            governor: files.line("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            clock_source: files
                .line("sys/devices/system/clocksource/clocksource0/current_clocksource"),
            smt: files.line("sys/devices/system/cpu/smt/active").map(|text| text == "1"),
            numa_nodes: files.count("sys/devices/system/node", "node"),
            image,
        }
    }

    /// What is told to the orchestrator with each claim.
    pub fn facts(&self, root: &Path) -> RunnerFacts {
        RunnerFacts {
            boot_seconds: seconds_since_start(&Files(root)),
            vcpus: self.vcpus,
            memory_bytes: self.memory_bytes,
            arch: Some(self.arch.clone()),
            image: self.image.clone(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }
    }
}

/// How often the CPUs have been slowed down because they were hot, in all.
pub(crate) fn throttle_count(root: &Path) -> Option<u64> {
    let files = Files(root);
    let counts: Vec<u64> = files
        .numbered("sys/devices/system/cpu", "cpu")
        .filter_map(|cpu| fs::read_to_string(cpu.join("thermal_throttle/core_throttle_count")).ok())
        .filter_map(|text| text.trim().parse().ok())
        .collect();
    (!counts.is_empty()).then(|| counts.iter().sum())
}

struct Files<'a>(&'a Path);

impl Files<'_> {
    fn path(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path(path)).ok()
    }

    fn line(&self, path: &str) -> Option<String> {
        self.text(path).map(|text| one_line(&text)).filter(|text| !text.is_empty())
    }

    /// Entries of a folder that are named by a prefix and a number, e.g. `cpu0`.
    fn numbered(&self, folder: &str, prefix: &'static str) -> impl Iterator<Item = PathBuf> {
        fs::read_dir(self.path(folder)).into_iter().flatten().flatten().filter_map(move |entry| {
            let name = entry.file_name();
            let number = name.to_str()?.strip_prefix(prefix)?;
            number.parse::<u32>().ok()?;
            Some(entry.path())
        })
    }

    fn count(&self, folder: &str, prefix: &'static str) -> Option<u32> {
        u32::try_from(self.numbered(folder, prefix).count()).ok().filter(|count| *count > 0)
    }
}

/// The text on one line, without control characters, at most 200 characters long.
fn one_line(text: &str) -> String {
    text.trim()
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(200)
        .collect()
}

fn pretty_name(os_release: &str) -> Option<String> {
    let value = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(one_line(value.trim().trim_matches(['"', '\''])))
}

/// The memory of the machine, or the limit of the control group if that is less. Both versions
/// of control groups show a container its own group at a fixed place.
fn memory(files: &Files<'_>) -> Option<u64> {
    let limit = |path| files.text(path).and_then(|text| text.trim().parse::<u64>().ok());
    let machine = Meminfo::from_file(files.path("proc/meminfo")).ok().map(|info| info.mem_total);
    [
        machine,
        limit("sys/fs/cgroup/memory.max"),
        limit("sys/fs/cgroup/memory/memory.limit_in_bytes"),
    ]
    .into_iter()
    .flatten()
    .min()
}

/// Seconds since the machine was started: since its first process was, so that a container
/// counts from its own start and not from its host's.
fn seconds_since_start(files: &Files<'_>) -> Option<f64> {
    let uptime = Uptime::from_file(files.path("proc/uptime")).ok()?.uptime;
    let first = Stat::from_file(files.path("proc/1/stat")).ok()?.starttime;
    let started = first as f64 / procfs::ticks_per_second() as f64;
    // In hundredths, as the kernel counts.
    Some(((uptime - started).max(0.0) * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn facts_come_from_the_files_of_the_system() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap();
        let total = meminfo.lines().next().unwrap();
        write(root, "proc/meminfo", &meminfo.replace(total, "MemTotal:        2097152 kB"));
        write(root, "proc/sys/kernel/random/boot_id", "7d6b-11\n");
        write(
            root,
            "proc/cpuinfo",
            "processor\t: 0\nmodel name\t: Fast 3000\nmicrocode\t: 0x1f\n\n",
        );
        write(root, "proc/sys/kernel/osrelease", "6.1.0\n");
        write(root, "etc/os-release", "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n");
        write(root, "sys/devices/system/cpu/smt/active", "1\n");
        write(root, "sys/devices/system/node/node0/x", "");
        write(root, "sys/devices/system/node/node1/x", "");
        write(root, "sys/devices/system/node/online", "0-1");
        write(root, "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "3\n");
        write(root, "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "4\n");
        let machine = Machine::read(root, Some("image-1".to_owned()));
        assert_eq!(machine.id.as_ref().map(MachineId::as_str), Some("7d6b-11"));
        assert_eq!(machine.memory_bytes, Some(2 << 30));
        assert_eq!(machine.cpu_model.as_deref(), Some("Fast 3000"));
        assert_eq!(machine.microcode.as_deref(), Some("0x1f"));
        assert_eq!(machine.kernel.as_deref(), Some("6.1.0"));
        assert_eq!(machine.os.as_deref(), Some("Debian GNU/Linux 13 (trixie)"));
        assert_eq!(machine.smt, Some(true));
        assert_eq!(machine.numa_nodes, Some(2));
        assert_eq!(machine.governor, None);
        assert_eq!(throttle_count(root), Some(7));

        write(root, "sys/fs/cgroup/memory.max", "1073741824\n");
        assert_eq!(Machine::read(root, None).memory_bytes, Some(1 << 30));
        write(root, "sys/fs/cgroup/memory.max", "max\n");
        assert_eq!(Machine::read(root, None).memory_bytes, Some(2 << 30));
    }

    #[test]
    fn arm_processors_are_named_by_their_numbers() {
        let root = tempfile::tempdir().unwrap();
        let cpuinfo = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n\n";
        write(root.path(), "proc/cpuinfo", cpuinfo);
        let machine = Machine::read(root.path(), None);
        assert_eq!(machine.cpu_model.as_deref(), Some("implementer 0x41, part 0xd40"));
    }

    #[test]
    fn an_empty_system_tells_nothing_and_breaks_nothing() {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::read(root.path(), None);
        assert_eq!(machine.memory_bytes, None);
        assert_eq!(machine.facts(root.path()).boot_seconds, None);
        assert_eq!(throttle_count(root.path()), None);
    }

    #[test]
    fn this_machine_has_started() {
        let root = Path::new("/");
        let facts = Machine::read(root, None).facts(root);
        assert!(facts.boot_seconds.is_some_and(|seconds| seconds >= 0.0), "{facts:?}");
        assert!(facts.memory_bytes.is_some_and(|bytes| bytes > 0), "{facts:?}");
        assert!(facts.vcpus.is_some_and(|count| count > 0), "{facts:?}");
    }
}
