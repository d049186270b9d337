//! The confusion matrix of one arm: rows are what the pictures are, columns what was said of them.
//! A cell holds the count and its share of the row; the share is also the cell's shade.

use super::frame::{self, Area, Drawn, at, hung};
use crate::report::Table;
use crate::svg::{INK, Svg};
use crate::{VizError, palette};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// Draws `counts[true class][predicted class]`.
///
/// # Errors
/// When the table is not one row and one column per class.
pub fn confusion(title: &str, classes: &[String], counts: &[Vec<u64>]) -> Result<Svg, VizError> {
    let k = classes.len();
    if k == 0 || counts.len() != k || counts.iter().any(|row| row.len() != k) {
        let columns = counts.first().map_or(0, Vec::len);
        return Err(VizError::Chart {
            chart: title.to_owned(),
            problem: format!("{k} classes, but a table of {} × {columns}", counts.len()),
            next: "give one row and one column per class",
        });
    }
    let mut label = format!("{title}.");
    for (class, row) in classes.iter().zip(counts) {
        for (said, count) in classes.iter().zip(row) {
            label += &format!(" {class} called {said}: {count}.");
        }
    }
    let side = side_px(k);
    let size = (96 + k as u32 * side + 8, 70 + k as u32 * side + 8);
    let svg =
        frame::draw(title, &label, size, |area| draw_cells(area, title, classes, counts, side));
    let row = |(class, counts): (&String, &Vec<u64>)| {
        std::iter::once(class.clone()).chain(counts.iter().map(u64::to_string)).collect()
    };
    let called = classes.iter().map(|class| format!("called {class}"));
    let table = Table {
        caption: title.to_owned(),
        head: std::iter::once("true class".to_owned()).chain(called).collect(),
        rows: classes.iter().zip(counts).map(row).collect(),
        numeric: (1..=k).collect(),
    };
    svg.map(|svg| svg.with_values(table))
}

/// A cell's side, page pixels: wide for two classes, still readable for twenty.
fn side_px(classes: usize) -> u32 {
    (360 / classes as u32).clamp(44, 120)
}

fn draw_cells(
    area: &Area,
    title: &str,
    classes: &[String],
    counts: &[Vec<u64>],
    side: u32,
) -> Drawn<String> {
    frame::head(area, title, &[])?;
    let mut says = String::new();
    let (left, top) = (96, 70);
    let name_limit = (side / 8).max(4) as usize;
    let middle = |i: usize| at(i as u32 * side + side / 2);
    let above = hung(frame::TEXT_PX, HPos::Center, VPos::Bottom);
    let width = classes.len() as u32 * side;
    area.draw_text("predicted", &above, (at(left + width / 2), at(top - 26)))?;
    area.draw_text(
        "true",
        &hung(frame::TEXT_PX, HPos::Right, VPos::Bottom),
        (at(left - 10), at(top - 6)),
    )?;
    for (i, class) in classes.iter().enumerate() {
        let name = frame::short(class, name_limit);
        area.draw_text(&name, &above, (at(left) + middle(i), at(top - 6)))?;
        let beside = hung(frame::TEXT_PX, HPos::Right, VPos::Center);
        area.draw_text(&frame::short(class, 10), &beside, (at(left - 10), at(top) + middle(i)))?;
    }
    for (i, row) in counts.iter().enumerate() {
        let total: u64 = row.iter().sum();
        for (j, count) in row.iter().enumerate() {
            let share = if total == 0 { 0.0 } else { *count as f64 / total as f64 };
            let (x, y) = (at(left + j as u32 * side), at(top + i as u32 * side));
            let cell = [(x, y), (x + at(side - 3), y + at(side - 3))];
            let colour = if i == j { palette::RIGHT } else { palette::WRONG };
            // At most half a shade: the ink must stay readable on it, light or dark.
            area.draw(&Rectangle::new(cell, colour.mix(0.06 + 0.44 * share).filled()))?;
            area.draw(&Rectangle::new(cell, INK.mix(0.25).stroke_width(1)))?;
            let (x, y) = (at(left) + middle(j) - at(1), at(top) + middle(i) - at(1));
            let large = hung(if side > 80 { 20 } else { 13 }, HPos::Center, VPos::Center);
            let small = hung(if side > 80 { 13 } else { 11 }, HPos::Center, VPos::Center);
            area.draw_text(&count.to_string(), &large, (x, y - at(side / 10)))?;
            let percent = format!("{:.1} %", 100.0 * share);
            area.draw_text(&percent, &small, (x, y + at(side / 6)))?;
            let (class, said) = (&classes[i], &classes[j]);
            let words = format!("{class} called {said}: {count} of {total}, {percent}");
            says += &frame::patch(cell[0], cell[1], &words);
        }
    }
    Ok(says)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_shares_of_the_row_are_written() {
        let classes = ["cat".to_owned(), "dog & co".to_owned()];
        let svg = confusion("avg", &classes, &[vec![180, 20], vec![0, 0]]).unwrap();
        for text in ["180", "90.0 %", "20", "10.0 %", "0.0 %", "dog &amp; co"] {
            assert!(svg.as_str().contains(text), "{text}");
        }
        assert!(svg.as_str().contains("cat called dog &amp; co: 20."));
        let says = "<title>cat called dog &amp; co: 20 of 200, 10.0 %</title></rect>";
        assert!(svg.as_str().contains(says), "{}", svg.as_str());
        assert_eq!(svg.values().rows, [["cat", "180", "20"], ["dog & co", "0", "0"]]);
    }

    #[test]
    fn a_table_that_is_not_square_is_refused_with_both_numbers() {
        let error = confusion("avg", &["cat".to_owned()], &[vec![1, 2]]).unwrap_err();
        assert!(error.to_string().contains("1 classes, but a table of 1 × 2"), "{error}");
    }
}
