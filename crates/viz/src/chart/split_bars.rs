//! How many pictures of each class stand in train, validation and test: one bar each, with its
//! count, so that an uneven split is seen before any result is read.

use super::frame::{self, Area, Axis, Drawn, Key, at, hung};
use crate::report::Table;
use crate::svg::Svg;
use crate::{VizError, palette};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// How many pictures of each class a part of the split holds.
#[derive(Debug, Clone, PartialEq)]
pub struct PartCounts {
    /// `train`, `val` or `test`, as the axis prints it.
    pub part: String,
    /// One count per class, in the order of the classes.
    pub counts: Vec<u64>,
}

/// Draws the bars, grouped by part.
///
/// # Errors
/// When a part does not hold one count per class, or there is no part.
pub fn split_bars(title: &str, classes: &[String], parts: &[PartCounts]) -> Result<Svg, VizError> {
    let odd = parts.iter().find(|part| part.counts.len() != classes.len());
    if classes.is_empty() || parts.is_empty() || odd.is_some() {
        let counts = odd.map_or(0, |part| part.counts.len());
        return Err(VizError::Chart {
            chart: title.to_owned(),
            problem: format!("{} classes, but {counts} counts in a part", classes.len()),
            next: "give one count per class for each part",
        });
    }
    let mut label = format!("{title}.");
    for part in parts {
        for (class, count) in classes.iter().zip(&part.counts) {
            label += &format!(" {} {class}: {count}.", part.part);
        }
    }
    let wide = parts.len() as u32 * (classes.len() as u32 * 24 + 24);
    let size = (470.max(wide + 80), 300);
    let svg = frame::draw(title, &label, size, |area| draw_bars(area, title, classes, parts));
    let row = |part: &PartCounts| {
        std::iter::once(part.part.clone()).chain(part.counts.iter().map(u64::to_string)).collect()
    };
    let table = Table {
        caption: title.to_owned(),
        head: std::iter::once("part".to_owned()).chain(classes.iter().cloned()).collect(),
        rows: parts.iter().map(row).collect(),
        numeric: (1..=classes.len()).collect(),
    };
    svg.map(|svg| svg.with_values(table))
}

fn draw_bars(area: &Area, title: &str, classes: &[String], parts: &[PartCounts]) -> Drawn<String> {
    let mut says = String::new();
    let keys: Vec<Key> = Key::fills(classes.iter().map(String::as_str), palette::class);
    let head = frame::head(area, title, &keys)?;
    let most = parts.iter().flat_map(|part| &part.counts).copied().max().unwrap_or(0).max(1);
    let axis = Axis::around(0.0, (most as f64 * 1.08).max(5.0));
    let mut chart = ChartBuilder::on(area)
        .margin_top(at(head))
        .margin_right(at(8))
        .x_label_area_size(at(28))
        .y_label_area_size(at(60))
        .build_cartesian_2d(0.0..parts.len() as f64, axis.clone())?;
    frame::mesh(&mut chart)
        .disable_x_mesh()
        .disable_x_axis()
        .y_label_formatter(&|v| format!("{v:.0}"))
        .draw()?;
    let bar = 0.84 / classes.len() as f64;
    for (i, part) in parts.iter().enumerate() {
        for (j, count) in part.counts.iter().enumerate() {
            let left = i as f64 + 0.08 + j as f64 * bar;
            let corners = [(left, 0.0), (left + 0.94 * bar, *count as f64)];
            chart.draw_series([Rectangle::new(corners, palette::class(j).filled())])?;
            let place = corners.map(|corner| chart.backend_coord(&corner));
            let ([(left_px, foot), (right_px, top)], class) = (place, &classes[j]);
            let words = format!("{}, {class}: {count}", part.part);
            says += &frame::patch((left_px, top), (right_px, foot), &words);
            let above = chart.backend_coord(&(left + 0.47 * bar, *count as f64));
            let style = hung(12, HPos::Center, VPos::Bottom);
            // Narrow bars have no room for their counts; the axis and the words still tell them.
            if classes.len() <= 4 {
                area.draw_text(&count.to_string(), &style, (above.0, above.1 - at(2)))?;
            }
        }
        let below = chart.backend_coord(&(i as f64 + 0.5, 0.0));
        let style = hung(frame::TEXT_PX, HPos::Center, VPos::Top);
        area.draw_text(&frame::short(&part.part, 16), &style, (below.0, below.1 + at(8)))?;
    }
    Ok(says)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_for_each_part_and_class() {
        let part = |name: &str, counts: &[u64]| PartCounts {
            part: name.to_owned(),
            counts: counts.to_vec(),
        };
        let parts = [part("train", &[850, 850]), part("val", &[200, 200]), part("test", &[199, 0])];
        let classes = ["cat".to_owned(), "dog".to_owned()];
        let svg = split_bars("Pictures", &classes, &parts).unwrap();
        // Each drawn, and one over it that says its count.
        assert_eq!(svg.as_str().matches("<rect").count(), 12);
        assert!(svg.as_str().contains("<title>test, cat: 199</title>"));
        assert_eq!(svg.values().rows[2], ["test", "199", "0"]);
        assert!(svg.as_str().contains("test cat: 199."));
    }

    #[test]
    fn a_part_without_a_count_for_each_class_is_refused() {
        let parts = [PartCounts { part: "train".into(), counts: vec![1] }];
        assert!(split_bars("t", &["a".into(), "b".into()], &parts).is_err());
    }
}
