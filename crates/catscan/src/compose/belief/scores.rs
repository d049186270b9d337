//! The scores of a method's maps, picture by picture, and what they tell against maps that know
//! nothing: paired differences on the same pictures, each with its interval.

use anyhow::Result;
use catscan_viz::belief::deletion::Curves;
use catscan_viz::belief::drop::Drop;
use catscan_viz::belief::road::Road;
use catscan_viz::belief::{Pictures, deletion, drop, road};
use catscan_viz::cam::Map;
use catscan_viz::evidence::{OnMask, on_mask};

use super::plan::{STEPS, TELLING};
use crate::compose::evidence_masks::EvidenceMasks;
use crate::stats::{Interval, bootstrap_mean};

/// The seed of the resamples: the same pictures always give the same intervals.
const SEED: u64 = 1;

/// A column of scores.
pub struct Score {
    pub name: &'static str,
    /// What it is, for readers of the report.
    pub about: &'static str,
    /// Whether large is good.
    pub up: bool,
    /// Whether it is printed in per cent.
    pub percent: bool,
    /// Whether the evidence must be known.
    pub needs_mask: bool,
    /// A picture's; none where it has no mask, or its map no positive part.
    of: fn(&MapScores, usize) -> Option<f64>,
}

/// The scores there are.
pub static SCORES: [Score; 7] = [
    Score {
        name: "deletion",
        about: "the mean probability of the class while pixels are removed, the hottest first \
                (Petsiuk et al. 2018)",
        up: false,
        percent: false,
        needs_mask: false,
        of: |scored, n| Some(scored.curves[n].deletion_area()),
    },
    Score {
        name: "insertion",
        about: "the same while they are brought into a blurred picture",
        up: true,
        percent: false,
        needs_mask: false,
        of: |scored, n| Some(scored.curves[n].insertion_area()),
    },
    Score {
        name: "ROAD",
        about: "how much more the hottest pixels matter than the coldest, when the holes are \
                filled in from around them (Rong et al. 2022). A random map gets about 0",
        up: true,
        percent: false,
        needs_mask: false,
        of: |scored, n| Some(scored.roads[n].score()),
    },
    Score {
        name: "drop",
        about: "what the class loses when only the hot part is shown (Chattopadhyay et al. 2018)",
        up: false,
        percent: true,
        needs_mask: false,
        of: |scored, n| Some(scored.drops[n].drop),
    },
    Score {
        name: "increase",
        about: "how often it gains then",
        up: true,
        percent: true,
        needs_mask: false,
        of: |scored, n| Some(scored.drops[n].increase),
    },
    Score {
        name: "energy on the mask",
        about: "the part of the map's positive mass on what really tells the classes apart (Wang \
                et al. 2020)",
        up: true,
        percent: true,
        needs_mask: true,
        of: |scored, n| Some(scored.on_mask[n]?.energy),
    },
    Score {
        name: "peak on the mask",
        about: "how often the map's highest point lies there (Zhang et al. 2018)",
        up: true,
        percent: true,
        needs_mask: true,
        of: |scored, n| Some(if scored.on_mask[n]?.peak { 1.0 } else { 0.0 }),
    },
];

/// Those that can be asked for.
pub fn asked(known: bool) -> Vec<&'static Score> {
    SCORES.iter().filter(|score| known || !score.needs_mask).collect()
}

/// What one method's maps of some pictures got, picture by picture.
pub struct MapScores {
    pub curves: Vec<Curves>,
    pub roads: Vec<Road>,
    drops: Vec<Drop>,
    on_mask: Vec<Option<OnMask>>,
}

impl MapScores {
    /// Each picture's.
    pub fn values(&self, score: &Score) -> Vec<Option<f64>> {
        (0..self.curves.len()).map(|n| (score.of)(self, n)).collect()
    }
}

