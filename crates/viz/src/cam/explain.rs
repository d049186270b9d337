//! The pass that all taps share, and the maps that come of it.

use super::passes::Asked;
use super::score::{class_scores, classifier_rows, probabilities, signs};
use super::{CamRow, Cams, How, INPUT, Map, Seen, TapMaps, values};
use crate::VizError;
use catscan_models::{Mode, Model, Taps};
use tch::{Kind, Tensor};

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
    let mut kept = model.taps(taps)?;
    model.check_input(&batch.size(), Mode::Eval)?;
    if let Some(classes) = choices.iter().find(|some| batch.size()[0] != some.len() as i64) {
        return Err(VizError::Shape {
            place: "class activation maps".to_owned(),
            got: format!("{} classes", classes.len()),
            want: format!("{}, one for each picture", batch.size()[0]),
            next: "name a class for each picture of the batch",
        });
    }
    match row.how {
        How::Tap(combine) => shared_pass(row, combine, model, batch, choices, taps, &mut kept),
        How::Passes(map) => {
            let logits = tch::no_grad(|| model.forward(batch, Mode::Eval, &mut kept));
            let of_choice = |classes: &Vec<i64>| {
                let asked = Asked::new(model, batch, classes, &logits)?;
                let of_tap = |tap: &String| {
                    let activation = as_map(tap, kept.get(tap).expect("a tap that was checked"))?;
                    let map = tch::no_grad(|| map(&asked, tap, &activation))?;
                    finite(row, tap, &map)
                };
                let maps = taps.iter().map(of_tap).collect::<Result<_, _>>()?;
                Ok(Cams { method: row.name, taps: maps, probabilities: probabilities(&logits) })
            };
            choices.iter().map(of_choice).collect()
        }
        How::Input(map) => {
            let logits = tch::no_grad(|| model.forward(batch, Mode::Eval, &mut Taps::off()));
            let of_choice = |classes: &Vec<i64>| {
                let map = map(&Asked::new(model, batch, classes, &logits)?)?;
                let maps = vec![finite(row, INPUT, &map)?];
                Ok(Cams { method: row.name, taps: maps, probabilities: probabilities(&logits) })
            };
            choices.iter().map(of_choice).collect()
        }
    }
}

/// A tap's activation and the gradient of `class`'s score there, `[N, C, h, w]` each, in f32.
///
/// # Errors
/// As [`explain`].
pub(crate) fn activation_and_gradient(
    model: &Model,
    batch: &Tensor,
    class: i64,
    tap: &str,
) -> Result<(Tensor, Tensor), VizError> {
    let taps = [tap.to_owned()];
    let mut kept = model.taps(&taps)?;
    model.check_input(&batch.size(), Mode::Eval)?;
    let choices = [vec![class; batch.size()[0] as usize]];
    let (_, mut gradients) = pass(model, batch, &choices, &taps, &mut kept)?;
    let activation = as_map(tap, kept.get(tap).expect("a tap that was checked"))?;
    Ok((activation, gradients.remove(0).remove(0).to_kind(Kind::Float)))
}

/// One forward, its logits `[N, K]`, and for each choice of classes the gradients at all taps.
fn pass(
    model: &Model,
    batch: &Tensor,
    choices: &[Vec<i64>],
    taps: &[String],
    kept: &mut Taps,
) -> Result<(Tensor, Vec<Vec<Tensor>>), VizError> {
    tch::with_grad(|| {
        // A leaf that wants a gradient, so that every tap has one even if the weights are frozen.
        let x = batch.detach().set_requires_grad(true);
        let logits = model.forward(&x, Mode::Eval, kept);
        let gradients = backward(&logits, choices, taps, kept)?;
        Ok((logits.detach(), gradients))
    })
}

type Combine = fn(&Seen) -> Result<Tensor, VizError>;

