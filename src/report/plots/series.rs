//! The times of one benchmark in the order they were taken.

use plotters::prelude::*;

use super::axis::Axis;
use super::{Anchor, DrawError, GRID, INK, MUTED, Plot, SHADE, WIDTH, colour, line, plot, text};
use crate::report::format;
use crate::report::thin::{Point, SeriesPlot};

const HEIGHT: i32 = 330;
const LEFT: i32 = 84;
const TOP: i32 = 44;
const RIGHT: i32 = WIDTH - 24;
const BOTTOM: i32 = HEIGHT - 66;

/// Draws the times of a series, one line per task, warm-up shaded; where neighbours are drawn as
/// one, a band from the least to the greatest. Times above the upper edge are drawn at it, with
/// their largest in words.
pub(in crate::report) fn time_series(series: &SeriesPlot, place: usize) -> Result<Plot, String> {
    let points = || series.tasks.iter().flat_map(|task| &task.points);
    let least = points().map(|point| point.least).fold(f64::INFINITY, f64::min);
    let greatest = points().map(|point| point.greatest).fold(0.0, f64::max);
    let [p5, _, middle, _, p95] = series.quantiles;
    // Room for the steady times and somewhat more; a first warm-up time can be a hundredfold.
    let top = (p95 + (p95 - p5).max(middle * 0.05) * 1.5).min(greatest);
    let (unit, scale) = format::unit(top);
    let y = Axis::new(least * 0.98 * scale, top * 1.02 * scale, BOTTOM, TOP);
    let warmup = series.tasks.iter().map(|task| task.warmup).max().unwrap_or(0);
    let times = series.tasks.iter().map(|task| task.times).max().unwrap_or(0);
    let x = Axis::new(-(warmup as f64), (times as f64 - 1.0).max(1.0), LEFT, RIGHT);
    let alt = format!(
        "Times of {} with {} on {} in the order they were taken: {warmup} warm-up and {times} \
         measured iterations, median {}",
        series.benchmark,
        format::variant(&series.variant),
        series.label,
        format::seconds(middle),
    );
    plot(HEIGHT, alt, |area| {
        if warmup > 0 {
            let edge = x.at(-0.5);
            area.draw(&Rectangle::new([(LEFT, TOP), (edge, BOTTOM)], SHADE.filled()))?;
        }
        for (value, label) in y.ticks(4) {
            line(area, (LEFT, y.at(value)), (RIGHT, y.at(value)), GRID)?;
            text(area, &label, (LEFT - 10, y.at(value)), Anchor::Right, MUTED)?;
        }
        for (value, label) in x.ticks(4).into_iter().filter(|(value, _)| *value >= 0.0) {
            line(area, (x.at(value), BOTTOM), (x.at(value), BOTTOM + 6), MUTED)?;
            text(area, &label, (x.at(value), BOTTOM + 22), Anchor::Middle, MUTED)?;
        }
        let name = format!("{} · {}", series.label, format::variant(&series.variant));
        text(area, &name, (LEFT, 16), Anchor::Left, INK)?;
        if greatest > top {
            let words = format!("max {} ↑", format::seconds(greatest));
            text(area, &words, (RIGHT, 16), Anchor::Right, MUTED)?;
        }
        text(area, unit, (LEFT - 10, 16), Anchor::Right, MUTED)?;
        text(area, "iteration", (i32::midpoint(LEFT, RIGHT), HEIGHT - 16), Anchor::Middle, MUTED)?;
        draw_tasks(area, series, colour(place), (&x, &y, scale))
    })
}

fn draw_tasks(
    area: &super::Area<'_>,
    series: &SeriesPlot,
    colour: RGBColor,
    (x, y, scale): (&Axis, &Axis, f64),
) -> Result<(), DrawError> {
    let opacity = if series.tasks.len() > 1 { 0.6 } else { 0.9 };
    for task in &series.tasks {
        let along = |pick: fn(&Point) -> f64| {
            task.points
                .iter()
                .map(move |point| (x.at(point.iteration as f64), y.at(pick(point) * scale)))
        };
        if task.points.iter().any(|point| point.greatest > point.least) {
            let band: Vec<(i32, i32)> =
                along(|point| point.greatest).chain(along(|point| point.least).rev()).collect();
            area.draw(&Polygon::new(band, colour.mix(opacity * 0.35)))?;
        }
        let path: Vec<(i32, i32)> = along(|point| point.middle).collect();
        if let [only] = path[..] {
            area.draw(&Circle::new(only, 4, colour.filled()))?;
        }
        area.draw(&PathElement::new(path, colour.mix(opacity).stroke_width(3)))?;
        if task.steady_from > 0 {
            let at = x.at(task.steady_from as f64);
            line(area, (at, TOP), (at, BOTTOM), INK.stroke_width(2))?;
        }
    }
    Ok(())
}
