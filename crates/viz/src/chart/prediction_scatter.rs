//! Every test picture of one arm as a mark: across by its true class, up by the probability that
//! the network gave it. With two classes this is P(second class), and a picture is wrong on the
//! other side of one half; with more it is the probability of the true class.
//!
//! Right ones are dots, wrong ones crosses. Marks of one class are spread sideways by the low bits
//! of their number within it, so that they do not hide each other; sideways means nothing, and
//! nothing is random.

use super::frame::{self, Area, Drawn, at, hung, text};
use crate::report::Table;
use crate::svg::{FINE, INK, Svg};
use crate::{VizError, palette};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use std::collections::HashSet;
use std::fmt::Write;

/// Wrong pictures of a panel that say their name: as many as a report has room for.
const TOLD: usize = 200;

/// What one test picture is, and what a network said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The picture's, as its file is called.
    pub name: String,
    /// The true class.
    pub label: u32,
    /// One probability per class.
    pub probabilities: Vec<f32>,
}

impl Prediction {
    /// Whether the most probable class is the true one. (Of equal ones the first counts, so an even
    /// 0.5 is the first class, as `p > 0.5` says in the evaluation.)
    pub fn is_right(&self) -> bool {
        self.said() == self.label as usize
    }

    /// The class with the highest probability.
    fn said(&self) -> usize {
        let best = self.probabilities.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        self.probabilities.iter().position(|p| *p == best).unwrap_or(0)
    }

    /// The probability of the true class.
    fn of_truth(&self) -> f32 {
        self.probabilities[self.label as usize]
    }
}

/// Draws the predictions of one arm; panels of several arms share the axis 0 to 1.
///
/// # Errors
/// When a picture's label or number of probabilities does not fit the classes.
pub fn prediction_scatter(
    title: &str,
    classes: &[String],
    pictures: &[Prediction],
) -> Result<Svg, VizError> {
    let k = classes.len();
    let fits = |p: &Prediction| p.probabilities.len() == k && (p.label as usize) < k;
    if let Some(odd) = pictures.iter().find(|p| !fits(p)) {
        let (label, n) = (odd.label, odd.probabilities.len());
        return Err(VizError::Chart {
            chart: title.to_owned(),
            problem: format!("{k} classes, but a picture of class {label} with {n} probabilities"),
            next: "give one probability per class",
        });
    }
    if pictures.is_empty() {
        return Err(VizError::Chart {
            chart: title.to_owned(),
            problem: "0 pictures".to_owned(),
            next: "evaluate the run first",
        });
    }
    let wrong = pictures.iter().filter(|p| !p.is_right()).count();
    let label = format!("{title}: {wrong} of {} pictures are wrong.", pictures.len());
    let svg =
        frame::draw(title, &label, (470, 360), |area| draw_marks(area, title, classes, pictures));
    svg.map(|svg| svg.with_values(values(title, classes, pictures)))
}

/// The most confident errors, [`TOLD`] at most: those whose true class has the least probability.
fn most_confident_errors(pictures: &[Prediction]) -> Vec<&Prediction> {
    let mut wrong: Vec<&Prediction> = pictures.iter().filter(|p| !p.is_right()).collect();
    wrong.sort_by(|a, b| a.of_truth().total_cmp(&b.of_truth()));
    wrong.truncate(TOLD);
    wrong
}

/// The wrong pictures; the others are in the runs' `test.json`.
fn values(title: &str, classes: &[String], pictures: &[Prediction]) -> Table {
    let wrong = pictures.iter().filter(|p| !p.is_right()).count();
    let rows: Vec<Vec<String>> = most_confident_errors(pictures)
        .into_iter()
        .map(|p| {
            let said = p.said();
            let [truth, most] = [p.of_truth(), p.probabilities[said]].map(|p| format!("{p:.3}"));
            let label = p.label as usize;
            vec![p.name.clone(), classes[label].clone(), truth, classes[said].clone(), most]
        })
        .collect();
    let head = ["picture", "true class", "its probability", "predicted class", "its probability"];
    Table {
        caption: format!(
            "{title}: {} of {wrong} wrong pictures, the most confident errors first; test.json \
             has all {}.",
            rows.len(),
            pictures.len()
        ),
        head: head.map(str::to_owned).to_vec(),
        rows,
        numeric: vec![2, 4],
    }
}

fn draw_marks(
    area: &Area,
    title: &str,
    classes: &[String],
    pictures: &[Prediction],
) -> Drawn<String> {
    let head = frame::head(area, title, &[])?;
    let k = classes.len();
    let mut chart = ChartBuilder::on(area)
        .margin_top(at(head + 20))
        .margin_right(at(8))
        .margin_left(at(26))
        .x_label_area_size(at(34))
        .y_label_area_size(at(40))
        .build_cartesian_2d(0.0..k as f64, 0.0..1.0)?;
    frame::mesh(&mut chart)
        .disable_x_mesh()
        .disable_x_axis()
        .y_labels(6)
        .y_label_formatter(&|v| format!("{v:.1}"))
        .draw()?;
    if k == 2 {
        let half = chart.backend_coord(&(0.0, 0.5));
        let end = chart.backend_coord(&(2.0, 0.5));
        let line = INK.mix(0.8).stroke_width(frame::fine(1));
        area.draw(&PathElement::new(vec![half, end], line))?;
    }
    let what = match classes {
        [_, second] => format!("P({})", frame::short(second, 20)),
        _ => "P(true class)".to_owned(),
    };
    // Above the highest tick's label, not on it.
    area.draw_text(&what, &text(frame::TEXT_PX), (at(4), at(head - 8)))?;
    for (i, class) in classes.iter().enumerate() {
        let below = chart.backend_coord(&(i as f64 + 0.5, 0.0));
        let of_class = pictures.iter().filter(|p| p.label as usize == i);
        let (n, wrong) = of_class.fold((0, 0), |(n, w), p| (n + 1, w + u32::from(!p.is_right())));
        let style = hung(frame::TEXT_PX, HPos::Center, VPos::Top);
        let text = if k <= 3 {
            format!("true {}: {wrong} of {n} wrong", frame::short(class, 12))
        } else {
            frame::short(class, 40 / k + 2)
        };
        area.draw_text(&text, &style, (below.0, below.1 + at(10)))?;
    }
    let place = |x: f64, y: f64| chart.backend_coord(&(x, y));
    Ok(marks(pictures, classes, place))
}

