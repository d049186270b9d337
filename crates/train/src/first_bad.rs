//! Where a NaN or an infinity came up first, once one has been found: the forward again with all
//! taps on, then the gradients in the order in which backward makes them.

use catscan_models::{Mode, Model, Taps, Weights};
use tch::{Tensor, no_grad};

use crate::batches::Batch;
use crate::learner::Learner;

/// Of a training step whose loss or `gradient [P]` is not finite.
pub(crate) fn of_step(learner: &Learner, batch: &Batch, gradient: &Tensor) -> String {
    of_forward(&learner.model, &batch.images, Mode::Train(learner.draws(batch)))
        .or_else(|| of_backward(learner.model.weights(), learner.parameters(), gradient))
        .unwrap_or_else(none_before_the_loss)
}

/// The first bad tap of a forward, if there is one. A training forward also moves running
/// statistics, which is of no matter to a run that ends here.
pub(crate) fn of_forward(model: &Model, images: &Tensor, mode: Mode) -> Option<String> {
    if !is_finite(images) {
        return Some("the batch's pictures themselves hold such numbers".into());
    }
    let mut taps = Taps::all();
    let _ = no_grad(|| model.forward(images, mode, &mut taps));
    let (name, _) = taps.iter().find(|(_, tensor)| !is_finite(tensor))?;
    Some(format!("{name} was the first to give such numbers"))
}

/// Backward runs from the head to the stem, so the last parameter is the first to have a gradient.
fn of_backward(weights: &Weights, parameters: &[Tensor], gradient: &Tensor) -> Option<String> {
    let mut start = 0;
    let mut bad = Vec::new();
    for parameter in parameters {
        let length = parameter.numel() as i64;
        if !is_finite(&gradient.narrow(0, start, length)) {
            bad.push(parameter.data_ptr());
        }
        start += length;
    }
    let first = weights.iter().rev().find(|weight| bad.contains(&weight.tensor.data_ptr()))?;
    Some(format!("the gradient of {} was the first to be such", first.name))
}

/// All that went into it was finite.
pub(crate) fn none_before_the_loss() -> String {
    "everything before it was finite".into()
}

fn is_finite(tensor: &Tensor) -> bool {
    no_grad(|| tensor.isfinite().all().int64_value(&[]) == 1)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::optimizer::flatten;
    use crate::testing::recipe;

    fn model() -> Model {
        Model::build(&recipe().model, 1, Device::Cpu).unwrap()
    }

    fn poison(model: &Model, name: &str) {
        let weight = model.weights().get(name).unwrap();
        let _ = no_grad(|| weight.flatten(0, -1).narrow(0, 1, 1).fill_(f64::NAN));
    }

    #[test]
    fn the_first_tap_in_forward_order_is_named() {
        let x = Tensor::rand([2, 3, 32, 32], (Kind::Float, Device::Cpu));
        let model = model();
        assert_eq!(of_forward(&model, &x, Mode::Eval), None);
        poison(&model, "classifier.weight");
        let found = of_forward(&model, &x, Mode::Eval).unwrap();
        assert!(found.starts_with("classifier was the first"), "{found}");
        poison(&model, "features.norm0.weight");
        let found = of_forward(&model, &x, Mode::TRAIN).unwrap();
        assert!(found.starts_with("features.norm0 was the first"), "{found}");
        let found = of_forward(&model, &(x * f64::INFINITY), Mode::Eval).unwrap();
        assert!(found.contains("pictures themselves"), "{found}");
    }

    #[test]
    fn the_gradient_nearest_to_the_loss_is_named() {
        let model = model();
        let parameters: Vec<Tensor> =
            model.weights().parameters().map(|weight| weight.tensor.shallow_clone()).collect();
        let zeros: Vec<Tensor> = parameters.iter().map(Tensor::zeros_like).collect();
        assert_eq!(of_backward(model.weights(), &parameters, &flatten(&zeros)), None);
        for (parameter, gradient) in model.weights().parameters().zip(&zeros) {
            if ["features.conv0.weight", "features.norm0.bias"].contains(&&*parameter.name) {
                let _ = gradient.shallow_clone().fill_(f64::NEG_INFINITY);
            }
        }
        let found = of_backward(model.weights(), &parameters, &flatten(&zeros)).unwrap();
        assert!(found.contains("gradient of features.norm0.bias was the first"), "{found}");
    }
}
