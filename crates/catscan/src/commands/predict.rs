//! `catscan predict`: what a trained network says is on some pictures.

use std::path::{Path, PathBuf};

use anyhow::Result;
use catscan_data::{BadImage, Raster, RgbImage, decode, picture_tensor, resize};
use catscan_models::{Mode, Model, Taps};
use catscan_torch_ext::DeviceSpec;
use catscan_train::metrics::predicted;
use serde::Serialize;
use tch::{Device, Kind, Tensor};

use super::device;
use crate::output::{print, print_json};
use crate::refusal::{DATA, Refusal};
use crate::table::Table;
use crate::weights::{Trained, WeightsArgs};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Pictures
    #[arg(required = true, value_name = "IMG")]
    pub pictures: Vec<PathBuf>,
    #[command(flatten)]
    pub weights: WeightsArgs,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto", value_parser = device)]
    pub device: DeviceSpec,
    /// Print classes and probabilities as JSON
    #[arg(long)]
    pub json: bool,
}

/// What a network says of one picture, or why it could not be asked.
#[derive(Serialize)]
struct Said<'a> {
    picture: String,
    class: Option<&'a str>,
    probabilities: Vec<f32>,
    problem: Option<String>,
}

/// Answers for every picture, and fails (code 3) after that where some could not be used.
pub fn run(args: &Args) -> Result<u8> {
    let device = args.device.resolve()?;
    let trained = Trained::open(&args.weights, device)?;
    let said: Vec<Said> =
        args.pictures.iter().map(|path| ask(path, &trained, device)).collect::<Result<_>>()?;
    match args.json {
        true => print_json(&said)?,
        false => print(in_a_table(&said, &trained.classes))?,
    }
    let bad = said.iter().filter(|said| said.problem.is_some()).count();
    if bad > 0 {
        let all = said.len();
        let message =
            format!("{bad} of {all} pictures cannot be used; see above, and replace them");
        return Err(Refusal::new(DATA, message).into());
    }
    Ok(0)
}

fn ask<'a>(path: &Path, trained: &'a Trained, device: Device) -> Result<Said<'a>> {
    let picture = path.display().to_string();
    let rgb = match open(path)? {
        Ok(rgb) => rgb,
        Err(bad) => {
            let problem = Some(bad.reason);
            return Ok(Said { picture, class: None, probabilities: Vec::new(), problem });
        }
    };
    let (_, x) = input(rgb, trained);
    let x = x.to_device(device);
    trained.model.check_input(&x.size(), Mode::Eval)?;
    let probabilities = probabilities(&trained.model, &x).remove(0);
    let class = Some(&*trained.classes[predicted(&probabilities) as usize]);
    Ok(Said { picture, class, probabilities, problem: None })
}

/// Opens a picture strictly.
///
/// # Errors
/// Where there is no such file: a slip on the command line, not a bad picture.
pub fn open(path: &Path) -> Result<Result<RgbImage, BadImage>> {
    if !path.exists() {
        let message = format!("{}: no such file; check the path", path.display());
        return Err(Refusal::usage(message).into());
    }
    Ok(decode::open_rgb(path))
}

/// A picture as the network saw its training pictures, and as its input `[1, C, H, W]`.
pub fn input(rgb: RgbImage, trained: &Trained) -> (Raster, Tensor) {
    let picture = resize::prepare(rgb, &trained.recipe.data);
    let x = picture_tensor(&picture, &trained.recipe.data);
    (picture, x)
}

/// `[N, C, H, W]` pictures to N rows of K probabilities; one logit p gives `[1 − p, p]`.
pub fn probabilities(model: &Model, x: &Tensor) -> Vec<Vec<f32>> {
    let logits = tch::no_grad(|| model.forward(x, Mode::Eval, &mut Taps::off()));
    let shares = match model.config().outputs {
        1 => {
            let second = logits.sigmoid();
            Tensor::cat(&[1.0 - &second, second], 1)
        }
        _ => logits.softmax(1, Kind::Float),
    };
    Vec::try_from(shares.to_device(Device::Cpu)).expect("a matrix of floats")
}

/// One line a picture: its class, or what is wrong with it, and all probabilities.
fn in_a_table(said: &[Said], classes: &[String]) -> Table {
    let head: Vec<String> = ["picture", "class"]
        .map(str::to_owned)
        .into_iter()
        .chain(classes.iter().map(|class| format!("#{class}")))
        .collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let mut table = Table::new(&head);
    for said in said {
        let class = said.class.map(str::to_owned);
        let problem = said.problem.as_ref().map(|problem| format!("cannot be used: {problem}"));
        let mut row = vec![said.picture.clone(), class.or(problem).unwrap_or_default()];
        row.extend(said.probabilities.iter().map(|share| format!("{share:.4}")));
        row.resize(head.len(), String::new());
        table.row(row);
    }
    table
}
