//! Bounds of a shape's numbers, far beyond any network there is: below them a network is counted at
//! once (`size`), and no product of its numbers overflows 64 bits. What is refused here is a slip
//! in a recipe.

use std::ops::RangeInclusive;

use crate::error::ModelError;

/// Of a picture's channels, and of each number of maps.
pub(crate) const MOST_MAPS: i64 = 1 << 16;
/// Of the layers of all dense blocks of a network, or the residual units of all stages.
pub(crate) const MOST_LAYERS: i64 = 10_000;
/// Of the logits of a picture.
pub(crate) const MOST_OUTPUTS: i64 = 1_000_000;

/// # Errors
/// A number outside of its range, by name.
pub(crate) fn check(
    model: &str,
    key: &'static str,
    value: i64,
    range: RangeInclusive<i64>,
) -> Result<(), ModelError> {
    if range.contains(&value) {
        return Ok(());
    }
    let want = format!("{} to {}", range.start(), range.end());
    Err(ModelError::config(model, key, value, &want))
}

/// The same of the layers of each block, or the units of each stage.
///
/// # Errors
/// None of them or more than `most`, one without a layer, or too many layers.
pub(crate) fn check_layers(
    model: &str,
    key: &'static str,
    layers: &[i64],
    most: usize,
) -> Result<(), ModelError> {
    let all: i128 = layers.iter().map(|&layers| i128::from(layers)).sum();
    let some = layers.iter().all(|&layers| layers >= 1);
    if (1..=most).contains(&layers.len()) && some && all <= i128::from(MOST_LAYERS) {
        return Ok(());
    }
    let value = match layers.len() {
        few if few <= most => format!("{layers:?}"),
        many => format!("a list of {many}"),
    };
    let want = format!("1 to {most} numbers of at least 1, {MOST_LAYERS} at most in all");
    Err(ModelError::config(model, key, value, &want))
}