/// Two paths, one for dots and one for crosses, and over the most confident errors what they are. A
/// circle element per picture would make the report of 4,000 pictures ten times as large.
fn marks(
    pictures: &[Prediction],
    classes: &[String],
    place: impl Fn(f64, f64) -> (i32, i32),
) -> String {
    let k = classes.len();
    let told: HashSet<*const Prediction> =
        most_confident_errors(pictures).into_iter().map(std::ptr::from_ref).collect();
    let mut says = String::new();
    let (mut dots, mut crosses) = (String::new(), String::new());
    let arm = at(3);
    let mut seen = vec![0; k];
    for picture in pictures {
        let class = picture.label as usize;
        let nth = seen[class];
        seen[class] += 1;
        let shown = if k == 2 { 1 } else { class };
        let p = f64::from(picture.probabilities[shown]).clamp(0.0, 1.0);
        let (x, y) = place(f64::from(picture.label) + 0.12 + 0.76 * sideways(nth), p);
        if picture.is_right() {
            let _ = write!(dots, "M{x} {y}h0");
        } else {
            let (left, top, across) = (x - arm, y - arm, 2 * arm);
            let _ =
                write!(crosses, "M{left} {top}l{across} {across}m0-{across}l-{across} {across}");
        }
        if told.contains(&std::ptr::from_ref(picture)) {
            let (truth, said) = (&classes[class], &classes[picture.said()]);
            let share = picture.probabilities[picture.said()];
            let words = format!("{}: is {truth}, predicted {said} with {share:.2}", picture.name);
            says += &frame::spot((x, y), 4, None, &words);
        }
    }
    let path = |d: &str, colour: RGBColor, width: u32, opacity: f64| {
        let RGBColor(r, g, b) = colour;
        format!(
            "<path d=\"{d}\" fill=\"none\" stroke=\"#{r:02X}{g:02X}{b:02X}\" stroke-width=\"{}\" \
             stroke-linecap=\"round\" opacity=\"{opacity}\"/>\n",
            width * FINE
        )
    };
    // The more dots, the fainter and smaller, so that their crowding still shows.
    let (width, opacity) = if pictures.len() > 1000 { (3, 0.5) } else { (5, 0.75) };
    path(&dots, palette::RIGHT, width, opacity) + &path(&crosses, palette::WRONG, 2, 1.0) + &says
}

/// Van der Corput's sequence, base 2: `i`'s bits mirrored behind the point, in 0..1. Neighbours in
/// number land far apart.
fn sideways(i: u32) -> f64 {
    f64::from(i.reverse_bits()) / 2f64.powi(32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(label: u32, p: f32) -> Prediction {
        Prediction { name: format!("<{label} {p}>.jpg"), label, probabilities: vec![1.0 - p, p] }
    }

    #[test]
    fn wrong_pictures_are_crosses_and_right_ones_dots() {
        let pictures = [picture(0, 0.1), picture(0, 0.9), picture(1, 0.9), picture(1, 0.5)];
        let classes = ["cat".to_owned(), "dog".to_owned()];
        let svg = prediction_scatter("avg", &classes, &pictures).unwrap();
        assert_eq!(svg.as_str().matches("h0").count(), 2);
        assert_eq!(svg.as_str().matches("m0-").count(), 2);
        assert!(svg.as_str().contains("2 of 4 pictures are wrong"));
        assert!(svg.as_str().contains("true dog: 1 of 2 wrong"));
        assert!(svg.as_str().contains("P(dog)"));
        // Wrong ones say who they are, the surest first in the table.
        let says = "<title>&lt;0 0.9&gt;.jpg: is cat, predicted dog with 0.90</title>";
        assert!(svg.as_str().contains(says), "{}", svg.as_str());
        assert_eq!(svg.as_str().matches("<circle").count(), 2);
        let rows = &svg.values().rows;
        assert_eq!(rows[0], ["<0 0.9>.jpg", "cat", "0.100", "dog", "0.900"]);
        assert_eq!((rows.len(), &*rows[1][0]), (2, "<1 0.5>.jpg"));
    }

    #[test]
    fn sideways_is_even_and_the_same_each_time() {
        assert_eq!([0, 1, 2, 3].map(sideways), [0.0, 0.5, 0.25, 0.75]);
        let left = (0..1000).filter(|i| sideways(*i) < 0.5).count();
        assert_eq!(left, 500);
    }

    #[test]
    fn a_picture_with_a_probability_too_few_is_refused() {
        let odd = [Prediction { name: String::new(), label: 0, probabilities: vec![1.0] }];
        assert!(prediction_scatter("t", &["a".into(), "b".into()], &odd).is_err());
    }
}
