//! Heat maps: a row a layer from the stem (above) to the head, a column an epoch, a colour a value.
//! All maps of one call share one colour scale, which each of them draws, so that arms can be
//! compared; a cell says its value when it is pointed at.

use super::frame::{self, Area, Drawn, at, hung};
use crate::VizError;
use crate::colormap::Colormap;
use crate::report::Table;
use crate::svg::{FINE, INK, Svg, escape};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use std::fmt::Write as _;

/// One map.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatMap {
    /// The heading.
    pub title: String,
    /// What a row is called when it is pointed at, from above.
    pub rows: Vec<String>,
    /// What a column is called under the map, from left to right.
    pub columns: Vec<String>,
    /// `[row][column]`; what is not finite stays blank.
    pub values: Vec<Vec<f64>>,
}

/// What the axes are.
#[derive(Debug, Clone, Copy)]
pub struct HeatAxes<'a> {
    /// Under the map, and before a column's name.
    pub x: &'a str,
    /// What a colour is, in a word or two.
    pub value: &'a str,
    /// How a value is written.
    pub written: fn(f64) -> String,
}

/// Width of a panel and what lies around its map, page pixels.
const WIDTH_PX: u32 = 470;
const LEFT_PX: u32 = 62;
const RIGHT_PX: u32 = 14;
/// The colour scale with its numbers.
const SCALE_PX: u32 = 46;
const BELOW_PX: u32 = 40;
/// Steps of the drawn scale.
const STEPS: u32 = 48;

/// Draws `maps`, all on one colour scale.
///
/// # Errors
/// When no map has a finite value, or one is not a value for each row and column.
pub fn heat_maps(axes: HeatAxes, maps: &[HeatMap]) -> Result<Vec<Svg>, VizError> {
    let refused = |chart: &str, problem: String| VizError::Chart {
        chart: chart.to_owned(),
        problem,
        next: "give one value for each row and column, some of them finite",
    };
    for map in maps {
        let odd = map.values.iter().find(|row| row.len() != map.columns.len());
        if map.values.len() != map.rows.len() || odd.is_some() {
            let columns = odd.or(map.values.first()).map_or(0, Vec::len);
            let (rows, named) = (map.values.len(), (map.rows.len(), map.columns.len()));
            let problem = format!("{rows} × {columns} values for {} × {}", named.0, named.1);
            return Err(refused(&map.title, problem));
        }
    }
    let finite = maps.iter().flat_map(|map| map.values.iter().flatten()).filter(|v| v.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(*value), high.max(*value))
    });
    if low > high {
        return Err(refused(axes.value, format!("{} maps hold 0 values between them", maps.len())));
    }
    maps.iter().map(|map| panel(axes, map, (low, high))).collect()
}

fn panel(axes: HeatAxes, map: &HeatMap, scale: (f64, f64)) -> Result<Svg, VizError> {
    let row_px = (480 / map.rows.len() as u32).clamp(3, 16);
    let size = (WIDTH_PX, 38 + SCALE_PX + row_px * map.rows.len() as u32 + BELOW_PX);
    let label = label(axes, map, scale);
    let svg = frame::draw(&map.title, &label, size, |area| draw(area, axes, map, scale, row_px));
    svg.map(|svg| svg.with_values(table(axes, map)))
}

/// The map itself, a row a layer.
fn table(axes: HeatAxes, map: &HeatMap) -> Table {
    let row = |(name, values): (&String, &Vec<f64>)| {
        let values = values.iter().map(|value| said(axes, *value));
        std::iter::once(name.clone()).chain(values).collect()
    };
    let columns = map.columns.iter().map(|column| format!("{} {column}", axes.x));
    Table {
        caption: map.title.clone(),
        head: std::iter::once("layer".to_owned()).chain(columns).collect(),
        rows: map.rows.iter().zip(&map.values).map(row).collect(),
        numeric: (1..=map.columns.len()).collect(),
    }
}

