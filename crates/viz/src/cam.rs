//! Class activation maps: which places of a picture speak for a class, at any depth of a network.
//!
//! All wanted taps come from **one** forward and **one** backward pass of the whole batch: the taps
//! are the very tensors the network computed with, so autograd can hand out the gradient of the
//! score at each of them. The usual way, hooks on one layer at a time, pays a pass per layer.
//!
//! A map is kept signed, at the resolution of its tap; whether and how it is rectified, enlarged
//! and scaled is decided where it is drawn ([`crate::overlay`]). Maps that are zero everywhere are
//! not hidden: [`Map::has_positive`] tells, and the drawings say so.

mod grad_cam;

use crate::VizError;
use catscan_models::{Mode, Model};
use tch::{Kind, Tensor};

/// A way to make a class activation map from a tap and its gradient.
pub struct CamRow {
    /// What the command line calls it.
    pub name: &'static str,
    /// One line for help and lists.
    pub about: &'static str,
    /// Where it was published.
    pub paper: &'static str,
    /// Activation and gradient `[N, C, H, W]` → signed map `[N, H, W]`, all f32.
    combine: fn(activation: &Tensor, gradient: &Tensor) -> Tensor,
}

/// The methods there are.
pub static CAMS: &[CamRow] = &[grad_cam::ROW];

/// One signed map, row by row: positive where the tap speaks for the class, negative where it
/// speaks against it.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    /// Rows of the tap's output.
    pub height: u32,
    /// Columns of the tap's output.
    pub width: u32,
    /// `height × width` values.
    pub signed: Vec<f32>,
}

impl Map {
    /// What Grad-CAM's paper shows: the map with its negative part cut off (ReLU).
    pub fn positive(&self) -> Vec<f32> {
        self.signed.iter().map(|v| v.max(0.0)).collect()
    }

    /// Whether anything is left to show. A map without a positive value says that this tap holds
    /// nothing for the class; drawn by its own maximum it would be noise.
    pub fn has_positive(&self) -> bool {
        self.largest() > 0.0
    }

    /// The largest positive value, 0 if there is none.
    pub fn largest(&self) -> f32 {
        self.signed.iter().copied().fold(0.0, f32::max)
    }

    /// The map of the other class, for a model with one logit: its score is the negative of this
    /// one's, and Grad-CAM is linear in the score's gradient.
    pub fn for_other_class(&self) -> Map {
        Map { signed: self.signed.iter().map(|v| -v).collect(), ..*self }
    }
}

/// The maps of one tap, one per picture of the batch.
#[derive(Debug, Clone, PartialEq)]
pub struct TapMaps {
    /// The tap's name, a PyTorch module path.
    pub tap: String,
    /// In the order of the batch.
    pub maps: Vec<Map>,
}

/// The maps of a batch at all wanted taps, and what the network said of the pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct Cams {
    /// The row of [`CAMS`] that made them.
    pub method: &'static str,
    /// In the order the taps were asked for.
    pub taps: Vec<TapMaps>,
    /// For each picture one probability per class.
    pub probabilities: Vec<Vec<f32>>,
}

impl Cams {
    /// The maps of picture `n`, one per tap.
    pub fn of_picture(&self, n: usize) -> Vec<Map> {
        self.taps.iter().map(|tap| tap.maps[n].clone()).collect()
    }
}

/// Grad-CAM at all `taps`; see [`explain`].
pub fn grad_cam(
    model: &Model,
    batch: &Tensor,
    classes: &[i64],
    taps: &[String],
) -> Result<Cams, VizError> {
    explain(&grad_cam::ROW, model, batch, classes, taps)
}

/// Maps of `batch` `[N, C, H, W]` at all `taps`, each picture's for its own class of `classes`.
///
/// A model with one logit tells two classes apart: class 1's score is the logit, class 0's its
/// negative. The score is the logit, before any sigmoid or softmax, as in the paper.
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
    let mut kept = model.taps(taps)?;
    model.check_input(&batch.size(), Mode::Eval)?;
    if batch.size()[0] != classes.len() as i64 {
        return Err(VizError::Shape {
            place: "class activation maps".to_owned(),
            got: format!("{} classes", classes.len()),
            want: format!("{}, one for each picture", batch.size()[0]),
            next: "name a class for each picture of the batch",
        });
    }
    let (logits, activations, gradients) = tch::with_grad(|| {
        // A leaf that wants a gradient, so that every tap has one even if the weights are frozen.
        let x = batch.detach().set_requires_grad(true);
        let logits = model.forward(&x, Mode::Eval, &mut kept);
        let score = score(&logits, classes)?;
        let tap = |name: &String| {
            let tensor = kept.get(name).expect("the model showed the taps it named");
            tensor.shallow_clone()
        };
        let activations: Vec<Tensor> = taps.iter().map(tap).collect();
        let gradients = match activations.is_empty() {
            true => Vec::new(),
            false => Tensor::f_run_backward(&[score], &activations, false, false)
                .map_err(|source| VizError::Torch { place: "backward pass", source })?,
        };
        Ok::<_, VizError>((logits, activations, gradients))
    })?;
    let maps = taps.iter().zip(activations.iter().zip(&gradients)).map(|(tap, (a, g))| {
        let maps = tch::no_grad(|| tap_maps(row, tap, a, g))?;
        Ok(TapMaps { tap: tap.clone(), maps })
    });
    Ok(Cams {
        method: row.name,
        taps: maps.collect::<Result<_, VizError>>()?,
        probabilities: probabilities(&logits.detach()),
    })
}

