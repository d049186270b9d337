//! `catscan summary`: what a network is made of and what it costs, without training it.

use anyhow::Result;
use catscan_models::{Cost, Model, ModelConfig, ModelRow, Role, Summary};
use tch::Device;

use crate::output::{print, print_json};
use crate::study::print::thousands;
use crate::table::Table;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A row of `catscan list models`
    pub model: String,
    /// Side of a picture in pixels; by default what the network was made for
    #[arg(long, value_name = "PX", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub size: Option<u32>,
    /// Channels of a picture: 3 for colour, 1 for grey; by default what it was made for
    #[arg(long, value_name = "C", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub channels: Option<u32>,
    /// Logits: 1 for two classes, else one a class; by default what it was made for
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub outputs: Option<u32>,
    /// Print the name and shape of each weight instead, as --freeze, groups of parameters and
    /// weights files have them
    #[arg(long)]
    pub weights: bool,
    /// Print the summary as JSON
    #[arg(long, conflicts_with = "weights")]
    pub json: bool,
}

/// What the numbers mean.
const UNDER: &str = "Multiply-adds of one picture's forward: products that are summed, of \
     convolutions and linear layers (half of what is sometimes called FLOPs; norms and poolings \
     are not counted). Activations: outputs of convolutions, norms, poolings and linear layers, \
     in 32-bit, about what training keeps for each picture of a batch.";

/// Prints a line a stage, and the totals.
pub fn run(args: &Args) -> Result<u8> {
    let row = ModelRow::find(&args.model)?;
    let natural = row.natural_config();
    let size_px = args.size.map_or(row.shape.natural().size_px, i64::from);
    let config = ModelConfig {
        in_channels: args.channels.map_or(natural.in_channels, i64::from),
        outputs: args.outputs.map_or(natural.outputs, i64::from),
        ..natural
    };
    let config = config.for_pictures(size_px)?;
    let summary = Summary::of(&config, size_px)?;
    if args.weights {
        print(weights(&Model::build(&config, 0, Device::Cpu)?))?;
        return Ok(0);
    }
    match args.json {
        true => print_json(&summary)?,
        false => print(in_full(row, &summary))?,
    }
    Ok(0)
}

fn in_full(row: &ModelRow, summary: &Summary) -> String {
    let mut table = Table::new(&[
        "stage",
        "output",
        "#layers",
        "#parameters",
        "#multiply-adds, M",
        "#activations, MB",
    ]);
    let mut line = |name: &str, output: String, layers: u32, cost: &Cost| {
        table.row([
            name.to_owned(),
            output,
            layers.to_string(),
            thousands(cost.parameters),
            format!("{:.2}", cost.multiply_adds as f64 / 1e6),
            format!("{:.2}", cost.activation_bytes as f64 / 1e6),
        ]);
    };
    line("input", shape(&summary.input), 0, &Cost::default());
    for stage in &summary.stages {
        line(&stage.name, shape(&stage.output), stage.layers, &stage.cost);
    }
    let layers = summary.stages.iter().map(|stage| stage.layers).sum();
    line("all", String::new(), layers, &summary.cost);
    format!("{}: {}\n{}\n\n{table}\n{UNDER}\n", row.name, row.about, row.paper)
}

/// A line a weight, statistics included, in the order of files.
fn weights(model: &Model) -> String {
    let mut table = Table::new(&["weight", "shape", "#numbers", "is"]);
    for weight in model.weights().iter() {
        let is = match weight.role {
            Role::Parameter => "trained",
            Role::Buffer => "statistic",
        };
        let numbers = thousands(weight.tensor.numel() as u64);
        table.row([weight.name.clone(), shape(&weight.tensor.size()), numbers, is.into()]);
    }
    table.to_string()
}

/// `[64, 56, 56]` as `64×56×56`.
fn shape(sizes: &[i64]) -> String {
    sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join("×")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_ends_with_its_totals() {
        let row = ModelRow::find("densenet121").unwrap();
        let text = in_full(row, &Summary::of(&row.natural_config(), 224).unwrap());
        let all = text.lines().find(|line| line.starts_with("all ")).unwrap();
        let words: Vec<&str> = all.split_whitespace().collect();
        assert_eq!(words[..4], ["all", "121", "7,978,856", "2834.16"]);
        assert!(text.contains("features.denseblock1  256×56×56"), "{text}");
    }

    #[test]
    fn every_weight_has_its_line() {
        let config = ModelRow::find("resnet18").unwrap().natural_config();
        let model = Model::build(&config, 0, Device::Cpu).unwrap();
        let text = weights(&model);
        assert_eq!(text.lines().count(), model.weights().iter().len() + 2);
        let line = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(line("layer1.0.conv1."), "layer1.0.conv1.weight 64×64×3×3 36,864 trained");
        assert_eq!(line("bn1.running_var"), "bn1.running_var 64 64 statistic");
    }
}
