//! Ratios with their intervals, one a row, against 1.

use plotters::prelude::*;
use railsbench_core::analysis::Estimate;

use super::axis::Axis;
use super::{Anchor, GRID, INK, MUTED, Plot, WIDTH, colour, line, plot, text};
use crate::report::format;

const ROW: i32 = 44;
const TOP: i32 = 12;
const BOTTOM: i32 = 66;
const LEFT: i32 = 300;
const RIGHT: i32 = WIDTH - 120;

/// One ratio.
pub(in crate::report) struct RatioRow<'a> {
    /// What it is of.
    pub(in crate::report) name: &'a str,
    /// The ratio.
    pub(in crate::report) speed: Estimate,
    /// Whether it is the mean of the others.
    pub(in crate::report) is_mean: bool,
}

/// Draws ratios; `caption` says of what to what, `place` chooses the colour.
pub(in crate::report) fn ratios(
    caption: &str,
    rows: &[RatioRow<'_>],
    place: usize,
) -> Result<Plot, String> {
    let ends = |row: &RatioRow<'_>| {
        row.speed.interval.map_or([row.speed.value; 2], |interval| [interval.low, interval.high])
    };
    let all = || rows.iter().flat_map(ends).chain(rows.iter().map(|row| row.speed.value));
    let low = all().fold(1.0, f64::min);
    // A wide interval may reach far beyond all values; they must stay readable.
    let most = rows.iter().map(|row| row.speed.value).fold(1.0, f64::max);
    let high = all().fold(1.0, f64::max).min(most * 1.5);
    let margin = (high - low).max(0.05) * 0.05;
    let axis = Axis::new((low - margin).max(0.0), high + margin, LEFT, RIGHT);
    let height = TOP + ROW * i32::try_from(rows.len()).unwrap_or(1) + BOTTOM;
    let figures: Vec<String> =
        rows.iter().map(|row| format!("{} {}", row.name, format::ratio(row.speed.value))).collect();
    let alt = format!("{caption}: {}", figures.join(", "));
    plot(height, alt, |area| {
        for (value, label) in axis.ticks(4) {
            line(area, (axis.at(value), TOP), (axis.at(value), height - BOTTOM), GRID)?;
            let label = format!("{label}×");
            text(area, &label, (axis.at(value), height - BOTTOM + 20), Anchor::Middle, MUTED)?;
        }
        let one = axis.at(1.0);
        line(area, (one, TOP), (one, height - BOTTOM), INK.stroke_width(2))?;
        text(area, caption, (WIDTH / 2, height - 16), Anchor::Middle, MUTED)?;
        for (index, row) in (0i32..).zip(rows) {
            let y = TOP + index * ROW + ROW / 2;
            let [from, to] = ends(row).map(|end| axis.at(end));
            let at = axis.at(row.speed.value);
            let tone = if row.is_mean { INK } else { MUTED };
            text(area, row.name, (LEFT - 16, y), Anchor::Right, tone)?;
            text(area, &format::ratio(row.speed.value), (WIDTH - 20, y), Anchor::Right, tone)?;
            let bar = Rectangle::new(
                [(one.min(at), y - 11), (one.max(at), y + 11)],
                colour(place).mix(0.45).filled(),
            );
            area.draw(&bar)?;
            line(area, (from, y), (to, y), INK.stroke_width(3))?;
            area.draw(&Circle::new((at, y), if row.is_mean { 8 } else { 6 }, INK.filled()))?;
        }
        Ok(())
    })
}
