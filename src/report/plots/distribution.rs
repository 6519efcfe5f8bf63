//! The distribution of one benchmark: a strip of times and a box per type and variant.

use plotters::prelude::*;

use super::axis::Axis;
use super::{Anchor, DrawError, GRID, INK, MUTED, Plot, WIDTH, colour, line, plot, text};
use crate::report::format;
use crate::report::thin::SeriesPlot;

const ROW: i32 = 96;
const BOTTOM: i32 = 66;
const SIDE: i32 = 24;

/// Draws the steady times of each row (with the place of its variant). Times beyond 1.25 × the
/// range from the 5 % to the 95 % point of all rows are drawn at the edge and counted.
pub(in crate::report) fn distribution(
    benchmark: &str,
    rows: &[(&SeriesPlot, usize)],
) -> Result<Plot, String> {
    let low = rows.iter().map(|(row, _)| row.quantiles[0]).fold(f64::INFINITY, f64::min);
    let high = rows.iter().map(|(row, _)| row.quantiles[4]).fold(0.0, f64::max);
    let margin = (high - low).max(high * 0.01) * 0.25;
    let (unit, scale) = format::unit(high);
    let axis =
        Axis::new((low - margin).max(0.0) * scale, (high + margin) * scale, SIDE, WIDTH - SIDE);
    let height = ROW * i32::try_from(rows.len()).unwrap_or(1) + BOTTOM;
    let medians: Vec<String> = rows
        .iter()
        .map(|(row, _)| format!("{} {}", name(row), format::seconds(row.quantiles[2])))
        .collect();
    let alt = format!("Distribution of {benchmark}; medians: {}", medians.join(", "));
    plot(height, alt, |area| {
        for (value, label) in axis.ticks(5) {
            let x = axis.at(value);
            line(area, (x, 4), (x, height - BOTTOM), GRID)?;
            text(area, &label, (x, height - BOTTOM + 18), Anchor::Middle, MUTED)?;
        }
        let caption = format!("{unit} per iteration");
        text(area, &caption, (WIDTH / 2, height - 16), Anchor::Middle, MUTED)?;
        for (index, (row, place)) in (0i32..).zip(rows) {
            draw_row(area, row, colour(*place), &axis, (index * ROW, scale))?;
        }
        Ok(())
    })
}

fn name(row: &SeriesPlot) -> String {
    format!("{} · {}", row.label, format::variant(&row.variant))
}

fn draw_row(
    area: &super::Area<'_>,
    row: &SeriesPlot,
    colour: RGBColor,
    axis: &Axis,
    (top, scale): (i32, f64),
) -> Result<(), DrawError> {
    text(area, &name(row), (SIDE, top + 18), Anchor::Left, INK)?;
    let beyond = row.dots.iter().filter(|dot| **dot * scale > axis.high()).count();
    let greatest = row.dots.last().copied().unwrap_or_default();
    let right = if beyond > 0 {
        format!("max {} →", format::seconds(greatest))
    } else {
        format!("median {}", format::seconds(row.quantiles[2]))
    };
    text(area, &right, (WIDTH - SIDE, top + 18), Anchor::Right, MUTED)?;
    let middle = top + 60;
    for (index, dot) in (0i32..).zip(&row.dots) {
        // Spread over the strip by steps that do not repeat.
        let height = (index * index * 7 + index * 11) % 37 - 18;
        let at = (axis.at(dot * scale), middle + height);
        area.draw(&Circle::new(at, 3, colour.mix(0.45).filled()))?;
    }
    let [p5, p25, p50, p75, p95] = row.quantiles.map(|value| axis.at(value * scale));
    line(area, (p5, middle), (p25, middle), INK.stroke_width(2))?;
    line(area, (p75, middle), (p95, middle), INK.stroke_width(2))?;
    let corners = [(p25, middle - 14), (p75, middle + 14)];
    area.draw(&Rectangle::new(corners, colour.mix(0.35).filled()))?;
    area.draw(&Rectangle::new(corners, INK.stroke_width(2)))?;
    line(area, (p50, middle - 20), (p50, middle + 20), INK.stroke_width(4))
}
