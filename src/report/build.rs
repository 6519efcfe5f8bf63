//! From inputs to the report.

use std::collections::BTreeMap;

use railsbench_core::analysis::{
    Analysis, HourlyPrice, LabelAnalysis, LeftOut, Series, Settings, TaskSamples, analyse, median,
};
use railsbench_core::money::Usd;
use railsbench_core::protocol::{RunView, TaskStatus};
use railsbench_core::provider::Price;
use railsbench_core::results::folder_name;
use railsbench_core::workload::SUITES;
use sha2::{Digest as _, Sha256};

use super::load::{Inputs, TaskResult, label};
use super::model::{
    ComparisonReport, FORMAT, Failure, LabelReport, Oddity, PriceRange, Report, RunFacts,
    SettingsUsed, TaskReport, VariantValue,
};
use super::thin::{Budget, MOST_TASKS, SeriesPlot, TaskPlot, distribution};
use super::{ReportError, format, headline};

/// The benchmark that loads the whole machine, and what it reports.
const WHOLE_MACHINE: &str = "puma_http";
const REQUESTS_PER_SECOND: &str = "requests_per_second";

impl Report {
    /// Makes the report. Pure: the random numbers start from the run's id.
    ///
    /// # Errors
    /// [`ReportError::NoFigures`] if no task left any.
    pub fn build(inputs: &Inputs) -> Result<Self, ReportError> {
        let failures = failures(inputs);
        if inputs.tasks.is_empty() {
            let ends: Vec<String> = failures
                .iter()
                .map(|failure| {
                    format!("{} {}: {}", failure.task, failure.status.as_str(), failure.reason)
                })
                .collect();
            let why = if ends.is_empty() { "it has no tasks".to_owned() } else { ends.join("; ") };
            return Err(ReportError::NoFigures { run_id: inputs.run.summary.run_id.clone(), why });
        }
        let settings = Settings { prices: prices(inputs), ..Settings::new(seed(&inputs.run)) };
        let mut analysis = analyse(&samples(inputs), &settings);
        order_benchmarks(&mut analysis);
        let labels: Vec<LabelReport> = analysis
            .labels
            .into_iter()
            .filter_map(|analysis| label_report(inputs, analysis))
            .collect();
        let comparisons: Vec<ComparisonReport> = analysis
            .comparisons
            .into_iter()
            .map(|comparison| ComparisonReport { sentence: comparison.sentence(), comparison })
            .collect();
        let run = run_facts(&inputs.run);
        let tasks: Vec<TaskReport> = inputs.tasks.iter().map(task_report).collect();
        Ok(Self {
            format: FORMAT,
            headline: headline::sentences(&run, &labels, &comparisons, &failures, &tasks),
            settings: SettingsUsed {
                confidence: settings.confidence,
                resamples: settings.resamples,
                seed: settings.seed,
                negligible: settings.negligible,
            },
            oddities: oddities(inputs, &labels, &analysis.left_out),
            plots: plots(inputs, &labels),
            run,
            labels,
            comparisons,
            values: analysis.values,
            failures,
            tasks,
        })
    }
}

fn seed(run: &RunView) -> u64 {
    let digest = Sha256::digest(run.summary.run_id.as_str().as_bytes());
    digest.iter().take(8).fold(0, |seed, &byte| (seed << 8) | u64::from(byte))
}

fn run_facts(run: &RunView) -> RunFacts {
    let summary = &run.summary;
    let is_set = |value: Option<&serde_json::Value>| value == Some(&true.into());
    RunFacts {
        id: summary.run_id.clone(),
        status: summary.status,
        ruby_version: summary.ruby_version.clone(),
        created_at: summary.created_at,
        ended_at: summary.ended_at,
        quick: is_set(run.config.pointer("/workload/quick")),
        mock: is_set(run.config.get("mock")),
        config: run.config.clone(),
    }
}

/// What an hour of each type costs, where it costs anything.
fn prices(inputs: &Inputs) -> BTreeMap<String, HourlyPrice> {
    let charged = inputs.prices.iter().filter(|(_, price)| price.per_hour > Usd::ZERO);
    charged
        .map(|(label, price)| (label.clone(), HourlyPrice::exact(price.per_hour.dollars())))
        .collect()
}

