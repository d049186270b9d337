//! `catscan find-lr`: which learning rate a recipe can take, before anything is trained by it.

use std::path::PathBuf;

use anyhow::{Context, Result};
use catscan_torch_ext::cpu;
use catscan_train::{RangeTest, RatePoint, RateSearch, Recipe, find_lr};
use catscan_viz::Svg;
use catscan_viz::chart::{Axes, Line, lines};
use serde::Serialize;

use crate::args::{DeviceArgs, RecipeArgs, threads};
use crate::files::{writable, write_file};
use crate::output::{print, print_json, say};
use crate::pictures::{open_dataset, without_leaks};
use crate::signals::Stop;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub recipe: RecipeArgs,
    /// The first rate
    #[arg(long, value_name = "LR", default_value_t = 1e-7)]
    pub from: f64,
    /// The last rate, where the loss does not fly off before
    #[arg(long, value_name = "LR", default_value_t = 10.0)]
    pub to: f64,
    /// Steps, each at a higher rate
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub steps: u32,
    /// Where find-lr.json and find-lr.svg are written; no run's folder is touched
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// CPU threads
    #[arg(long, value_name = "N", value_parser = threads())]
    pub threads: Option<u16>,
    /// Print what was found as JSON
    #[arg(long)]
    pub json: bool,
}

/// What find-lr.json holds, and `--json` prints.
#[derive(Serialize)]
struct RateFindings<'a> {
    recipe_hash: String,
    recipe_lr: f64,
    range: RangeTest,
    #[serde(flatten)]
    search: &'a RateSearch,
}

/// Makes the test, writes its chart and numbers, and says what they suggest; of the steps until
/// then, where a signal ends it.
pub fn run(args: &Args) -> Result<u8> {
    let recipe = args.recipe.read("find-lr")?;
    writable(&args.out, "--out")?;
    if let Some(threads) = args.threads {
        cpu::set_threads(threads.into());
    }
    let device = args.device.ready()?;
    let dataset = without_leaks(open_dataset(&recipe.data)?, args.recipe.overrides.strict)?;
    let recipe = args.recipe.for_classes(recipe, dataset.classes.len())?;
    let stop = Stop::on_signals().context("handling signals")?;
    let range = RangeTest { from: args.from, to: args.to, steps: args.steps };
    let mut on_step = |point: &RatePoint| {
        say_step(point);
        stop.asked().is_none()
    };
    let search = find_lr(&recipe, &dataset, device, range, &mut on_step)?;
    let found = RateFindings {
        recipe_hash: recipe.hash(),
        recipe_lr: recipe.optimizer.lr(),
        range,
        search: &search,
    };
    let json = serde_json::to_string_pretty(&found).context("writing JSON")? + "\n";
    write_file(&args.out.join("find-lr.json"), json.as_bytes())?;
    let chart = args.out.join("find-lr.svg");
    write_file(&chart, draw(&search)?.as_str().as_bytes())?;
    match args.json {
        true => print_json(&found)?,
        false => print(in_words(&recipe, &search))?,
    }
    say(format_args!("chart: {}", chart.display()));
    Ok(match stop.asked() {
        Some(signal) => {
            say(format_args!("stopped by {signal} after {} steps", search.points.len()));
            signal.exit_code()
        }
        None => 0,
    })
}

/// A plain line a step, on standard error.
fn say_step(point: &RatePoint) {
    let RatePoint { lr, loss, smoothed } = point;
    say(format_args!("rate {lr:.2e}: loss {loss:.4}, smoothed {smoothed:.4}"));
}

fn draw(search: &RateSearch) -> Result<Svg> {
    let line = |name: &str, value: fn(&RatePoint) -> f64| Line {
        name: name.into(),
        seed: None,
        points: search.points.iter().map(|point| (point.lr.log10(), value(point))).collect(),
    };
    let both = [line("smoothed", |point| point.smoothed), line("each batch", |point| point.loss)];
    let axes = Axes { x: "learning rate, as a power of ten", diagonal: false };
    Ok(lines("Loss by learning rate", axes, &both)?)
}

fn in_words(recipe: &Recipe, search: &RateSearch) -> String {
    let steps = search.points.len();
    let end = match (search.points.last(), search.flew_off) {
        (None, _) => "the loss is not a number before the first step".to_owned(),
        (Some(last), true) => format!("the loss flew off at {:.1e}", last.lr),
        (Some(last), false) => {
            format!("the loss had not flown off at {:.1e}, the last rate taken", last.lr)
        }
    };
    let own = recipe.optimizer.lr();
    let (Some(steepest), Some(tenth)) = (search.steepest, search.tenth_of_lowest) else {
        return format!(
            "The loss falls nowhere in {steps} steps: {end}. No rate can be read from that; begin \
             at a lower --from (the recipe's rate is {own:.1e}) or look at the chart.\n"
        );
    };
    format!(
        "The loss falls fastest at {steepest:.1e}; a tenth of the rate where it is lowest is \
         {tenth:.1e}; {end}.\n\
         A peak rate lies between the first two as a rule; the recipe's is {own:.1e}. One test on \
         {steps} batches is a hint, not a measurement: look at the chart, and try another --seed.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_no_rate_was_found_none_is_named() {
        let recipe = crate::recipes::smoke();
        let point = |lr| RatePoint { lr, loss: 1.0, smoothed: 1.0 };
        let found = |points, steepest, tenth_of_lowest, flew_off| {
            in_words(&recipe, &RateSearch { points, flew_off, steepest, tenth_of_lowest })
        };
        for points in [vec![], vec![point(1e20)]] {
            let text = found(points, None, None, true);
            assert!(text.contains("falls nowhere in ") && text.contains("lower --from"), "{text}");
            assert!(!text.contains("at nowhere") && !text.contains("is nowhere"), "{text}");
        }
        let text = found(vec![point(1e-3)], Some(2e-3), Some(3e-3), false);
        assert!(
            text.contains("fastest at 2.0e-3") && text.contains("is 3.0e-3; the loss"),
            "{text}"
        );
    }
}
