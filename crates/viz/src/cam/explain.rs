//! Maps of a batch by one method, where nothing else is asked of it.

use super::{CamRow, Cams, Look};
use crate::VizError;
use catscan_models::Model;
use tch::Tensor;

/// Grad-CAM at all `taps`; see [`explain`].
///
/// # Errors
/// As [`explain`].
pub fn grad_cam(
    model: &Model,
    batch: &Tensor,
    classes: &[i64],
    taps: &[String],
) -> Result<Cams, VizError> {
    explain(&super::grad_cam::ROW, model, batch, classes, taps)
}

/// Maps of `batch` `[N, C, H, W]` at all `taps`, each picture's for its own class of `classes`.
///
/// A model with one logit tells two classes apart: class 1's score is the logit, class 0's its
/// negative. The score is the logit, before any sigmoid or softmax, as in the papers.
///
/// # Errors
/// An unknown tap or class, a tap that is not a map, a picture the model refuses, NaN in a map.
pub fn explain(
    row: &CamRow,
    model: &Model,
    batch: &Tensor,
    classes: &[i64],
    taps: &[String],
) -> Result<Cams, VizError> {
    let mut all = explain_each(row, model, batch, &[classes.to_vec()], taps)?;
    Ok(all.remove(0))
}

/// The same for several choices of classes at once, such as each picture's answer and its other
/// class: one forward serves them all, and for a model with one logit one backward does.
///
/// # Errors
/// As [`explain`].
pub fn explain_each(
    row: &CamRow,
    model: &Model,
    batch: &Tensor,
    choices: &[Vec<i64>],
    taps: &[String],
) -> Result<Vec<Cams>, VizError> {
    let one_pass = row.is_one_pass();
    let look = match () {
        () if one_pass => Look::with_gradients(model, batch, taps)?,
        () if row.looks_at_input() => Look::forward(model, batch, &[])?,
        () => Look::forward(model, batch, taps)?,
    };
    let asked = look.for_classes(row.gradient_of(), choices, if one_pass { taps } else { &[] })?;
    asked.iter().map(|asked| asked.maps(row, taps)).collect()
}