/// Tasks with their times, the types in the order of the run.
fn samples(inputs: &Inputs) -> Vec<TaskSamples> {
    let mut tasks: Vec<&TaskResult> = inputs.tasks.iter().collect();
    let place =
        |task: &TaskResult| inputs.run.tasks.iter().position(|view| label(view) == task.label);
    tasks.sort_by_key(|task| (place(task), task.number));
    tasks
        .into_iter()
        .map(|task| TaskSamples {
            label: task.label.clone(),
            machine: task.machine(),
            number: task.number,
            variants: task
                .output
                .raw_data
                .iter()
                .map(|(variant, benchmarks)| {
                    let times = |(name, samples): (&String, &railsbench_core::results::Samples)| {
                        (name.clone(), samples.bench.clone())
                    };
                    (variant.clone(), benchmarks.iter().map(times).collect())
                })
                .collect(),
        })
        .collect()
}

/// Place of a benchmark in its suite; unknown ones come last, by name.
fn place_in_suite(benchmark: &str) -> (usize, String) {
    let known = SUITES.iter().flat_map(|suite| suite.benchmarks);
    let place = known.clone().position(|one| one.name == benchmark);
    (place.unwrap_or_else(|| known.count()), benchmark.to_owned())
}

fn order_benchmarks(analysis: &mut Analysis) {
    for label in &mut analysis.labels {
        label
            .series
            .sort_by_cached_key(|one| (one.variant.clone(), place_in_suite(&one.benchmark)));
        for mean in &mut label.geometric_means {
            mean.benchmarks.sort_by_cached_key(|benchmark| place_in_suite(benchmark));
        }
        label.speed_ups.sort_by_cached_key(|one| {
            (one.variant.clone(), one.benchmark.as_deref().map(place_in_suite))
        });
    }
    for comparison in &mut analysis.comparisons {
        comparison.benchmarks.sort_by_cached_key(|(benchmark, _)| place_in_suite(benchmark));
    }
    for value in &mut analysis.values {
        value.benchmarks.sort_by_cached_key(|benchmark| place_in_suite(benchmark));
    }
}

fn label_report(inputs: &Inputs, analysis: LabelAnalysis) -> Option<LabelReport> {
    let first = inputs.tasks.iter().find(|task| task.label == analysis.label)?;
    let price = inputs.prices.get(&analysis.label).cloned();
    Some(LabelReport {
        provider: first.metadata.provider.clone(),
        instance_type: first.metadata.instance_type.clone(),
        values: values(inputs, &analysis, price.as_ref()),
        price,
        analysis,
    })
}

fn values(inputs: &Inputs, label: &LabelAnalysis, price: Option<&Price>) -> Vec<VariantValue> {
    // Money per second of machine time; what is free has no value to compare.
    let rate = price.map(|price| price.per_hour.dollars() / 3600.0).filter(|rate| *rate > 0.0);
    let million = |seconds: f64| Usd::from_dollars(rate? * seconds * 1e6);
    label
        .geometric_means
        .iter()
        .map(|mean| {
            let rates: Vec<f64> = inputs
                .tasks
                .iter()
                .filter(|task| task.label == label.label)
                .filter_map(|task| requests_per_second(task, &mean.variant))
                .collect();
            let requests = (!rates.is_empty()).then(|| median(&rates));
            let interval = mean.time.interval;
            VariantValue {
                variant: mean.variant.clone(),
                requests_per_second: requests,
                cost_per_million_requests: requests.and_then(|rate| million(1.0 / rate)),
                cost_per_million_iterations: million(mean.time.value).map(|likely| PriceRange {
                    likely,
                    low: interval.and_then(|interval| million(interval.low)),
                    high: interval.and_then(|interval| million(interval.high)),
                }),
            }
        })
        .collect()
}

/// The median throughput that the whole-machine benchmark of a task reports.
fn requests_per_second(task: &TaskResult, variant: &str) -> Option<f64> {
    let samples = task.output.raw_data.get(variant)?.get(WHOLE_MACHINE)?;
    let rates: Vec<f64> = samples
        .extra
        .get(REQUESTS_PER_SECOND)?
        .as_array()?
        .iter()
        .filter_map(serde_json::Value::as_f64)
        .filter(|rate| *rate > 0.0 && rate.is_finite())
        .collect();
    (!rates.is_empty()).then(|| median(&rates))
}