/// Asks everything of `maps`, one of each of the pictures `indices`.
pub fn scored(
    pictures: &Pictures,
    maps: &[Map],
    indices: &[u32],
    known: &EvidenceMasks,
    size_px: u32,
) -> Result<MapScores> {
    let on_mask = |(index, map): (&u32, &Map)| -> Result<Option<OnMask>> {
        Ok(match known.of(*index)? {
            Some(mask) => on_mask(map, &mask, size_px)?,
            None => None,
        })
    };
    Ok(MapScores {
        curves: deletion::curves(pictures, &[maps], STEPS)?.remove(0),
        roads: road::road(pictures, maps)?,
        drops: drop::drop(pictures, maps)?,
        on_mask: indices.iter().zip(maps).map(on_mask).collect::<Result<_, _>>()?,
    })
}

/// The mean of those that there are.
pub fn mean(values: &[Option<f64>]) -> Option<f64> {
    let there: Vec<f64> = values.iter().flatten().copied().collect();
    (!there.is_empty()).then(|| there.iter().sum::<f64>() / there.len() as f64)
}

/// A method's score less that of maps that know nothing, on the same pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreDifference {
    pub mean: f64,
    /// 95 %, over pictures.
    pub interval: Interval,
    /// Pictures that have both.
    pub n: usize,
}

/// None where no picture has both.
pub fn difference(ours: &[Option<f64>], random: &[Option<f64>]) -> Option<ScoreDifference> {
    let pairs = ours.iter().zip(random).filter_map(|(a, b)| Some((*a)? - (*b)?));
    let all: Vec<f64> = pairs.collect();
    (!all.is_empty()).then(|| ScoreDifference {
        mean: all.iter().sum::<f64>() / all.len() as f64,
        interval: bootstrap_mean(&all, SEED),
        n: all.len(),
    })
}

/// What a difference shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Better,
    Worse,
    /// Zero lies in the interval.
    Neither,
    /// So few pictures that an interval over them means nothing.
    TooFew,
}

impl Verdict {
    pub fn of(score: &Score, difference: &ScoreDifference) -> Verdict {
        match (difference.n < TELLING, difference.interval.excludes_zero()) {
            (true, _) => Verdict::TooFew,
            (_, false) => Verdict::Neither,
            (_, true) if (difference.mean > 0.0) == score.up => Verdict::Better,
            (_, true) => Verdict::Worse,
        }
    }

    /// Before a difference.
    pub fn mark(self) -> &'static str {
        match self {
            Verdict::Better => "✓ ",
            Verdict::Worse => "✗ ",
            Verdict::Neither | Verdict::TooFew => "",
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
    fn every_row_computes_its_own() {
        let scored = MapScores {
            curves: vec![Curves { deletion: vec![0.5, 0.1], insertion: vec![0.2, 0.6] }; 2],
            roads: vec![Road { hottest: vec![0.1], coldest: vec![0.7] }; 2],
            drops: vec![Drop { drop: 0.8, increase: 1.0 }; 2],
            on_mask: vec![Some(OnMask { energy: 0.9, peak: true }), None],
        };
        let of = |score: &Score| scored.values(score)[0].unwrap();
        let close = SCORES.iter().zip([0.3, 0.4, 0.3, 0.8, 1.0, 0.9, 1.0]);
        assert!(close.map(|(score, want)| of(score) - want).all(|gap| gap.abs() < 1e-12));
        for score in &SCORES {
            assert_eq!(scored.values(score)[1].is_none(), score.needs_mask, "{}", score.name);
        }
        let names = |known| asked(known).iter().map(|score| score.name).collect::<Vec<_>>();
        assert_eq!(names(true).len(), 7);
        assert_eq!(names(false), ["deletion", "insertion", "ROAD", "drop", "increase"]);
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
        assert_eq!(Verdict::of(deletion, &got), Verdict::Better);
        assert_eq!(Verdict::of(insertion, &got), Verdict::Worse);
        assert_eq!(difference(&[None], &[Some(1.0)]), None);
    }

    #[test]
    fn an_interval_with_zero_and_one_of_few_pictures_show_nothing() {
        let ours = told(&[1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0]);
        let random = told(&[0.0; 8]);
        let insertion = &SCORES[1];
        let wide = difference(&ours, &random).unwrap();
        assert_eq!(Verdict::of(insertion, &wide), Verdict::Neither);
        let few = difference(&told(&[1.0; 7]), &random).unwrap();
        assert_eq!(Verdict::of(insertion, &few), Verdict::TooFew);
    }
}
