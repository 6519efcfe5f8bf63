//! The page: the report's figures laid out for the template `report.html.hbs`.
//!
//! The page needs nothing from outside: styles are in it, plots are SVG in it, and it has no
//! scripts. Everything but those plots is escaped by the template engine.

mod label;

use std::collections::BTreeMap;

use handlebars::Handlebars;
use railsbench_core::analysis::{Flag, Speed, Verdict};
use serde::Serialize;

use label::LabelPart;

use super::model::{Failure, Oddity, Report, RunFacts, TaskReport};
use super::plots::{Plot, RatioRow, distribution, ratios, time_series};
use super::thin::{MOST_TASKS, SeriesPlot};
use super::{ReportError, format};

const TEMPLATE: &str = include_str!("../report.html.hbs");

/// Rendered `report.html`.
pub(super) fn render(report: &Report) -> Result<String, ReportError> {
    let draw = |error: String| ReportError::Draw(error);
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry
        .register_template_string("report", TEMPLATE)
        .map_err(|error| draw(error.to_string()))?;
    let page = Page::new(report).map_err(draw)?;
    registry.render("report", &page).map_err(|error| draw(error.to_string()))
}

#[derive(Serialize)]
struct Page<'a> {
    run: &'a RunFacts,
    status: &'static str,
    created: String,
    ended: Option<String>,
    verdict: String,
    remarks: Vec<String>,
    labels: Vec<LabelPart<'a>>,
    comparisons: Vec<ComparisonPart<'a>>,
    benchmarks: Vec<BenchmarkPart>,
    thinned: bool,
    more_tasks: bool,
    most_tasks: usize,
    oddities: Vec<OddityPart>,
    failures: Vec<FailurePart<'a>>,
    machines: Vec<MachinePart<'a>>,
    config: String,
    confidence: String,
    resamples: usize,
    seed: u64,
    version: &'static str,
}

#[derive(Serialize)]
struct ComparisonPart<'a> {
    label: &'a str,
    baseline: &'a str,
    variant: &'a str,
    sentence: String,
    rows: Vec<ComparisonRow<'a>>,
    plot: Plot,
}

#[derive(Serialize)]
struct ComparisonRow<'a> {
    benchmark: &'a str,
    value: String,
    interval: String,
    verdict: &'static str,
    is_mean: bool,
}

#[derive(Serialize)]
struct BenchmarkPart {
    name: String,
    about: &'static str,
    distribution: Plot,
    series: Vec<Plot>,
}

#[derive(Serialize)]
struct FailurePart<'a> {
    #[serde(flatten)]
    failure: &'a Failure,
    status_words: &'static str,
}

#[derive(Serialize)]
struct OddityPart {
    about: String,
    words: String,
}

#[derive(Serialize)]
struct MachinePart<'a> {
    folder: &'a str,
    facts: Vec<(&'static str, String)>,
}

impl<'a> Page<'a> {
    fn new(report: &'a Report) -> Result<Self, String> {
        let mut sentences = report.headline.iter().map(|sentence| format::unbroken(sentence));
        Ok(Self {
            run: &report.run,
            status: report.run.status.as_str(),
            created: moment(report.run.created_at),
            ended: report.run.ended_at.map(moment),
            verdict: sentences.next().unwrap_or_default(),
            remarks: sentences.collect(),
            labels: report.labels.iter().map(LabelPart::new).collect::<Result<_, _>>()?,
            comparisons: comparisons(report)?,
            benchmarks: benchmarks(report)?,
            thinned: report.plots.iter().any(|plot| plot.dots.len() < plot.times),
            more_tasks: report.plots.iter().any(|plot| plot.task_count > MOST_TASKS),
            most_tasks: MOST_TASKS,
            oddities: oddities(report),
            failures: report
                .failures
                .iter()
                .map(|failure| FailurePart { failure, status_words: failure.status.as_str() })
                .collect(),
            machines: report.tasks.iter().map(machine).collect(),
            config: serde_json::to_string_pretty(&report.run.config)
                .map_err(|error| error.to_string())?,
            confidence: format!("{:.0} %", report.settings.confidence * 100.0),
            resamples: report.settings.resamples,
            seed: report.settings.seed,
            version: env!("CARGO_PKG_VERSION"),
        })
    }
}

/// To the second, in universal time.
fn moment(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Places of the run's variants, for their colours.
fn variant_places(report: &Report) -> BTreeMap<&str, usize> {
    let mut variants: Vec<&str> = report.plots.iter().map(|plot| plot.variant.as_str()).collect();
    variants.sort_unstable();
    variants.dedup();
    variants.into_iter().enumerate().map(|(place, variant)| (variant, place)).collect()
}

fn comparisons(report: &Report) -> Result<Vec<ComparisonPart<'_>>, String> {
    let places = variant_places(report);
    let part = |one: &'_ super::model::ComparisonReport| -> Result<Plot, String> {
        let comparison = &one.comparison;
        let row = |name, speed: &Speed, is_mean| RatioRow { name, speed: speed.speed, is_mean };
        let rows: Vec<RatioRow<'_>> = comparison
            .benchmarks
            .iter()
            .map(|(benchmark, speed)| row(benchmark.as_str(), speed, false))
            .chain([row("geometric mean", &comparison.overall, true)])
            .collect();
        let caption = format!("speed of {} relative to {}", comparison.label, comparison.baseline);
        let place = places.get(comparison.variant.as_str()).copied().unwrap_or_default();
        ratios(&caption, &rows, place)
    };
    report
        .comparisons
        .iter()
        .map(|one| {
            let comparison = &one.comparison;
            let mut rows: Vec<ComparisonRow<'_>> = comparison
                .benchmarks
                .iter()
                .map(|(name, speed)| comparison_row(name, speed, false))
                .collect();
            rows.push(comparison_row("geometric mean", &comparison.overall, true));
            Ok(ComparisonPart {
                label: &comparison.label,
                baseline: &comparison.baseline,
                variant: format::variant(&comparison.variant),
                sentence: format::unbroken(&one.sentence),
                rows,
                plot: part(one)?,
            })
        })
        .collect()
}

