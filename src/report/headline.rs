//! What the report says, in sentences.

use railsbench_core::analysis::{Spread, Verdict};

use super::format;
use super::model::{ComparisonReport, Failure, LabelReport, RunFacts, TaskReport};

/// The most important sentence first, then what limits it.
pub(super) fn sentences(
    run: &RunFacts,
    labels: &[LabelReport],
    comparisons: &[ComparisonReport],
    failures: &[Failure],
    tasks: &[TaskReport],
) -> Vec<String> {
    let mut sentences = Vec::new();
    let variant = main_variant(labels);
    let main = comparisons.iter().filter(|one| Some(one.comparison.variant.as_str()) == variant);
    sentences.extend(main.map(|one| {
        format!("With {}: {}.", format::variant(&one.comparison.variant), one.sentence)
    }));
    sentences.extend(labels.iter().filter_map(speed_up));
    if sentences.is_empty() {
        sentences.extend(labels.iter().filter_map(plain));
    }
    sentences.extend(limits(run, labels, comparisons));
    let disturbed = tasks.iter().filter(|task| !task.metadata.noise.is_empty()).count();
    if disturbed > 0 {
        sentences.push(if tasks.len() == 1 {
            "The task ran under conditions that may have spoilt its figures: see what is odd.".to_owned()
        } else {
            format!(
                "Conditions may have spoilt the figures of {disturbed} of {} tasks: see what is odd.",
                tasks.len()
            )
        });
    }
    if !failures.is_empty() {
        let tasks = if failures.len() == 1 { "task" } else { "tasks" };
        sentences.push(format!("{} {tasks} gave no figures.", failures.len()));
    }
    sentences
}

/// The variant that people run in production, if it was measured: YJIT.
fn main_variant(labels: &[LabelReport]) -> Option<&str> {
    let means = labels.iter().flat_map(|label| &label.analysis.geometric_means);
    let variants: Vec<&str> = means.map(|mean| mean.variant.as_str()).collect();
    variants.iter().find(|variant| **variant == "yjit").or(variants.first()).copied()
}

fn speed_up(label: &LabelReport) -> Option<String> {
    let overall = label.analysis.speed_ups.iter().find(|one| one.benchmark.is_none())?;
    let speed = &overall.speed;
    let interval = match speed.interval {
        Some(_) => format!(" ({})", format::ratio_interval(speed)),
        None => String::new(),
    };
    Some(format!(
        "On {}, {} runs the suite {} than {}{interval}.",
        label.analysis.label,
        format::variant(&overall.variant),
        format::faster(speed.value),
        match format::variant(&overall.over) {
            "interpreter" => "the interpreter",
            other => other,
        },
    ))
}

fn plain(label: &LabelReport) -> Option<String> {
    let mean = label.analysis.geometric_means.first()?;
    Some(format!(
        "On {}, the average benchmark takes {} per iteration.",
        label.analysis.label,
        format::seconds(mean.time.value)
    ))
}

/// What keeps the figures from saying more.
fn limits(run: &RunFacts, labels: &[LabelReport], comparisons: &[ComparisonReport]) -> Vec<String> {
    let mut limits = Vec::new();
    if run.mock {
        limits.push("The figures are made up: this was a mock run.".to_owned());
    }
    if run.quick {
        limits.push("This was a quick run: too short for a verdict.".to_owned());
    }
    let single: Vec<&str> = labels
        .iter()
        .filter(|label| {
            let mut means = label.analysis.geometric_means.iter();
            means.any(|mean| !matches!(mean.time.spread, Spread::AcrossMachines { .. }))
        })
        .map(|label| label.analysis.label.as_str())
        .collect();
    let told = comparisons.iter().any(|one| one.comparison.overall.verdict == Verdict::OneInstance);
    if !single.is_empty() && !told {
        limits.push(format!(
            "{} ran on one machine: the intervals describe that machine, not its type.",
            single.join(", ")
        ));
    }
    limits
}