fn shared_pass(
    row: &CamRow,
    combine: Combine,
    model: &Model,
    batch: &Tensor,
    choices: &[Vec<i64>],
    taps: &[String],
    kept: &mut Taps,
) -> Result<Vec<Cams>, VizError> {
    let (logits, gradients) = pass(model, batch, choices, taps, kept)?;
    let shares = probabilities(&logits);
    let blocks = model.block_names();
    let of_choice = |(classes, gradients): (&Vec<i64>, Vec<Tensor>)| {
        let classifier = classifier_rows(model, classes)?;
        let share = |(n, class): (usize, &i64)| shares[n][*class as usize];
        let probability: Vec<f32> = classes.iter().enumerate().map(share).collect();
        let probability = Tensor::from_slice(&probability).to_device(batch.device());
        let of_tap = |(tap, gradient): (&String, Tensor)| {
            let seen = Seen {
                tap,
                is_last: blocks.last() == Some(tap),
                activation: &as_map(tap, kept.get(tap).expect("a tap that was checked"))?,
                gradient: &gradient.to_kind(Kind::Float),
                classifier: &classifier,
                probability: &probability,
            };
            finite(row, tap, &tch::no_grad(|| combine(&seen))?)
        };
        let maps = taps.iter().zip(gradients).map(of_tap).collect::<Result<_, _>>()?;
        Ok(Cams { method: row.name, taps: maps, probabilities: shares.clone() })
    };
    choices.iter().zip(gradients).map(of_choice).collect()
}

/// For each choice of classes the gradient of its score at every tap. The score of a batch is the
/// sum of its pictures': they do not meet in Eval mode, so each gets its own gradient.
fn backward(
    logits: &Tensor,
    choices: &[Vec<i64>],
    taps: &[String],
    kept: &Taps,
) -> Result<Vec<Vec<Tensor>>, VizError> {
    let activation = |name: &String| kept.get(name).expect("a checked tap").shallow_clone();
    let activations: Vec<Tensor> = taps.iter().map(activation).collect();
    let run = |score: Tensor, keep: bool| match activations.is_empty() {
        true => Ok(Vec::new()),
        false => Tensor::f_run_backward(&[score], &activations, keep, false)
            .map_err(|source| VizError::Torch { place: "backward pass", source }),
    };
    // Checked for all choices first: an unknown class is told before anything is computed.
    let scores: Vec<Tensor> =
        choices.iter().map(|classes| class_scores(logits, classes)).collect::<Result<_, _>>()?;
    if logits.size()[1] == 1 {
        let of_logit = run(logits.sum(Kind::Float), false)?;
        let signed = |classes: &Vec<i64>| {
            let signs = signs(classes, logits.device());
            of_logit
                .iter()
                .map(|gradient| {
                    let mut shape = vec![1; gradient.dim()];
                    shape[0] = -1;
                    gradient * signs.view(shape.as_slice())
                })
                .collect()
        };
        return Ok(choices.iter().map(signed).collect());
    }
    let last = choices.len();
    let one = |(i, score): (usize, Tensor)| run(score.sum(Kind::Float), i + 1 < last);
    scores.into_iter().enumerate().map(one).collect()
}

/// A tap's activation in f32, or that it is none.
fn as_map(tap: &str, activation: &Tensor) -> Result<Tensor, VizError> {
    match activation.dim() {
        4 => Ok(activation.detach().to_kind(Kind::Float)),
        _ => Err(VizError::Shape {
            place: format!("tap {tap}"),
            got: format!("{:?}", activation.size()),
            want: "[N, C, H, W]".to_owned(),
            next: "choose a tap before the head",
        }),
    }
}

/// The maps `[N, H, W]` of a tap, each looked through for NaN.
fn finite(row: &CamRow, tap: &str, map: &Tensor) -> Result<TapMaps, VizError> {
    let size = map.size();
    let (height, width) = (size[1] as u32, size[2] as u32);
    let one = |n: i64| {
        let signed = values(&map.get(n));
        let bad = signed.iter().filter(|v| !v.is_finite()).count();
        if bad > 0 {
            let place = format!("{} of picture {n} at {tap}", row.name);
            return Err(VizError::NotFinite { place, count: bad, total: signed.len() });
        }
        Ok(Map { height, width, signed })
    };
    Ok(TapMaps { tap: tap.to_owned(), maps: (0..size[0]).map(one).collect::<Result<_, _>>()? })
}
