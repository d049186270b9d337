//! How much is asked: of how many pictures, and what each method costs.

use catscan_viz::belief::road;
use catscan_viz::cam::CamRow;

use crate::study::Study;

/// Parts in which pixels go and come.
pub const STEPS: usize = 8;
/// Forwards of a picture for one map: deletion and insertion, ROAD, drop.
const PASSES: usize = 2 * (STEPS - 1) + 2 * road::SHARES.len() + 1;
/// Rows of tests an arm: methods, and maps that know nothing.
const ROWS: usize = 14;
/// Multiply-adds that the tests may cost: sixty-four pictures of two DenseNets-121 at 64 pixels.
const MULTIPLY_ADDS: f64 = 1e13;
/// Pictures: as many as that buys, within these.
const FEWEST: usize = 32;
const MOST: usize = 64;
/// A costly method's pictures: at least these, and at least an eighth of the others'.
const FEWEST_COSTLY: usize = 4;
/// Maps of more forwards than this are made of an arm's first seed only.
const COMPARED: usize = 100;
/// Pictures with fewer of which nothing is said about a difference.
pub const TELLING: usize = 8;

/// How many of `test` pictures are looked at: as asked, else by what the arms' networks cost, but
/// at most a quarter of them.
pub fn pictures(study: &Study, asked: Option<u32>, test: usize) -> usize {
    let all: f64 = study.arms.iter().map(|arm| arm.multiply_adds as f64).sum();
    let bought = (MULTIPLY_ADDS / (all * (ROWS * PASSES) as f64)) as usize;
    match asked {
        Some(count) => (count as usize).min(test),
        None => bought.clamp(FEWEST, MOST).min(test / 4).max(FEWEST_COSTLY.min(test)),
    }
}

/// How many of `all` pictures a method is asked about: all, unless its maps (at a tap of so many
/// `channels`) cost more than their tests.
pub fn pictures_of(row: &CamRow, channels: usize, all: usize) -> usize {
    let least = FEWEST_COSTLY.max(all / 8).min(all);
    (all * PASSES / row.forwards(channels).max(1)).clamp(least, all)
}

/// Whether its maps are compared with other networks': the untrained one's and the other seeds'.
pub fn compared(row: &CamRow, channels: usize) -> bool {
    row.forwards(channels) <= COMPARED
}

#[cfg(test)]
mod tests {
    use super::*;
    use catscan_viz::cam::CAMS;

    #[test]
    fn only_costly_methods_are_asked_of_fewer_pictures() {
        let of = |name: &str| {
            let row = CamRow::find(name).unwrap();
            (pictures_of(row, 1024, 64), compared(row, 1024))
        };
        assert_eq!(of("grad-cam"), (64, true));
        assert_eq!(of("guided-backprop"), (64, true));
        assert_eq!(of("smooth-grad"), (30, true));
        assert_eq!(of("occlusion"), (8, false));
        assert_eq!(of("score-cam"), (8, false));
        for row in CAMS {
            assert_eq!(pictures_of(row, 1024, 3), 3, "{}", row.name);
            assert!(pictures_of(row, 1024, 32) >= 4, "{}", row.name);
        }
    }
}
