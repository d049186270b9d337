//! The curves behind the scores: one chart a method, all arms in it, and dashed beside each what
//! maps that know nothing get.

use anyhow::Result;
use catscan_viz::Svg;
use catscan_viz::belief::road::SHARES;
use catscan_viz::chart::{Axes, Beside, Line, lines_against};
use catscan_viz::report::Block;

use super::arm::{OfArm, Tested};
use super::plan::STEPS;

/// The method whose curves are shown unfolded: the one whose maps the report draws.
const FIRST: &str = "grad-cam";

/// What a chart shows of a method's maps: (title, the axis, its points in per cent).
type Curve = (&'static str, &'static str, fn(&Tested) -> Vec<(f64, f64)>);

const CURVES: [Curve; 3] = [
    ("Deletion: probability, %", "pixels removed, hottest first, %", |tested| {
        parts(&tested.scored.curves.deletion)
    }),
    ("Insertion: probability, %", "pixels brought in, hottest first, %", |tested| {
        parts(&tested.scored.curves.insertion)
    }),
    ("ROAD: coldest less hottest gone, points", "pixels removed, %", |tested| {
        let shares = SHARES.iter().map(|share| 100.0 * share);
        let gaps = tested.scored.road.iter().map(|gap| 100.0 * gap);
        std::iter::once((0.0, 0.0)).chain(shares.zip(gaps)).collect()
    }),
];

fn parts(curve: &[f64]) -> Vec<(f64, f64)> {
    let point = |(step, p): (usize, &f64)| (100.0 * step as f64 / STEPS as f64, 100.0 * p);
    curve.iter().enumerate().map(point).collect()
}

/// A figure a method, in the order of the table; all but one folded.
pub fn curves(arms: &[OfArm]) -> Result<Vec<Block>> {
    let mut methods: Vec<&str> = Vec::new();
    for tested in arms.iter().flat_map(|of_arm| &of_arm.methods) {
        if !methods.contains(&&*tested.method) {
            methods.push(&tested.method);
        }
    }
    methods.into_iter().map(|method| figure(method, arms)).collect()
}

fn figure(method: &str, arms: &[OfArm]) -> Result<Block> {
    let of = |of_arm: &'_ OfArm| -> Option<usize> {
        of_arm.methods.iter().position(|tested| tested.method == method)
    };
    let asked: Vec<(&OfArm, &Tested)> =
        arms.iter().filter_map(|arm| Some((arm, &arm.methods[of(arm)?]))).collect();
    let panel = |(title, x, points): &Curve| -> Result<Svg> {
        let line = |arm: &OfArm, tested: &Tested| Line {
            name: arm.arm.clone(),
            seed: None,
            points: points(tested),
        };
        let ours: Vec<Line> = asked.iter().map(|(arm, tested)| line(arm, tested)).collect();
        let random: Vec<Line> =
            asked.iter().map(|(arm, tested)| line(arm, arm.random_of(tested))).collect();
        let beside = Beside { called: "random maps", lines: &random };
        let axes = Axes { x, diagonal: false };
        Ok(lines_against(&format!("{method}, {title}"), axes, &ours, beside)?)
    };
    let (first, n) = (asked[0].1, asked[0].1.places.len());
    let all = asked[0].0.random_of(first).places.len();
    let beside = match n == all {
        true => String::new(),
        false => format!(" (those on all {all} pictures, the method on {n} of them)"),
    };
    let chart = Block::Chart {
        caption: format!(
            "{method}: mean over {n} pictures of the true class' probability. Its maps should fall \
             faster than random ones{beside} in the first chart, rise faster in the second and \
             stand higher in the third."
        ),
        panels: CURVES.iter().map(panel).collect::<Result<_>>()?,
    };
    Ok(match method == FIRST {
        true => chart,
        false => Block::Details { summary: format!("Curves of {method}"), blocks: vec![chart] },
    })
}
