//! The weight-randomisation check: Adebayo et al. 2018, "Sanity Checks for Saliency Maps",
//! <https://arxiv.org/abs/1810.03292>, §3.1.
//!
//! All weights are drawn anew, the same pictures are explained for the same classes, and the maps
//! are compared by rank ([`super::agreement`]). A method whose maps stay (a correlation near 1)
//! shows the picture, not what was learned; near 0 it passes. What we do differently: all layers at
//! once, not one after the other from the top.

use super::agreement::agreement;
use crate::VizError;
use crate::cam::{CamRow, Map, explain};
use catscan_models::Model;
use tch::Tensor;

/// The seed of the weights drawn anew: none that a study would use.
const SEED: u64 = 0x5A51_7E57;

/// Mean rank correlation of `maps` (of `row` at `tap`) with those of a network of the same kind
/// that learned nothing; `None` where all maps are constant.
///
/// # Errors
/// As [`explain`].
pub fn correlation(
    row: &CamRow,
    model: &Model,
    batch: &Tensor,
    classes: &[i64],
    tap: &str,
    maps: &[Map],
) -> Result<Option<f64>, VizError> {
    let fresh = Model::build(model.config(), SEED, batch.device())?;
    let taps = [tap.to_owned()];
    let theirs = explain(row, &fresh, batch, classes, &taps)?;
    Ok(agreement(maps, &theirs.taps[0].maps))
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::cam::grad_cam;

    #[test]
    fn new_weights_give_other_maps_and_the_same_weights_the_same() {
        let (model, batch) = (testing::network(), testing::pictures(2));
        let tap = "features.pool0".to_owned();
        let maps_of = |model: &Model| {
            let taps = std::slice::from_ref(&tap);
            grad_cam(model, &batch, &[1, 1], taps).unwrap().taps.remove(0).maps
        };
        let maps = maps_of(&model);
        let row = CamRow::find("grad-cam").unwrap();
        let got = correlation(row, &model, &batch, &[1, 1], &tap, &maps).unwrap().unwrap();
        assert!(got.abs() < 0.9, "{got}");
        let same = Model::build(model.config(), SEED, tch::Device::Cpu).unwrap();
        let maps = maps_of(&same);
        let got = correlation(row, &same, &batch, &[1, 1], &tap, &maps).unwrap().unwrap();
        assert!((got - 1.0).abs() < 1e-9, "{got}");
    }
}
