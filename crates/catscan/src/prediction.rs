//! What a network says of pictures: a probability a class.

use catscan_models::{Mode, Model, ModelError, Taps, check_answer};
use tch::{Device, Tensor};

/// `[N, C, H, W]` pictures to N rows of K probabilities; one logit gives two.
pub fn probabilities(model: &Model, x: &Tensor) -> Vec<Vec<f32>> {
    rows(&logits(model, x))
}

/// What the network says of one picture `[1, C, H, W]`, a probability a class.
///
/// # Errors
/// Where a logit is NaN or infinite: such an answer is none.
pub fn answer(model: &Model, x: &Tensor) -> Result<Vec<f32>, ModelError> {
    let logits = logits(model, x);
    let said: Vec<f32> =
        Vec::try_from(logits.flatten(0, -1).to_device(Device::Cpu)).expect("floats");
    check_answer(&said)?;
    Ok(rows(&logits).remove(0))
}

fn logits(model: &Model, x: &Tensor) -> Tensor {
    tch::no_grad(|| model.forward(x, Mode::Eval, &mut Taps::off()))
}

fn rows(logits: &Tensor) -> Vec<Vec<f32>> {
    let probabilities = catscan_models::probabilities(logits);
    Vec::try_from(probabilities.to_device(Device::Cpu)).expect("a matrix of floats")
}

#[cfg(test)]
mod tests {
    use catscan_data::{RgbImage, picture_tensor, resize};

    use super::*;

    #[test]
    fn a_sure_network_leaves_the_other_class_its_share() {
        let recipe = crate::recipes::smoke();
        let model = Model::build(&recipe.model, 1, Device::Cpu).unwrap();
        for (name, value) in [("classifier.weight", 0.0), ("classifier.bias", 17.0)] {
            let _ = model.weights().get(name).unwrap().detach().fill_(value);
        }
        let x = picture_tensor(&resize::prepare(RgbImage::new(32, 32), &recipe.data), &recipe.data);
        let [first, second] = answer(&model, &x).unwrap()[..] else { panic!("two classes") };
        assert!((first - 4.14e-8).abs() < 1e-10 && second == 1.0, "{first}, {second}");
        assert_eq!(probabilities(&model, &x), [[first, second]]);
    }
}
