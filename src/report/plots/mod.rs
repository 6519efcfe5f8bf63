//! The plots, as SVG that takes its colours from the page.
//!
//! plotters draws lines, boxes, dots and text; it knows neither style sheets nor, without font
//! files, how wide a text is. So colours are markers that the page's style sheet replaces (for
//! light and dark), and all places of text are laid out here. Coordinates are whole numbers,
//! so everything is drawn at twice its size.

mod axis;
mod distribution;
mod ratios;
mod series;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use serde::Serialize;

pub(super) use distribution::distribution;
pub(super) use ratios::{RatioRow, ratios};
pub(super) use series::time_series;

/// Width of every plot; shown at about half of it.
const WIDTH: i32 = 760;

/// Markers that the page's style sheet replaces by its own colours.
pub(super) const INK: RGBColor = RGBColor(0x11, 0x11, 0x11);
pub(super) const MUTED: RGBColor = RGBColor(0x66, 0x66, 0x66);
pub(super) const GRID: RGBColor = RGBColor(0xDD, 0xDD, 0xDD);
pub(super) const SHADE: RGBColor = RGBColor(0xEE, 0xEE, 0xEE);
pub(super) const SERIES: [RGBColor; 4] = [
    RGBColor(0x10, 0x00, 0x01),
    RGBColor(0x10, 0x00, 0x02),
    RGBColor(0x10, 0x00, 0x03),
    RGBColor(0x10, 0x00, 0x04),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type DrawError = DrawingAreaErrorKind<std::io::Error>;

/// A plot for the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Plot {
    /// Size of its coordinates, as an SVG `viewBox`.
    pub(super) view_box: String,
    /// What it shows, for those who cannot see it.
    pub(super) alt: String,
    /// The elements inside the `svg` element; what text they hold is escaped.
    pub(super) body: String,
}

/// Draws on an area of this height.
fn plot(
    height: i32,
    alt: String,
    draw: impl FnOnce(&Area<'_>) -> Result<(), DrawError>,
) -> Result<Plot, String> {
    let mut svg = String::new();
    {
        let size = (WIDTH.unsigned_abs(), height.unsigned_abs());
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        draw(&area).and_then(|()| area.present()).map_err(|error| error.to_string())?;
    }
    let inside = svg.split_once('>').map_or("", |(_, rest)| rest);
    let body = inside.trim_end().trim_end_matches("</svg>").to_owned();
    Ok(Plot { view_box: format!("0 0 {WIDTH} {height}"), alt, body })
}

/// Which colour a variant has, from its place among the variants of the run.
pub(super) fn colour(place: usize) -> RGBColor {
    SERIES[place % SERIES.len()]
}

/// Where a text stands relative to its point.
#[derive(Debug, Clone, Copy)]
enum Anchor {
    Left,
    Middle,
    Right,
}

fn text(
    area: &Area<'_>,
    words: &str,
    at: (i32, i32),
    anchor: Anchor,
    colour: RGBColor,
) -> Result<(), DrawError> {
    let side = match anchor {
        Anchor::Left => HPos::Left,
        Anchor::Middle => HPos::Center,
        Anchor::Right => HPos::Right,
    };
    // Font size 22 on the page: plotters divides by 1.24.
    let style = ("sans-serif", 27.3).into_font().color(&colour).pos(Pos::new(side, VPos::Center));
    area.draw(&Text::new(words.to_owned(), at, style))
}

fn line(
    area: &Area<'_>,
    from: (i32, i32),
    to: (i32, i32),
    style: impl Into<ShapeStyle>,
) -> Result<(), DrawError> {
    area.draw(&PathElement::new(vec![from, to], style))
}