fn comparison_row<'a>(benchmark: &'a str, speed: &Speed, is_mean: bool) -> ComparisonRow<'a> {
    ComparisonRow {
        is_mean,
        benchmark,
        value: format::ratio(speed.speed.value),
        interval: format::ratio_interval(&speed.speed),
        verdict: match speed.verdict {
            Verdict::Faster => "faster",
            Verdict::Slower => "slower",
            Verdict::NoDifference { .. } => "no difference",
            Verdict::PerhapsChance { .. } => "perhaps chance",
            Verdict::TooUncertain { .. } => "can't tell",
            Verdict::OneInstance => "one instance",
        },
    }
}

fn benchmarks(report: &Report) -> Result<Vec<BenchmarkPart>, String> {
    let places = variant_places(report);
    let mut by_name: Vec<(&str, Vec<(&SeriesPlot, usize)>)> = Vec::new();
    for plot in &report.plots {
        let entry = (plot, places.get(plot.variant.as_str()).copied().unwrap_or_default());
        match by_name.iter_mut().find(|(name, _)| *name == plot.benchmark) {
            Some((_, plots)) => plots.push(entry),
            None => by_name.push((&plot.benchmark, vec![entry])),
        }
    }
    let known = || railsbench_core::workload::SUITES.iter().flat_map(|suite| suite.benchmarks);
    by_name
        .into_iter()
        .map(|(name, rows)| {
            Ok(BenchmarkPart {
                name: name.to_owned(),
                about: known().find(|one| one.name == name).map_or("", |one| one.about),
                distribution: distribution(name, &rows)?,
                series: rows
                    .iter()
                    .map(|(series, place)| time_series(series, *place))
                    .collect::<Result<_, _>>()?,
            })
        })
        .collect()
}

/// One line for each thing that something is odd about; what is odd about most of a short run,
/// that it is short, in one line.
fn oddities(report: &Report) -> Vec<OddityPart> {
    let short = |oddity: &&Oddity| matches!(oddity.flag, Some(Flag::FewTimes { .. }));
    let (few, others): (Vec<&Oddity>, Vec<&Oddity>) = report.oddities.iter().partition(short);
    let mut parts: Vec<OddityPart> = others
        .chunk_by(|a, b| a.about == b.about)
        .map(|group| {
            let sentences: Vec<String> =
                group.iter().map(|oddity| format::unbroken(&oddity.sentence)).collect();
            OddityPart { about: group[0].about.clone(), words: sentences.join("; ") }
        })
        .collect();
    if !few.is_empty() {
        parts.push(OddityPart {
            about: format!("{} of {} series", few.len(), report.plots.len()),
            words: "fewer than 20 times in a task, too few to see whether they are steady"
                .to_owned(),
        });
    }
    parts
}

/// What is known of the machine of one task; what is not is left out.
fn machine(task: &TaskReport) -> MachinePart<'_> {
    let facts = &task.metadata;
    let text = |value: &Option<String>| value.clone();
    let mut all = vec![
        ("provider", Some(facts.provider.to_string())),
        ("instance type", Some(facts.instance_type.to_string())),
        ("machine", Some(task.counted_as.to_string())),
        ("processor", text(&facts.cpu_model)),
        ("microcode", text(&facts.microcode)),
        ("architecture", text(&facts.arch)),
        ("vCPUs", facts.vcpus.map(|vcpus| vcpus.to_string())),
        ("memory", facts.memory_bytes.map(format::bytes)),
        ("system", text(&facts.os)),
        ("kernel", text(&facts.kernel)),
        ("region", text(&facts.region)),
        ("zone", text(&facts.zone)),
        ("image", text(&facts.image)),
        ("governor", text(&facts.governor)),
        ("steal", facts.steal_percent.map(|steal| format!("{} %", format::three(steal)))),
    ];
    all.extend(task.rubies.iter().map(|(_, ruby)| ("Ruby", Some(ruby.clone()))));
    all.extend([
        ("started", facts.start_time.map(moment)),
        ("ended", facts.end_time.map(moment)),
        ("runner", facts.runner_id.as_ref().map(ToString::to_string)),
        ("attempt", facts.attempt.map(|attempt| attempt.to_string())),
        ("output.json", facts.checksum.as_ref().map(|checksum| format!("SHA-256 {checksum}"))),
    ]);
    let facts = all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    MachinePart { folder: &task.folder, facts }
}
