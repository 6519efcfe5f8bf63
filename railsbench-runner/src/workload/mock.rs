//! The mock suite: made-up figures that look like real ones, the same each time, to try the
//! machinery with. It is started like any other workload, as `railsbench-runner mock-workload`.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use railsbench_core::results::{OUTPUT_CSV, OUTPUT_JSON, Output, Samples};
use railsbench_core::workload::MOCK;
use serde_json::{Map, json};
use sha2::{Digest, Sha256};

use super::JobSpec;

/// How long each benchmark of each variant pretends to take.
const PAUSE: Duration = Duration::from_millis(500);
const QUICK_PAUSE: Duration = Duration::from_millis(50);
/// Name and speed of the variants, as a factor on the time.
const VARIANTS: [(&str, f64); 2] = [("interp", 1.0), ("yjit", 0.7)];
const WARMUPS: u32 = 5;
const ITERATIONS: u32 = 30;

/// Why the mock suite failed.
#[derive(Debug, thiserror::Error)]
pub enum MockError {
    /// It was not started as a workload.
    #[error("{0} is not set: the mock suite is started by the runner, not by hand")]
    Variable(&'static str),
    /// A file cannot be used.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The suite has no such benchmark.
    #[error("there is no benchmark {0:?} in the mock suite")]
    Unknown(String),
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> MockError {
    move |source| MockError::File { path: path.to_owned(), source }
}

/// Runs the mock suite, told by the environment what every workload is told.
///
/// # Errors
/// [`MockError`] saying what is missing.
pub fn run_mock() -> Result<(), MockError> {
    let variable =
        |name| std::env::var_os(name).map(PathBuf::from).ok_or(MockError::Variable(name));
    let spec_file = variable("RAILSBENCH_SPEC")?;
    let folder = variable("RAILSBENCH_OUTPUT_DIR")?;
    let pipe = variable("RAILSBENCH_PROGRESS")?;
    let spec: JobSpec = fs::read(&spec_file)
        .and_then(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::from))
        .map_err(file(&spec_file))?;
    let mut progress = OpenOptions::new().write(true).open(&pipe).map_err(file(&pipe))?;

    let pause = if spec.quick { QUICK_PAUSE } else { PAUSE };
    let benchmarks = chosen(&spec)?;
    let total = VARIANTS.len() * benchmarks.len();
    let mut raw_data = BTreeMap::new();
    let mut done = 0;
    for (variant, speed) in VARIANTS {
        let mut figures = BTreeMap::new();
        for (name, seconds) in &benchmarks {
            let line = json!({
                "benchmark": name, "variant": variant, "done": done, "total": total,
            });
            writeln!(progress, "{line}").map_err(file(&pipe))?;
            println!("{name} ({variant})");
            std::thread::sleep(pause);
            figures.insert((*name).to_owned(), samples(&spec.seed, variant, name, seconds * speed));
            done += 1;
        }
        raw_data.insert(variant.to_owned(), figures);
    }

    let descriptions: Map<_, _> = VARIANTS
        .iter()
        .map(|(variant, _)| ((*variant).to_owned(), description(variant).into()))
        .collect();
    let metadata = Map::from_iter([
        ("ruby_descriptions".to_owned(), descriptions.into()),
        ("quick".to_owned(), spec.quick.into()),
        ("mock".to_owned(), true.into()),
    ]);
    let output = Output { metadata, raw_data };
    let path = folder.join(OUTPUT_JSON);
    let bytes = serde_json::to_vec(&output).map_err(io::Error::from).map_err(file(&path))?;
    fs::write(&path, bytes).map_err(file(&path))?;
    let path = folder.join(OUTPUT_CSV);
    fs::write(&path, output.to_csv()).map_err(file(&path))?;
    println!("done");
    Ok(())
}

/// The benchmarks to run, in the suite's order, with the time each is made to take, in seconds.
fn chosen(spec: &JobSpec) -> Result<Vec<(&'static str, f64)>, MockError> {
    if let Some(unknown) = spec
        .benchmarks
        .iter()
        .find(|name| MOCK.benchmarks.iter().all(|benchmark| benchmark.name != name.as_str()))
    {
        return Err(MockError::Unknown(unknown.clone()));
    }
    Ok(MOCK
        .benchmarks
        .iter()
        .map(|benchmark| benchmark.name)
        .filter(|name| spec.benchmarks.is_empty() || spec.benchmarks.iter().any(|b| b == name))
        .map(|name| (name, if name == "mock_query" { 0.005 } else { 0.020 }))
        .collect())
}

fn description(variant: &str) -> String {
    let jit = if variant == "yjit" { " +YJIT" } else { "" };
    format!("mock ruby 0.0.0{jit} [made up]")
}

/// Times around `seconds`: a machine type differs by up to half, a run by up to 2 %, an
/// iteration by up to 5 %, and one in twenty is slow. Warm-up begins at twice the time.
fn samples(seed: &str, variant: &str, name: &str, seconds: f64) -> Samples {
    let machine = seed.rsplit_once('/').map_or(seed, |(machine, _)| machine);
    let pace = 0.75 + 0.75 * chance(&[machine, "speed"]);
    let run = 0.98 + 0.04 * chance(&[seed, variant, name]);
    let time = |phase: &str, index: u32| {
        let number = index.to_string();
        let chance = |what| chance(&[seed, variant, name, phase, &number, what]);
        let slow = if chance("slow") < 0.05 { 1.3 } else { 1.0 };
        seconds * pace * run * (0.95 + 0.1 * chance("jitter")) * slow
    };
    Samples {
        warmup: (0..WARMUPS)
            .map(|index| time("warmup", index) * (1.0 + 1.0 / f64::from(index + 1)))
            .collect(),
        bench: (0..ITERATIONS).map(|index| time("bench", index)).collect(),
        rss: Some(90 << 20),
        ruby_description: description(variant),
        iterations_per_sample: 1,
        extra: Map::new(),
    }
}

/// A number from 0 to 1 that is the same for the same words on every machine.
fn chance(words: &[&str]) -> f64 {
    let digest = Sha256::digest(words.join("\n"));
    let bits = digest.iter().take(4).fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
    f64::from(bits) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_the_same_each_time_and_differ_between_runs() {
        let first = samples("aws/c7g.medium/1", "interp", "mock_request", 0.02);
        assert_eq!(first, samples("aws/c7g.medium/1", "interp", "mock_request", 0.02));
        assert_ne!(first.bench, samples("aws/c7g.medium/2", "interp", "mock_request", 0.02).bench);
        assert_ne!(first.bench, samples("aws/c7g.large/1", "interp", "mock_request", 0.02).bench);
        assert!(first.bench.iter().chain(&first.warmup).all(|time| *time > 0.0 && *time < 0.1));
    }

    #[test]
    fn chance_is_spread_from_0_to_1() {
        let values: Vec<f64> = (0..1000).map(|n: u32| chance(&[&n.to_string()])).collect();
        let mean = values.iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
        assert!(values.iter().all(|value| (0.0..=1.0).contains(value)));
    }
}