/// The corners in words, for those who hear the map.
fn label(axes: HeatAxes, map: &HeatMap, (low, high): (f64, f64)) -> String {
    let written = axes.written;
    let mut label = format!(
        "{}: {} of {} layers from the stem to the head, by {}; colours from {} to {}.",
        map.title,
        axes.value,
        map.rows.len(),
        axes.x,
        written(low),
        written(high)
    );
    let ends = [0, map.columns.len().saturating_sub(1)];
    for column in &ends[..map.columns.len().min(2)] {
        let ends = [map.values.first(), map.values.last()]
            .map(|row| row.map_or("none".to_owned(), |row| said(axes, row[*column])));
        let _ = write!(
            label,
            " {} {}: first layer {}, last layer {}.",
            axes.x, map.columns[*column], ends[0], ends[1]
        );
    }
    label
}

fn said(axes: HeatAxes, value: f64) -> String {
    if value.is_finite() { (axes.written)(value) } else { "none".to_owned() }
}

fn colour(value: f64, (low, high): (f64, f64)) -> [u8; 3] {
    // A map of one value takes the middle.
    let share = if high > low { (value - low) / (high - low) } else { 0.5 };
    Colormap::Viridis.colour(share as f32)
}

fn draw(
    area: &Area,
    axes: HeatAxes,
    map: &HeatMap,
    scale: (f64, f64),
    row_px: u32,
) -> Drawn<String> {
    let head = frame::head(area, &map.title, &[])?;
    draw_scale(area, axes, scale, head)?;
    let top = at(head + SCALE_PX);
    let (left, right) = (at(LEFT_PX), at(WIDTH_PX - RIGHT_PX));
    let height = at(row_px * map.rows.len() as u32);
    let columns = map.columns.len().max(1) as i32;
    let edge = |column: i32| left + (right - left) * column / columns;
    let beside = hung(frame::TEXT_PX, HPos::Right, VPos::Center);
    area.draw_text("stem", &beside, (left - at(8), top + at(7)))?;
    area.draw_text("head", &beside, (left - at(8), top + height - at(7)))?;
    let below = hung(frame::TEXT_PX, HPos::Center, VPos::Top);
    let every = map.columns.len().div_ceil(8).max(1);
    for (column, name) in map.columns.iter().enumerate().step_by(every) {
        let middle = (edge(column as i32) + edge(column as i32 + 1)) / 2;
        area.draw_text(&frame::short(name, 12), &below, (middle, top + height + at(4)))?;
    }
    area.draw_text(axes.x, &below, ((left + right) / 2, top + height + at(22)))?;
    let frame_line = INK.mix(0.4).stroke_width(frame::fine(1));
    area.draw(&Rectangle::new([(left, top), (right, top + height)], frame_line))?;
    // Without crisp edges the page shines through between cells.
    let mut cells = String::from("<g shape-rendering=\"crispEdges\">\n");
    for (row, (name, values)) in map.rows.iter().zip(&map.values).enumerate() {
        let y = top + at(row_px * row as u32);
        for (column, value) in values.iter().enumerate() {
            let (x, end) = (edge(column as i32), edge(column as i32 + 1));
            let fill = match value.is_finite() {
                true => {
                    let [r, g, b] = colour(*value, scale);
                    format!("fill=\"#{r:02X}{g:02X}{b:02X}\"")
                }
                false => "fill=\"none\" pointer-events=\"all\"".to_owned(),
            };
            let says = format!(
                "{name}; {} {}; {} {}",
                axes.x,
                map.columns[column],
                axes.value,
                said(axes, *value)
            );
            let (wide, high) = (end - x, row_px * FINE);
            let _ = writeln!(
                cells,
                "<path d=\"M{x} {y}h{wide}v{high}h-{wide}z\" {fill}><title>{}</title></path>",
                escape(&says)
            );
        }
    }
    Ok(cells + "</g>\n")
}

