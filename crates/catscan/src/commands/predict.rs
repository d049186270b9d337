//! `catscan predict`: what a trained network says is on some pictures.

use std::path::{Path, PathBuf};

use anyhow::Result;
use catscan_models::Mode;
use catscan_train::metrics::predicted;
use serde::Serialize;
use tch::Device;

use crate::args::NetworkArgs;
use crate::output::{print, print_json};
use crate::pictures::open_picture;
use crate::prediction::answer;
use crate::refusal::{DATA, NUMBERS, Refusal};
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

/// What a network says of one picture, or why there is no answer.
#[derive(Serialize)]
struct Said<'a> {
    picture: String,
    class: Option<&'a str>,
    probabilities: Vec<f32>,
    problem: Option<String>,
    /// The exit code of such a problem.
    #[serde(skip)]
    code: u8,
}

/// Answers for every picture, and fails after that where some could not be used (code 3), or where
/// the network gave no numbers for some (code 5).
pub fn run(args: &Args) -> Result<u8> {
    let (trained, device) = args.network.open()?;
    let pictures = args.pictures.iter();
    let said: Vec<Said> =
        pictures.map(|path| ask(path, &trained, device)).collect::<Result<_>>()?;
    match args.network.json {
        true => print_json(&said)?,
        false => print(in_a_table(&said, &trained.classes))?,
    }
    let all = said.len();
    for (code, what, next) in [
        (NUMBERS, "got no answer", "check the weights with catscan evaluate"),
        (DATA, "cannot be used", "replace them"),
    ] {
        let bad = said.iter().filter(|said| said.code == code).count();
        if bad > 0 {
            let message = format!("{bad} of {all} pictures {what}; see above, and {next}");
            return Err(Refusal::new(code, message).into());
        }
    }
    Ok(0)
}

fn ask<'a>(path: &Path, trained: &'a Trained, device: Device) -> Result<Said<'a>> {
    let picture = path.display().to_string();
    let none = |picture, code, problem| Said {
        picture,
        class: None,
        probabilities: Vec::new(),
        problem: Some(problem),
        code,
    };
    let rgb = match open_picture(path)? {
        Ok(rgb) => rgb,
        Err(bad) => return Ok(none(picture, DATA, bad.reason)),
    };
    let (_, x) = trained.input(rgb);
    let x = x.to_device(device);
    trained.model.check_input(&x.size(), Mode::Eval)?;
    let probabilities = match answer(&trained.model, &x) {
        Ok(probabilities) => probabilities,
        Err(problem) => return Ok(none(picture, NUMBERS, problem.to_string())),
    };
    let class = Some(&*trained.classes[predicted(&probabilities) as usize]);
    Ok(Said { picture, class, probabilities, problem: None, code: 0 })
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
        let word = if said.code == NUMBERS { "no answer" } else { "cannot be used" };
        let problem = said.problem.as_ref().map(|problem| format!("{word}: {problem}"));
        let mut row = vec![said.picture.clone(), class.or(problem).unwrap_or_default()];
        row.extend(said.probabilities.iter().map(|share| format!("{share:.4}")));
        row.resize(head.len(), String::new());
        table.row(row);
    }
    table
}
