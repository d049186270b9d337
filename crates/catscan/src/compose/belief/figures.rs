//! The curves behind the scores: one chart a method, all arms in it, and dashed beside each what
//! maps that know nothing get.

use anyhow::Result;
use catscan_viz::Svg;
use catscan_viz::belief::{deletion::Curves, road::SHARES};
use catscan_viz::chart::{Axes, Beside, Line, lines_against};
use catscan_viz::report::Block;

use super::arm::{ArmTests, MethodTest};
use super::plan::STEPS;
use super::scores::MapScores;

/// The method whose curves are shown unfolded: the one whose maps the report draws.
const FIRST: &str = "grad-cam";

/// What a chart shows of scored maps: (title, the axis, its points in per cent), means over those
/// of the pictures that are named.
type Curve = (&'static str, &'static str, fn(&MapScores, &[usize]) -> Vec<(f64, f64)>);

const CURVES: [Curve; 3] = [
    ("Deletion: probability, %", "pixels removed, hottest first, %", |scored, which| {
        parts(&mean(scored, which).deletion)
    }),
    ("Insertion: probability, %", "pixels brought in, hottest first, %", |scored, which| {
        parts(&mean(scored, which).insertion)
    }),
    ("ROAD: gap, points", "pixels removed, %", |scored, which| {
        let gap = |(at, share): (usize, &f64)| {
            let roads = which.iter().map(|n| &scored.roads[*n]);
            let sum: f64 = roads.map(|road| road.coldest[at] - road.hottest[at]).sum();
            (100.0 * share, 100.0 * sum / which.len() as f64)
        };
        std::iter::once((0.0, 0.0)).chain(SHARES.iter().enumerate().map(gap)).collect()
    }),
];

fn mean(scored: &MapScores, which: &[usize]) -> Curves {
    Curves::mean(&which.iter().map(|n| scored.curves[*n].clone()).collect::<Vec<_>>())
}

fn parts(curve: &[f64]) -> Vec<(f64, f64)> {
    let point = |(step, p): (usize, &f64)| (100.0 * step as f64 / STEPS as f64, 100.0 * p);
    curve.iter().enumerate().map(point).collect()
}

/// A figure a method, in the order of the table; all but one folded.
pub fn curves(arms: &[ArmTests]) -> Result<Vec<Block>> {
    let mut methods: Vec<&str> = Vec::new();
    for tested in arms.iter().flat_map(|of_arm| &of_arm.methods) {
        if !methods.contains(&&*tested.method) {
            methods.push(&tested.method);
        }
    }
    methods.into_iter().map(|method| figure(method, arms)).collect()
}

fn figure(method: &str, arms: &[ArmTests]) -> Result<Block> {
    let of = |of_arm: &'_ ArmTests| -> Option<usize> {
        of_arm.methods.iter().position(|tested| tested.method == method)
    };
    let asked: Vec<(&ArmTests, &MethodTest)> =
        arms.iter().filter_map(|arm| Some((arm, &arm.methods[of(arm)?]))).collect();
    let panel = |(title, x, points): &Curve| -> Result<Svg> {
        let line = |arm: &ArmTests, scored: &MapScores, which: &[usize]| Line {
            name: arm.arm.clone(),
            seed: None,
            points: points(scored, which),
        };
        let own = |(arm, tested): &(&ArmTests, &MethodTest)| {
            let all: Vec<usize> = (0..tested.places.len()).collect();
            line(arm, &tested.scored, &all)
        };
        // Of random maps the same pictures: theirs are of all that were seen.
        let of_random = |(arm, tested): &(&ArmTests, &MethodTest)| {
            line(arm, &arm.random_of(tested).scored, &tested.places)
        };
        let ours: Vec<Line> = asked.iter().map(own).collect();
        let random: Vec<Line> = asked.iter().map(of_random).collect();
        let beside = Beside { called: "random maps", lines: &random };
        let axes = Axes { x, diagonal: false };
        Ok(lines_against(&format!("{method}, {title}"), axes, &ours, beside)?)
    };
    let chart = Block::Chart {
        caption: format!(
            "{method}, mean over {} pictures of the true class' probability, and dashed the same \
             of random maps on the same pictures; ROAD's gap is what is left without the coldest \
             pixels less what is left without the hottest. Of maps to be believed the line lies \
             below its dashed one in the first chart and above it in the second and third.",
            asked[0].1.places.len()
        ),
        panels: CURVES.iter().map(panel).collect::<Result<_>>()?,
    };
    Ok(match method == FIRST {
        true => chart,
        false => Block::Details { summary: format!("Curves of {method}"), blocks: vec![chart] },
    })
}
