//! What a network's logits say: a probability for each class, or nothing where a number is none.

use tch::{Kind, Tensor};

use crate::error::ModelError;

/// `logits [N, 1 | K] -> [N, 2 | K]` probabilities, f32. One logit is the log-odds of the second of
/// two classes.
pub fn probabilities(logits: &Tensor) -> Tensor {
    match logits.size()[1] {
        // Two sigmoids, not 1 − p: a sure model's small probability keeps its digits.
        1 => Tensor::cat(&[(-logits).sigmoid(), logits.sigmoid()], 1),
        _ => logits.softmax(1, Kind::Float),
    }
}

/// Whether the logits or probabilities of one picture are an answer.
///
/// # Errors
/// [`ModelError::NoAnswer`], where one of them is NaN or infinite.
pub fn check_answer(numbers: &[f32]) -> Result<(), ModelError> {
    match numbers.iter().filter(|number| !number.is_finite()).count() {
        0 => Ok(()),
        bad => Err(ModelError::NoAnswer { bad, all: numbers.len() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sure_models_small_probability_keeps_its_digits() {
        let logit = Tensor::from_slice(&[17f32, -17.0]).view([2, 1]);
        let two = Tensor::cat(&[logit.zeros_like(), logit.shallow_clone()], 1);
        for of in [probabilities(&logit), probabilities(&two)] {
            for (place, want) in [([0, 0], 4.139_937_5e-8), ([1, 1], 4.139_937_5e-8)] {
                let gap = of.double_value(&place) - want;
                assert!(gap.abs() < 1e-5 * want, "{place:?}: off by {gap}");
            }
        }
    }

    #[test]
    fn an_answer_is_all_numbers() {
        check_answer(&[0.5, 0.0]).unwrap();
        let error = check_answer(&[f32::NAN, 1.0, f32::INFINITY]).unwrap_err();
        assert!(error.to_string().starts_with("2 of 3 numbers"), "{error}");
        assert_eq!(error.exit_code(), 5);
    }
}
