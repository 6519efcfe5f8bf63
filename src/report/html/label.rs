//! One instance type on the page: its table, its speed-up, its value.

use railsbench_core::analysis::Flag;
use serde::Serialize;

use crate::report::format;
use crate::report::model::LabelReport;
use crate::report::plots::{Plot, RatioRow, ratios};

/// What the page says of one type.
#[derive(Serialize)]
pub(super) struct LabelPart<'a> {
    label: &'a str,
    about: String,
    variants: Vec<&'a str>,
    has_speed_up: bool,
    rows: Vec<Row>,
    mean: Row,
    speed_up: Option<Plot>,
    price: Option<String>,
    values: Vec<ValueRow>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    cells: Vec<Option<Cell>>,
    speed_up: Option<Cell>,
}

#[derive(Serialize)]
struct Cell {
    value: String,
    interval: String,
    odd: bool,
}

#[derive(Serialize)]
struct ValueRow {
    variant: String,
    requests_per_second: String,
    per_million_requests: String,
    per_million_iterations: String,
}

impl<'a> LabelPart<'a> {
    pub(super) fn new(label: &'a LabelReport) -> Result<Self, String> {
        let analysis = &label.analysis;
        let variants: Vec<&str> =
            analysis.geometric_means.iter().map(|mean| mean.variant.as_str()).collect();
        // The speed-up of the last variant: of YJIT, where there are two.
        let fastest = variants.last().copied().unwrap_or_default();
        let speed_up = |benchmark: Option<&str>| {
            let found = analysis
                .speed_ups
                .iter()
                .find(|one| one.variant == fastest && one.benchmark.as_deref() == benchmark);
            found.map(|one| Cell {
                value: format::ratio(one.speed.value),
                interval: format::ratio_interval(&one.speed),
                odd: false,
            })
        };
        let mut names: Vec<&str> = Vec::new();
        for series in &analysis.series {
            if !names.contains(&series.benchmark.as_str()) {
                names.push(&series.benchmark);
            }
        }
        let rows = names.iter().map(|name| {
            let cell = |variant: &&str| {
                let mut all = analysis.series.iter();
                let one = all.find(|one| one.benchmark == *name && one.variant == *variant)?;
                Some(Cell {
                    value: format::seconds(one.time.value),
                    interval: format::seconds_interval(&one.time),
                    odd: one.flags.iter().any(|flag| !matches!(flag, Flag::FewTimes { .. })),
                })
            };
            Row {
                name: (*name).to_owned(),
                cells: variants.iter().map(cell).collect(),
                speed_up: speed_up(Some(name)),
            }
        });
        let means = analysis.geometric_means.iter().map(|mean| {
            Some(Cell {
                value: format::seconds(mean.time.value),
                interval: format::seconds_interval(&mean.time),
                odd: false,
            })
        });
        let plural = |count: usize, word: &str| {
            format!("{count} {word}{}", if count == 1 { "" } else { "s" })
        };
        Ok(Self {
            label: &analysis.label,
            about: format!(
                "{} {}, {} on {}",
                label.provider,
                label.instance_type,
                plural(analysis.tasks, "task"),
                plural(analysis.machines, "machine"),
            ),
            has_speed_up: !analysis.speed_ups.is_empty(),
            rows: rows.collect(),
            mean: Row {
                name: "geometric mean".to_owned(),
                cells: means.collect(),
                speed_up: speed_up(None),
            },
            speed_up: speed_up_plot(label, fastest, variants.len().saturating_sub(1))?,
            price: label.price.as_ref().map(|price| {
                format!(
                    "{} per hour ({}, {})",
                    format::money(price.per_hour),
                    price.source,
                    price.as_of
                )
            }),
            values: values(label),
            variants: variants.into_iter().map(format::variant).collect(),
        })
    }
}

fn speed_up_plot(label: &LabelReport, variant: &str, place: usize) -> Result<Option<Plot>, String> {
    let ups = label.analysis.speed_ups.iter().filter(|one| one.variant == variant);
    let (mean, each): (Vec<_>, Vec<_>) = ups.partition(|one| one.benchmark.is_none());
    let Some(over) = mean.first().map(|one| one.over.as_str()) else { return Ok(None) };
    let rows: Vec<RatioRow<'_>> = each
        .into_iter()
        .chain(mean)
        .map(|one| RatioRow {
            name: one.benchmark.as_deref().unwrap_or("geometric mean"),
            speed: one.speed,
            is_mean: one.benchmark.is_none(),
        })
        .collect();
    let caption =
        format!("speed with {} relative to {}", format::variant(variant), format::variant(over));
    ratios(&caption, &rows, place).map(Some)
}

fn values(label: &LabelReport) -> Vec<ValueRow> {
    let dash = || "–".to_owned();
    label
        .values
        .iter()
        .filter(|value| {
            value.requests_per_second.is_some() || value.cost_per_million_iterations.is_some()
        })
        .map(|value| ValueRow {
            variant: format::variant(&value.variant).to_owned(),
            requests_per_second: value.requests_per_second.map_or_else(dash, format::three),
            per_million_requests: value.cost_per_million_requests.map_or_else(dash, format::money),
            per_million_iterations: value.cost_per_million_iterations.map_or_else(dash, |cost| {
                let likely = format::money(cost.likely);
                match (cost.low, cost.high) {
                    (Some(low), Some(high)) => {
                        format!("{likely} ({}–{})", format::money(low), format::money(high))
                    }
                    _ => likely,
                }
            }),
        })
        .collect()
}