fn oddities(inputs: &Inputs, labels: &[LabelReport], left_out: &[LeftOut]) -> Vec<Oddity> {
    let of_tasks = inputs.tasks.iter().flat_map(|task| {
        let about = folder_name(&task.label, task.number);
        task.metadata.noise.iter().map(move |sentence| Oddity {
            about: about.clone(),
            sentence: sentence.clone(),
            flag: None,
        })
    });
    let of_series = labels.iter().flat_map(|label| {
        label.analysis.series.iter().flat_map(|series| {
            let about = format!(
                "{}, {}, {}",
                label.analysis.label,
                series.benchmark,
                format::variant(&series.variant)
            );
            series.flags.iter().map(move |flag| Oddity {
                about: about.clone(),
                sentence: flag.sentence(),
                flag: Some(flag.clone()),
            })
        })
    });
    let of_left_out = left_out.iter().map(|one| Oddity {
        about: folder_name(&one.label, one.number),
        sentence: format!(
            "{}, {}, was left out: some of its times cannot be times of an iteration",
            one.benchmark,
            format::variant(&one.variant)
        ),
        flag: None,
    });
    of_tasks.chain(of_left_out).chain(of_series).collect()
}

fn failures(inputs: &Inputs) -> Vec<Failure> {
    inputs
        .run
        .tasks
        .iter()
        .filter_map(|view| {
            let task = view.label();
            let broken = inputs.unreadable.iter().find(|one| one.folder == task);
            let reason = match (view.status, broken) {
                (TaskStatus::Completed, None) => return None,
                (TaskStatus::Completed, Some(broken)) => {
                    format!("its files cannot be used: {}", broken.problem)
                }
                _ => view.message.clone().unwrap_or_else(|| "no reason is known".to_owned()),
            };
            Some(Failure { task, status: view.status, attempts: view.attempt.0, reason })
        })
        .collect()
}

fn task_report(task: &TaskResult) -> TaskReport {
    let rubies = task
        .output
        .raw_data
        .iter()
        .filter_map(|(variant, benchmarks)| {
            let samples = benchmarks.values().find(|one| !one.ruby_description.is_empty())?;
            Some((variant.clone(), samples.ruby_description.clone()))
        })
        .collect();
    TaskReport {
        folder: folder_name(&task.label, task.number),
        counted_as: task.machine(),
        label: task.label.clone(),
        rubies,
        metadata: task.metadata.clone(),
    }
}

fn plots(inputs: &Inputs, labels: &[LabelReport]) -> Vec<SeriesPlot> {
    let series: Vec<(&str, &Series)> = labels
        .iter()
        .flat_map(|label| {
            label.analysis.series.iter().map(|one| (label.analysis.label.as_str(), one))
        })
        .collect();
    let drawn = series.iter().map(|(_, one)| one.tasks.len().min(MOST_TASKS)).sum();
    let budget = Budget::for_report(series.len(), drawn);
    let tasks: BTreeMap<(&str, u32), &TaskResult> =
        inputs.tasks.iter().map(|task| ((task.label.as_str(), task.number), task)).collect();
    series.into_iter().map(|(label, series)| series_plot(&tasks, label, series, budget)).collect()
}

fn series_plot(
    tasks: &BTreeMap<(&str, u32), &TaskResult>,
    label: &str,
    series: &Series,
    budget: Budget,
) -> SeriesPlot {
    let parts = series.tasks.iter().filter_map(|part| {
        let task = tasks.get(&(label, part.number))?;
        Some((part, task.output.raw_data.get(&series.variant)?.get(&series.benchmark)?))
    });
    let parts: Vec<_> = parts.collect();
    let steady: Vec<f64> = parts
        .iter()
        .flat_map(|(part, samples)| &samples.bench[part.steady.start().min(samples.bench.len())..])
        .copied()
        .collect();
    let (dots, quantiles) = distribution(&steady, budget.dots);
    SeriesPlot {
        label: label.to_owned(),
        variant: series.variant.clone(),
        benchmark: series.benchmark.clone(),
        times: parts.iter().map(|(_, samples)| samples.bench.len()).sum(),
        dots,
        quantiles,
        task_count: parts.len(),
        tasks: parts
            .iter()
            .take(MOST_TASKS)
            .map(|(part, samples)| {
                TaskPlot::new(&samples.warmup, &samples.bench, part.steady.start(), budget.points)
            })
            .collect(),
    }
}