/// The sum over the batch of each picture's score for its class: pictures do not meet in Eval mode,
/// so the gradient of the sum holds each picture's own.
fn score(logits: &Tensor, classes: &[i64]) -> Result<Tensor, VizError> {
    let outputs = logits.size()[1];
    let known = if outputs == 1 { 2 } else { outputs };
    if let Some(class) = classes.iter().find(|class| !(0..known).contains(*class)) {
        return Err(VizError::UnknownClass { class: *class, classes: known });
    }
    if outputs == 1 {
        let signs: Vec<f32> = classes.iter().map(|c| if *c == 1 { 1.0 } else { -1.0 }).collect();
        let signs = Tensor::from_slice(&signs).to_device(logits.device()).unsqueeze(1);
        return Ok((logits * signs).sum(Kind::Float));
    }
    let classes = Tensor::from_slice(classes).to_device(logits.device()).unsqueeze(1);
    Ok(logits.gather(1, &classes, false).sum(Kind::Float))
}

/// Logits `[N, K]` → K probabilities a picture; one logit means two classes.
fn probabilities(logits: &Tensor) -> Vec<Vec<f32>> {
    let probabilities = if logits.size()[1] == 1 {
        let second = logits.sigmoid();
        Tensor::cat(&[1.0 - &second, second], 1)
    } else {
        logits.softmax(1, Kind::Float)
    };
    (0..probabilities.size()[0]).map(|n| values(&probabilities.get(n))).collect()
}

fn tap_maps(
    row: &CamRow,
    tap: &str,
    activation: &Tensor,
    gradient: &Tensor,
) -> Result<Vec<Map>, VizError> {
    let [_, _, height, width] = activation.size()[..] else {
        return Err(VizError::Shape {
            place: format!("tap {tap}"),
            got: format!("{:?}", activation.size()),
            want: "[N, C, H, W]".to_owned(),
            next: "choose a tap before the head",
        });
    };
    let map = (row.combine)(&activation.to_kind(Kind::Float), &gradient.to_kind(Kind::Float));
    (0..map.size()[0])
        .map(|n| {
            let signed = values(&map.get(n));
            let bad = signed.iter().filter(|v| !v.is_finite()).count();
            if bad > 0 {
                let place = format!("{} of picture {n} at {tap}", row.name);
                return Err(VizError::NotFinite { place, count: bad, total: signed.len() });
            }
            Ok(Map { height: height as u32, width: width as u32, signed })
        })
        .collect()
}

/// A tensor's values in row-major order, on the CPU.
pub(crate) fn values(tensor: &Tensor) -> Vec<f32> {
    let flat = tensor.detach().to_device(tch::Device::Cpu).to_kind(Kind::Float).contiguous();
    let mut out = vec![0.0; flat.numel()];
    flat.copy_data(&mut out, flat.numel());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_of_one_logit_changes_sign_with_the_class() {
        let logits = Tensor::from_slice(&[2.0f32, 5.0]).view([2, 1]);
        let sum = |classes: &[i64]| score(&logits, classes).unwrap().double_value(&[]);
        assert_eq!(sum(&[1, 1]), 7.0);
        assert_eq!(sum(&[0, 1]), 3.0);
        let error = score(&logits, &[0, 2]).unwrap_err();
        assert!(error.to_string().contains("class 2: the model tells 2 classes"), "{error}");
    }

    #[test]
    fn the_score_of_k_logits_is_the_classs_own() {
        let logits = Tensor::from_slice(&[1.0f32, 2.0, 4.0, 8.0, 16.0, 32.0]).view([2, 3]);
        assert_eq!(score(&logits, &[2, 0]).unwrap().double_value(&[]), 12.0);
    }

    #[test]
    fn probabilities_of_one_logit_are_two() {
        let p = probabilities(&Tensor::from_slice(&[0.0f32]).view([1, 1]));
        assert_eq!(p, [[0.5, 0.5]]);
    }

    #[test]
    fn a_map_without_positive_values_is_flagged() {
        let map = Map { height: 1, width: 2, signed: vec![-1.0, 0.0] };
        assert!(!map.has_positive());
        assert_eq!(map.positive(), [0.0, 0.0]);
        assert!(map.for_other_class().has_positive());
    }
}
