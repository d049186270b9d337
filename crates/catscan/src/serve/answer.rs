//! The networks' side: a picture in, what the arm sees on it out.

use std::time::Instant;

use anyhow::Context;
use catscan_data::decode;
use catscan_data::resize;
use catscan_data::{RgbImage, picture_tensor};
use catscan_models::{Mode, check_answer};
use catscan_train::metrics::predicted;
use catscan_viz::cam::{CAMS, CamRow, INPUT, explain_each};
use catscan_viz::overlay::overlay;
use catscan_viz::report::Packed;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Arm, Question, Refused};
use crate::prediction;
use crate::weights::Trained;

/// One layer's map over the picture.
#[derive(Serialize)]
struct Frame {
    tap: String,
    picture: Packed,
    /// Nothing speaks for the class here.
    empty: bool,
}

/// What `POST /explain` answers.
#[derive(Serialize)]
struct Explanation {
    /// One share a class, in their order.
    probabilities: Vec<f32>,
    predicted: usize,
    /// What the maps speak for.
    class: usize,
    /// The picture as the network saw it.
    picture: Packed,
    /// From the stem to the head; one for a method that looks at the picture itself.
    frames: Vec<Frame>,
}

/// What a method costs that runs the network for every channel of the last block.
pub struct Cost {
    channels: i64,
    /// Of all of them, from one forward of one picture; several at once take less.
    at_most_s: f64,
}

/// What the page must know before anything is asked.
pub fn about(arms: &[Arm], costs: &[Cost]) -> Value {
    let arm = |(arm, cost): (&Arm, &Cost)| {
        json!({
            "name": arm.name,
            "model": arm.trained.recipe.model.name,
            "size_px": arm.trained.recipe.data.size_px,
            "classes": arm.trained.classes,
            "channels": cost.channels,
            "at_most_s": cost.at_most_s,
        })
    };
    let method = |row: &CamRow| {
        let slow = row.runs_each_channel();
        json!({"name": row.name, "about": row.about, "cost": row.cost, "slow": slow})
    };
    json!({
        "arms": arms.iter().zip(costs).map(arm).collect::<Vec<_>>(),
        "methods": CAMS.iter().map(method).collect::<Vec<_>>(),
    })
}

/// Asks once of a black picture, so that the first real answer takes no longer than the others, and
/// tells what the slow methods would cost.
///
/// # Errors
/// Where the network refuses even that, or gives no numbers for it (code 5).
pub fn warm_up(arm: &Arm) -> anyhow::Result<Cost> {
    let Trained { model, recipe, .. } = &arm.trained;
    let picture = resize::prepare(RgbImage::new(32, 32), &recipe.data);
    let x = picture_tensor(&picture, &recipe.data).to_device(arm.device);
    prediction::answer(model, &x).with_context(|| format!("{}: a black picture", arm.name))?;
    let method = CamRow::find("grad-cam").expect("a row of the table");
    let said = seen(arm, method, None, RgbImage::new(32, 32));
    said.map_err(|(_, error)| anyhow::anyhow!("{}: {error}", arm.name))?;
    let blocks = model.block_names();
    let mut last = model.taps(&blocks[blocks.len() - 1..])?;
    let began = Instant::now();
    let logits = tch::no_grad(|| model.forward(&x, Mode::Eval, &mut last));
    let _ = logits.double_value(&[0, 0]); // waits for a GPU
    let (_, map) = last.iter().next().expect("the last block is shown");
    let channels = map.size()[1];
    Ok(Cost { channels, at_most_s: channels as f64 * began.elapsed().as_secs_f64() })
}

/// The answer as JSON, or why there is none.
pub fn answer(arms: &[Arm], question: &Question) -> Result<Vec<u8>, Refused> {
    let picture = decode::read_rgb(&question.picture.bytes, "the picture")
        .map_err(|bad| (415, format!("not a picture that can be used: {}", bad.reason)))?;
    let answer = seen(&arms[question.arm], question.method, question.class, picture)?;
    serde_json::to_vec(&answer).map_err(failed)
}

fn seen(
    arm: &Arm,
    method: &'static CamRow,
    class: Option<usize>,
    picture: RgbImage,
) -> Result<Explanation, Refused> {
    let trained = &arm.trained;
    let picture = resize::prepare(picture, &trained.recipe.data);
    let x = picture_tensor(&picture, &trained.recipe.data).to_device(arm.device);
    let blocks = trained.model.block_names();
    let taps = match () {
        () if method.looks_at_input() => Vec::new(),
        () if method.only_at_last() || method.runs_each_channel() => {
            blocks[blocks.len() - 1..].to_vec()
        }
        () => blocks,
    };
    let known = trained.classes.len();
    if let Some(class) = class.filter(|class| *class >= known) {
        return Err((400, format!("class {class}, want 0 to {}", known - 1)));
    }
    let classes = match class {
        Some(class) => vec![class],
        // One pass serves both classes of one logit: what it predicts need not be known before.
        None if method.is_one_pass() && trained.model.config().outputs == 1 => vec![0, 1],
        None => {
            vec![predicted(&prediction::answer(&trained.model, &x).map_err(failed)?) as usize]
        }
    };
    let choices: Vec<Vec<i64>> = classes.iter().map(|class| vec![*class as i64]).collect();
    let mut all = explain_each(method, &trained.model, &x, &choices, &taps).map_err(failed)?;
    let shares = all[0].probabilities[0].clone();
    check_answer(&shares).map_err(failed)?;
    let predicted = predicted(&shares) as usize;
    let at = if classes.len() == 2 { predicted } else { 0 };
    let (class, cams) = (classes[at], all.swap_remove(at));
    let shown = picture.into_shown();
    let frames = cams.taps.iter().map(|tap| {
        let map = &tap.maps[0];
        let heat = Packed::jpeg(&overlay(&shown, map, map.largest())).map_err(failed)?;
        let tap = if tap.tap == INPUT { "the picture itself" } else { &tap.tap };
        Ok(Frame { tap: tap.to_owned(), picture: heat, empty: !map.has_positive() })
    });
    let frames = frames.collect::<Result<_, Refused>>()?;
    let picture = Packed::jpeg(&shown).map_err(failed)?;
    Ok(Explanation { probabilities: shares, predicted, class, picture, frames })
}

fn failed(error: impl std::fmt::Display) -> Refused {
    (500, error.to_string())
}

#[cfg(test)]
mod tests {
    use catscan_models::Model;
    use tch::Device;

    use super::*;

    #[test]
    fn a_network_that_answers_nan_is_not_served() {
        let recipe = crate::recipes::smoke();
        let model = Model::build(&recipe.model, 1, Device::Cpu).unwrap();
        let classes = vec!["cat".to_owned(), "dog".to_owned()];
        let trained = Trained { model, recipe, data_digest: None, classes };
        let arm = Arm { name: "avg".into(), trained, device: Device::Cpu };
        warm_up(&arm).unwrap();
        let mut bias = arm.trained.model.weights().get("classifier.bias").unwrap().detach();
        let _ = bias.fill_(f64::NAN);
        let error = warm_up(&arm).err().unwrap();
        assert_eq!(crate::refusal::exit_code(&error), crate::refusal::NUMBERS);
        assert!(format!("{error:#}").contains("1 of 1 numbers"), "{error}");
        for method in ["grad-cam", "score-cam"] {
            let method = CamRow::find(method).unwrap();
            let said = seen(&arm, method, Some(1), RgbImage::new(32, 32));
            assert!(said.err().is_some_and(|(status, _)| status == 500), "{}", method.name);
        }
    }
}