fn draw_scale(area: &Area, axes: HeatAxes, scale: (f64, f64), head: u32) -> Drawn<()> {
    let (left, right) = (at(LEFT_PX), at(WIDTH_PX - RIGHT_PX));
    let edge = |step: u32| left + (right - left) * step as i32 / STEPS as i32;
    let (low, high) = scale;
    let along = |share: f64| low + share * (high - low);
    for step in 0..STEPS {
        let [r, g, b] = colour(along((f64::from(step) + 0.5) / f64::from(STEPS)), scale);
        let corners = [(edge(step), at(head)), (edge(step + 1), at(head + 12))];
        area.draw(&Rectangle::new(corners, RGBColor(r, g, b).filled()))?;
    }
    let beside = hung(frame::TEXT_PX, HPos::Right, VPos::Center);
    area.draw_text(axes.value, &beside, (left - at(8), at(head + 6)))?;
    for (share, side) in [(0.0, HPos::Left), (0.5, HPos::Center), (1.0, HPos::Right)] {
        let x = left + (f64::from(right - left) * share) as i32;
        let style = hung(frame::TEXT_PX, side, VPos::Top);
        area.draw_text(&(axes.written)(along(share)), &style, (x, at(head + 16)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AXES: HeatAxes =
        HeatAxes { x: "epoch", value: "norm", written: |value| format!("{value:.1}") };

    fn map(title: &str, values: &[&[f64]]) -> HeatMap {
        HeatMap {
            title: title.into(),
            rows: (0..values.len()).map(|i| format!("conv{i}<")).collect(),
            columns: (1..=values[0].len()).map(|i| i.to_string()).collect(),
            values: values.iter().map(|row| row.to_vec()).collect(),
        }
    }

    #[test]
    fn all_maps_share_one_scale_and_every_cell_says_its_value() {
        let maps = [
            map("plain", &[&[-4.0, f64::NEG_INFINITY], &[-1.0, -1.0]]),
            map("dense", &[&[-2.0, -2.0], &[0.0, -1.0]]),
        ];
        let svgs = heat_maps(AXES, &maps).unwrap();
        let [plain, dense] = [svgs[0].as_str(), svgs[1].as_str()];
        for svg in [plain, dense] {
            assert_eq!(svg.matches("<path d=").count(), 4);
            assert!(svg.contains("colours from -4.0 to 0.0."), "{svg}");
        }
        let says = "<title>conv0&lt;; epoch 1; norm -4.0</title>";
        let low = plain.lines().find(|line| line.contains(says)).unwrap();
        assert!(low.contains("#440154"), "the least of all: {low}");
        let high = dense.lines().find(|line| line.contains("conv1&lt;; epoch 1; norm 0.0"));
        assert!(high.unwrap().contains("#FDE725"), "the most of all");
        // The same value has the same colour in both.
        let of = |svg: &str| {
            let line = svg.lines().find(|line| line.contains("epoch 2; norm -1.0")).unwrap();
            line.split("fill=").nth(1).unwrap()[..9].to_owned()
        };
        assert_eq!(of(plain), of(dense));
        let none = plain.lines().find(|line| line.contains("epoch 2; norm none")).unwrap();
        assert!(none.contains("fill=\"none\""), "{none}");
        assert!(svgs[0].said().contains("epoch 1: first layer -4.0, last layer -1.0."));
        let values = svgs[0].values();
        assert_eq!(values.head, ["layer", "epoch 1", "epoch 2"]);
        assert_eq!(values.rows[0], ["conv0<", "-4.0", "none"]);
    }

    #[test]
    fn tables_that_are_not_one_value_a_cell_are_refused() {
        let mut odd = map("plain", &[&[1.0, 2.0]]);
        odd.columns.pop();
        let error = heat_maps(AXES, &[odd]).unwrap_err().to_string();
        assert!(error.contains("1 × 2 values for 1 × 1"), "{error}");
        let dead = map("plain", &[&[f64::NAN]]);
        assert!(heat_maps(AXES, &[dead]).unwrap_err().to_string().contains("0 values"));
    }
}
