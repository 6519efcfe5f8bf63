//! The figures of a run: what they say, and each benchmark with its interval.

use railsbench::report::{Report, SummaryRow, summary_rows};

use super::table::{table, text};
use super::units::count;

/// A table per instance type, and below them what the figures say and what is odd about them.
pub fn summary(report: &Report) -> String {
    let confidence = format!("{:.0} % interval", report.settings.confidence * 100.0);
    let rows = summary_rows(report);
    let mut out = String::new();
    for of_one_type in rows.chunk_by(|one, next| one.label == next.label) {
        out.push_str(&heading(of_one_type));
        out.push('\n');
        out.push_str(&of_type(of_one_type, &confidence));
        out.push('\n');
    }
    for sentence in &report.headline {
        out.push_str(sentence);
        out.push('\n');
    }
    if !report.oddities.is_empty() {
        out.push_str(&count(report.oddities.len(), "oddity"));
        out.push_str(" in the figures: see the report.\n");
    }
    out
}

/// The type, and what its intervals cover.
fn heading(rows: &[SummaryRow]) -> String {
    let mut covers: Vec<&str> = rows.iter().map(|row| row.covers.as_str()).collect();
    covers.sort_unstable();
    covers.dedup();
    let label = rows.first().map_or("", |row| &row.label);
    format!("{label}; intervals cover {}", covers.join(" or "))
}

fn of_type(rows: &[SummaryRow], confidence: &str) -> String {
    let heads = ["variant", "benchmark", "median", confidence, "times", "speed-up", "note"];
    let mut shown = table(&heads, &[2, 3, 4, 5]);
    for row in rows {
        shown.add_row([
            &row.variant,
            &row.benchmark,
            &row.median,
            &row.interval,
            &row.times,
            &row.speed_up,
            &row.note,
        ]);
    }
    text(&shown)
}
