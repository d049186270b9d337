//! What a map explains: the score of a class, its probability, the classifier's weights for it.

use crate::VizError;
use catscan_models::Model;
use tch::{Device, Kind, Tensor};

/// `[N, K]` logits to `[N]` scores, each picture's for its class. With one logit class 1's score is
/// the logit and class 0's its negative.
pub(crate) fn class_scores(logits: &Tensor, classes: &[i64]) -> Result<Tensor, VizError> {
    let outputs = logits.size()[1];
    let known = if outputs == 1 { 2 } else { outputs };
    if let Some(class) = classes.iter().find(|class| !(0..known).contains(*class)) {
        return Err(VizError::UnknownClass { class: *class, classes: known });
    }
    if outputs == 1 {
        return Ok(logits.squeeze_dim(1) * signs(classes, logits.device()));
    }
    let classes = Tensor::from_slice(classes).to_device(logits.device()).unsqueeze(1);
    Ok(logits.gather(1, &classes, false).squeeze_dim(1))
}

/// 1 for class 1 and −1 for class 0, `[N]`.
pub(super) fn signs(classes: &[i64], device: Device) -> Tensor {
    let signs: Vec<f32> = classes.iter().map(|c| if *c == 1 { 1.0 } else { -1.0 }).collect();
    Tensor::from_slice(&signs).to_device(device)
}

/// Logits `[N, K]` → K probabilities a picture; one logit means two classes.
pub(crate) fn probabilities(logits: &Tensor) -> Vec<Vec<f32>> {
    let probabilities = catscan_models::probabilities(&logits.detach());
    (0..probabilities.size()[0]).map(|n| super::values(&probabilities.get(n))).collect()
}

/// Logits `[N, K]` → the probability of each picture's class.
pub(crate) fn class_probabilities(logits: &Tensor, classes: &[i64]) -> Result<Vec<f64>, VizError> {
    let _ = class_scores(logits, classes)?; // refuses an unknown class
    let all = probabilities(logits);
    Ok(all.iter().zip(classes).map(|(all, class)| f64::from(all[*class as usize])).collect())
}

/// The classifier's weights for each picture's class, `[N, C]`; the classes have been checked.
pub(super) fn classifier_rows(model: &Model, classes: &[i64]) -> Result<Tensor, VizError> {
    let name = format!("{}.weight", model.head_name());
    let weight = model.weights().iter().find(|weight| weight.name == name);
    let weight = weight.expect("every network ends in a linear layer").tensor.detach();
    if weight.size()[0] == 1 {
        return Ok(weight.to_kind(Kind::Float) * signs(classes, weight.device()).unsqueeze(1));
    }
    let rows = Tensor::from_slice(classes).to_device(weight.device());
    Ok(weight.to_kind(Kind::Float).index_select(0, &rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_of_one_logit_changes_sign_with_the_class() {
        let logits = Tensor::from_slice(&[2.0f32, 5.0]).view([2, 1]);
        let sum = |classes: &[i64]| {
            class_scores(&logits, classes).unwrap().sum(Kind::Float).double_value(&[])
        };
        assert_eq!(sum(&[1, 1]), 7.0);
        assert_eq!(sum(&[0, 1]), 3.0);
        let error = class_scores(&logits, &[0, 2]).unwrap_err();
        assert!(error.to_string().contains("class 2: the model tells 2 classes"), "{error}");
    }

    #[test]
    fn the_score_of_k_logits_is_the_classs_own() {
        let logits = Tensor::from_slice(&[1.0f32, 2.0, 4.0, 8.0, 16.0, 32.0]).view([2, 3]);
        assert_eq!(super::super::values(&class_scores(&logits, &[2, 0]).unwrap()), [4.0, 8.0]);
    }

    #[test]
    fn probabilities_of_one_logit_are_two() {
        let p = probabilities(&Tensor::from_slice(&[0.0f32]).view([1, 1]));
        assert_eq!(p, [[0.5, 0.5]]);
        // In f32 1 − p would be 0 here, and a drop by a share of it none.
        let sure = Tensor::from_slice(&[17.0f32]).view([1, 1]);
        assert!(class_probabilities(&sure, &[0]).unwrap()[0] > 4e-8);
    }
}
