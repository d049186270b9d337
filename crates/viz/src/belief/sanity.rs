//! The weight-randomisation check: Adebayo et al. 2018, "Sanity Checks for Saliency Maps",
//! <https://arxiv.org/abs/1810.03292>, §3.1.
//!
//! All weights are drawn anew, the same pictures are explained for the same classes, and the maps
//! are compared by rank ([`super::agreement`]). A method whose maps stay (a correlation near 1)
//! shows the picture, not what was learned; near 0 it passes. What we do differently: all layers at
//! once, not one after the other from the top.

use crate::VizError;
use catscan_models::Model;
use tch::Device;

/// The seed of the weights drawn anew: none that a study would use.
const SEED: u64 = 0x5A51_7E57;

/// A network of the same kind that learned nothing: whose maps those of `model` are compared with.
///
/// # Errors
/// None that a network which was built before can cause.
pub fn unlearned(model: &Model, device: Device) -> Result<Model, VizError> {
    Ok(Model::build(model.config(), SEED, device)?)
}

#[cfg(test)]
mod tests {
    use super::super::{agreement::agreement, testing};
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
        let fresh = maps_of(&unlearned(&model, Device::Cpu).unwrap());
        let got = agreement(&maps_of(&model), &fresh).unwrap();
        assert!(got.abs() < 0.9, "{got}");
        let again = maps_of(&unlearned(&model, Device::Cpu).unwrap());
        let got = agreement(&again, &fresh).unwrap();
        assert!((got - 1.0).abs() < 1e-9, "{got}");
    }
}
