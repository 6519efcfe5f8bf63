//! A results folder as a run leaves it, made from a seed.

use std::collections::BTreeMap;
use std::path::Path;

use railsbench_core::id::TaskId;
use railsbench_core::results::{METADATA_JSON, OUTPUT_JSON, Output, Samples, folder_name};
use railsbench_core::workload::RAILS;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, json};

use crate::report::RUN_JSON;
use crate::report::load::sha256_hex;

/// One instance type of the fixture.
pub(super) struct Type<'a> {
    pub(super) provider: &'a str,
    pub(super) name: &'a str,
    pub(super) tasks: u32,
    /// How long everything takes relative to the usual.
    pub(super) slowness: f64,
}

/// What to make.
pub(super) struct Fixture<'a> {
    pub(super) types: &'a [Type<'a>],
    pub(super) times: usize,
    pub(super) benchmarks: &'a [&'a str],
    pub(super) quick: bool,
}

impl Fixture<'_> {
    /// Writes the folder: `run.json` and a folder for each task but those of `failed`, given by
    /// folder name.
    pub(super) fn write(&self, folder: &Path, failed: &[&str]) {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(42);
        let mut tasks = Vec::new();
        let most = self.types.iter().map(|one| one.tasks).max().unwrap();
        for number in 1..=most {
            for one in self.types.iter().filter(|one| number <= one.tasks) {
                let name = folder_name(one.name, number);
                let id = TaskId::from_parts(1_700_000_000_000, rng.random::<u64>().into());
                let fails = failed.contains(&name.as_str());
                tasks.push(json!({
                    "id": id, "provider": one.provider, "instance_type": one.name,
                    "run_number": number, "status": if fails { "failed" } else { "completed" },
                    "attempt": if fails { 3 } else { 1 }, "failures": if fails { 3 } else { 0 },
                    "message": fails.then_some("the workload ended with exit code 1: <LoadError> & co"),
                    "updated_at": "2026-01-02T04:00:00Z",
                }));
                if !fails {
                    self.write_task(&folder.join(&name), &id, one, number, &mut rng);
                }
            }
        }
        let types: BTreeMap<&str, Vec<&str>> =
            self.types.iter().fold(BTreeMap::new(), |mut all, one| {
                all.entry(one.provider).or_default().push(one.name);
                all
            });
        let mut config =
            json!({"ruby_version": "3.3.0", "workload": {"suite": "rails", "quick": self.quick}});
        for (provider, names) in types {
            config[provider] = json!(names);
        }
        let total = tasks.len();
        let run = json!({
            "run_id": "1732470000", "status": "completed", "ruby_version": "3.3.0",
            "created_at": "2026-01-02T03:04:05Z", "ended_at": "2026-01-02T04:00:00Z",
            "task_counts": {"total": total, "pending": 0, "claimed": 0, "running": 0,
                "completed": total - failed.len(), "failed": failed.len(), "cancelled": 0},
            "results_url": "/runs/1732470000/results", "config": config, "tasks": tasks,
        });
        std::fs::write(folder.join(RUN_JSON), run.to_string()).unwrap();
    }

    fn write_task(
        &self,
        folder: &Path,
        id: &TaskId,
        one: &Type<'_>,
        number: u32,
        rng: &mut Xoshiro256PlusPlus,
    ) {
        std::fs::create_dir_all(folder).unwrap();
        let luck = 1.0 + 0.03 * noise(rng);
        let mut raw_data: BTreeMap<String, BTreeMap<String, Samples>> = BTreeMap::new();
        for (variant, gain) in [("interp", 1.0), ("yjit", 0.7)] {
            for (index, benchmark) in self.benchmarks.iter().enumerate() {
                let middle = 0.0012 * (index as f64 + 1.0) * gain * one.slowness * luck;
                let mut samples = self.samples(middle, index, rng);
                samples.ruby_description = format!(
                    "ruby 3.3.0 (2023-12-25 revision 5124f9ac75) {}[x86_64-linux]",
                    if variant == "yjit" { "+YJIT " } else { "" }
                );
                if *benchmark == "puma_http" {
                    samples.extra = Map::from_iter([(
                        "requests_per_second".to_owned(),
                        json!([1.0 / middle, 1.01 / middle]),
                    )]);
                }
                raw_data
                    .entry(variant.to_owned())
                    .or_default()
                    .insert((*benchmark).to_owned(), samples);
            }
        }
        let metadata = Map::from_iter([("quick".to_owned(), self.quick.into())]);
        let bytes = serde_json::to_vec(&Output { metadata, raw_data }).unwrap();
        let checksum = sha256_hex(&bytes);
        std::fs::write(folder.join(OUTPUT_JSON), &bytes).unwrap();
        let noise: &[&str] =
            if number == 2 { &["steal time was 2.4 % of all processor time"] } else { &[] };
        let metadata = json!({
            "task_id": id, "provider": one.provider, "instance_type": one.name, "run": number,
            "ruby_version": "3.3.0", "start_time": "2026-01-02T03:05:00Z",
            "end_time": "2026-01-02T03:25:00Z", "status": "completed",
            "runner_id": format!("runner-{}-{number}", one.name), "attempt": 1,
            "arch": "x86_64", "vcpus": 2, "memory_bytes": 8_269_070_336u64,
            "cpu_model": "AMD EPYC 7R13 Processor", "kernel": "6.12.43+deb13-cloud-amd64",
            "os": "Debian GNU/Linux 13 (trixie)", "governor": "performance",
            "steal_percent": if number == 2 { 2.4 } else { 0.0 }, "noise": noise,
            "checksum": checksum,
        });
        std::fs::write(folder.join(METADATA_JSON), metadata.to_string()).unwrap();
    }

    /// Times with a warm-up, pauses, and (in the third benchmark) a late change.
    fn samples(&self, middle: f64, index: usize, rng: &mut Xoshiro256PlusPlus) -> Samples {
        let mut time = |level: f64| {
            let pause = if rng.random::<f64>() < 0.01 { 0.8 } else { 0.0 };
            let seconds = middle * level * (1.0 + 0.02 * noise(rng).abs() + pause);
            // Whole nanoseconds, as a clock gives them.
            (seconds * 1e9).round() / 1e9
        };
        let warmup = (0..self.times / 4).map(|i| time(1.0 + 3.0 / (1.0 + i as f64))).collect();
        let change = if index == 2 { 0.2 } else { 0.0 };
        let bench = (0..self.times)
            .map(|i| time(if i * 10 > self.times * 8 { 1.0 + change } else { 1.0 }))
            .collect();
        Samples {
            bench,
            warmup,
            rss: Some(91_234_304),
            ruby_description: String::new(),
            iterations_per_sample: 1,
            extra: Map::new(),
        }
    }
}

/// Roughly normal: the sum of twelve uniform numbers.
fn noise(rng: &mut Xoshiro256PlusPlus) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

/// All benchmarks of the Rails suite.
pub(super) fn all_benchmarks() -> Vec<&'static str> {
    RAILS.benchmarks.iter().map(|benchmark| benchmark.name).collect()
}
