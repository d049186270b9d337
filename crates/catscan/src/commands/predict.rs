//! `catscan predict`: what a trained network says is on some pictures.

use std::path::{Path, PathBuf};

use anyhow::Result;
use catscan_models::Mode;
use catscan_train::metrics::predicted;
use serde::Serialize;
use tch::Device;

use super::network::{NetworkArgs, input, open, probabilities};
use crate::output::{print, print_json};
use crate::refusal::{DATA, Refusal};
use crate::table::Table;
use crate::weights::Trained;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Pictures
    #[arg(required = true, value_name = "IMG")]
    pub pictures: Vec<PathBuf>,
    #[command(flatten)]
    pub network: NetworkArgs,
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
    let (trained, device) = args.network.open()?;
    let pictures = args.pictures.iter();
    let said: Vec<Said> =
        pictures.map(|path| ask(path, &trained, device)).collect::<Result<_>>()?;
    match args.network.json {
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
