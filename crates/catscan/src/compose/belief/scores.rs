//! The scores of a method's maps, picture by picture, and what they tell against maps that know
//! nothing: paired differences on the same pictures, each with its interval.

use anyhow::Result;
use catscan_viz::belief::deletion::Curves;
use catscan_viz::belief::road::Road;
use catscan_viz::belief::{Pictures, deletion, drop, road};
use catscan_viz::cam::Map;
use catscan_viz::evidence::on_mask;

use super::plan::{STEPS, TELLING};
use crate::compose::known::Known;
use crate::stats::{Interval, bootstrap_mean};

/// The seed of the resamples: the same pictures always give the same intervals.
const SEED: u64 = 1;

/// A column of scores.
pub struct Score {
    pub name: &'static str,
    /// Whether large is good.
    pub up: bool,
    /// Whether it is printed in per cent.
    pub percent: bool,
}

/// The scores there are; the last two where the evidence is known.
pub const SCORES: [Score; 7] = [
    Score { name: "deletion", up: false, percent: false },
    Score { name: "insertion", up: true, percent: false },
    Score { name: "ROAD", up: true, percent: false },
    Score { name: "drop", up: false, percent: true },
    Score { name: "increase", up: true, percent: true },
    Score { name: "energy on the mask", up: true, percent: true },
    Score { name: "peak on the mask", up: true, percent: true },
];

/// How many of [`SCORES`] there are.
pub fn count(known: bool) -> usize {
    if known { SCORES.len() } else { SCORES.len() - 2 }
}

/// What one method's maps of some pictures got.
pub struct Scored {
    /// Of each of [`SCORES`], each picture's; none where a map has no positive part, or a picture
    /// no mask.
    pub values: Vec<Vec<Option<f64>>>,
    /// Each picture's, for the charts.
    pub curves: Vec<Curves>,
    /// The same.
    pub roads: Vec<Road>,
}

/// Asks everything of `maps`, one of each of the pictures `indices`.
pub fn scored(
    pictures: &Pictures,
    maps: &[Map],
    indices: &[u32],
    known: &Known,
    size_px: u32,
) -> Result<Scored> {
    let curves = deletion::curves(pictures, &[maps], STEPS)?.remove(0);
    let roads = road::road(pictures, maps)?;
    let drops = drop::drop(pictures, maps)?;
    let (mut energy, mut peak) = (Vec::new(), Vec::new());
    for (index, map) in indices.iter().zip(maps) {
        let mask = known.of(*index);
        let on = mask.as_deref().map(|mask| on_mask(map, mask, size_px)).transpose()?.flatten();
        energy.push(on.map(|on| on.energy));
        peak.push(on.map(|on| if on.peak { 1.0 } else { 0.0 }));
    }
    let values = vec![
        curves.iter().map(|curves| Some(curves.deletion_area())).collect(),
        curves.iter().map(|curves| Some(curves.insertion_area())).collect(),
        roads.iter().map(|road| Some(road.score())).collect(),
        drops.iter().map(|drop| Some(drop.drop)).collect(),
        drops.iter().map(|drop| Some(drop.increase)).collect(),
        energy,
        peak,
    ];
    Ok(Scored { values, curves, roads })
}

/// The mean of those that there are.
pub fn mean(values: &[Option<f64>]) -> Option<f64> {
    let there: Vec<f64> = values.iter().flatten().copied().collect();
    (!there.is_empty()).then(|| there.iter().sum::<f64>() / there.len() as f64)
}

/// A method's score less that of maps that know nothing, on the same pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    pub mean: f64,
    /// 95 %, over pictures.
    pub interval: Interval,
    /// Pictures that have both.
    pub n: usize,
}

/// None where no picture has both.
pub fn difference(ours: &[Option<f64>], random: &[Option<f64>]) -> Option<Difference> {
    let pairs = ours.iter().zip(random).filter_map(|(a, b)| Some((*a)? - (*b)?));
    let all: Vec<f64> = pairs.collect();
    (!all.is_empty()).then(|| Difference {
        mean: all.iter().sum::<f64>() / all.len() as f64,
        interval: bootstrap_mean(&all, SEED),
        n: all.len(),
    })
}

/// What a difference shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Better,
    Worse,
    /// Zero lies in the interval.
    Neither,
    /// So few pictures that an interval over them means nothing.
    TooFew,
}

impl Shown {
    pub fn of(score: &Score, difference: &Difference) -> Shown {
        match (difference.n < TELLING, difference.interval.excludes_zero()) {
            (true, _) => Shown::TooFew,
            (_, false) => Shown::Neither,
            (_, true) if (difference.mean > 0.0) == score.up => Shown::Better,
            (_, true) => Shown::Worse,
        }
    }

    /// Before a difference.
    pub fn mark(self) -> &'static str {
        match self {
            Shown::Better => "✓ ",
            Shown::Worse => "✗ ",
            Shown::Neither | Shown::TooFew => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(values: &[f64]) -> Vec<Option<f64>> {
        values.iter().copied().map(Some).collect()
    }

    #[test]
    fn differences_are_paired_and_pictures_without_a_score_are_left_out() {
        let mut ours = told(&[0.5, 0.7, 0.9, 0.6, 0.5, 0.7, 0.9, 0.6, 9.0]);
        let random = told(&[0.6, 0.8, 1.0, 0.7, 0.6, 0.8, 1.0, 0.7, 0.0]);
        ours[8] = None;
        let got = difference(&ours, &random).unwrap();
        assert!(got.n == 8 && (got.mean + 0.1).abs() < 1e-12, "{got:?}");
        assert!((got.interval.low + 0.1).abs() < 1e-9 && (got.interval.high + 0.1).abs() < 1e-9);
        let [deletion, insertion, ..] = &SCORES;
        assert_eq!(Shown::of(deletion, &got), Shown::Better);
        assert_eq!(Shown::of(insertion, &got), Shown::Worse);
        assert_eq!(difference(&[None], &[Some(1.0)]), None);
    }

    #[test]
    fn an_interval_with_zero_and_one_of_few_pictures_show_nothing() {
        let ours = told(&[1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0]);
        let random = told(&[0.0; 8]);
        let insertion = &SCORES[1];
        let wide = difference(&ours, &random).unwrap();
        assert_eq!(Shown::of(insertion, &wide), Shown::Neither);
        let few = difference(&told(&[1.0; 7]), &random).unwrap();
        assert_eq!(Shown::of(insertion, &few), Shown::TooFew);
    }
}
