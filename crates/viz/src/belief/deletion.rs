//! Deletion and insertion: Petsiuk, Das & Saenko 2018, "RISE: Randomized Input Sampling for
//! Explanation of Black-box Models", <https://arxiv.org/abs/1806.07421>, §4.2.
//!
//! Pixels go, the hottest first, and become zero (in the numbers the network sees); or they come,
//! the hottest first, into a blurred picture. The area under the probability's curve is the score:
//! small is good for deletion, large for insertion. What we do differently: the blur is a mean over
//! 11 × 11 pixels three times (the paper's Gaussian has a deviation of 5, ours of 5.5).

use super::{Case, mean, probabilities};
use crate::VizError;
use tch::Tensor;

/// The two curves of a batch, mean over its pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    /// The probability with 0, 1/steps, … 1 of the pixels gone.
    pub deletion: Vec<f64>,
    /// The probability with 0, 1/steps, … 1 of the pixels come.
    pub insertion: Vec<f64>,
}

impl Curves {
    /// Area under the deletion curve, 0..=1; small is good.
    pub fn deletion_area(&self) -> f64 {
        area(&self.deletion)
    }

    /// Area under the insertion curve, 0..=1; large is good.
    pub fn insertion_area(&self) -> f64 {
        area(&self.insertion)
    }
}

/// Runs both in `steps` equal parts of the pixels.
///
/// # Errors
/// Maps that are not one a picture, or an unknown class.
pub fn curves(case: &Case, steps: usize) -> Result<Curves, VizError> {
    case.check()?;
    let masks = masks(case, steps);
    let blurred = blur(case.batch);
    let (mut deletion, mut insertion) = (Vec::new(), Vec::new());
    let of = |x: &Tensor| Ok::<_, VizError>(mean(probabilities(case.model, x, case.classes)?));
    // Where deletion begins and insertion ends, both are the picture as it is: asked once.
    let whole = of(case.batch)?;
    for (step, gone) in masks.iter().enumerate() {
        let left = 1.0 - gone;
        deletion.push(if step == 0 { whole } else { of(&(case.batch * &left))? });
        let come = || gone * case.batch + &left * &blurred;
        insertion.push(if step == steps { whole } else { of(&come())? });
    }
    Ok(Curves { deletion, insertion })
}

/// For 0, 1/steps, … 1 the hottest pixels of each picture as ones, `[N, 1, H, W]`.
fn masks(case: &Case, steps: usize) -> Vec<Tensor> {
    let (width, height) = case.size();
    let order = case.hottest_first();
    let pixels = (width * height) as usize;
    let mask = |step: usize| {
        let mut values = vec![0f32; pixels * order.len()];
        for (n, order) in order.iter().enumerate() {
            for pixel in &order[..pixels * step / steps] {
                values[n * pixels + *pixel as usize] = 1.0;
            }
        }
        let shape = [order.len() as i64, 1, i64::from(height), i64::from(width)];
        Tensor::from_slice(&values).view(shape).to_device(case.batch.device())
    };
    (0..=steps).map(mask).collect()
}

/// A mean over 11 × 11 pixels, three times; at the edge over those that are there. Rows and columns
/// by themselves, which is the same for a fifth of the work.
pub(super) fn blur(x: &Tensor) -> Tensor {
    let rows = |x: &Tensor| x.avg_pool2d([1, 11], [1, 1], [0, 5], false, false, None);
    let once = |x: &Tensor| rows(x).avg_pool2d([11, 1], [1, 1], [5, 0], false, false, None);
    once(&once(&once(x)))
}

/// By the trapezoid rule on even steps.
fn area(curve: &[f64]) -> f64 {
    let steps = curve.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0);
    steps.sum::<f64>() / (curve.len() - 1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn the_curves_begin_and_end_where_they_must() {
        let (model, batch) = (testing::network(), testing::pictures(2));
        let maps = vec![testing::left(); 2];
        let case = Case { model: &model, batch: &batch, classes: &[1, 1], maps: &maps };
        let curves = curves(&case, 4).unwrap();
        let whole = mean(probabilities(&model, &batch, &[1, 1]).unwrap());
        let empty = mean(probabilities(&model, &batch.zeros_like(), &[1, 1]).unwrap());
        assert_eq!((curves.deletion.len(), curves.insertion.len()), (5, 5));
        assert!((curves.deletion[0] - whole).abs() < 1e-6);
        assert!((curves.deletion[4] - empty).abs() < 1e-6);
        assert!((curves.insertion[4] - whole).abs() < 1e-6);
    }

    #[test]
    fn the_hottest_half_is_the_left_one() {
        let (model, batch) = (testing::network(), testing::pictures(1));
        let maps = [testing::left()];
        let case = Case { model: &model, batch: &batch, classes: &[1], maps: &maps };
        let half = &masks(&case, 2)[1];
        let at = |x: i64| half.double_value(&[0, 0, 7, x]);
        assert_eq!([at(0), at(15), at(16), at(31)], [1.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn the_blur_is_a_mean_over_squares_cut_at_the_edge() {
        let x = testing::pictures(1);
        let once = |x: &Tensor| x.avg_pool2d([11, 11], [1, 1], [5, 5], false, false, None);
        let by_squares = once(&once(&once(&x)));
        let off = (blur(&x) - by_squares).abs().max().double_value(&[]);
        assert!(off < 1e-5, "{off}");
    }

    #[test]
    fn the_area_is_the_trapezoids() {
        assert_eq!(area(&[1.0, 0.5, 0.0]), 0.5);
        assert_eq!(area(&[1.0, 1.0]), 1.0);
    }
}
