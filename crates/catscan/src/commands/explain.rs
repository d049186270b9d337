//! `catscan explain`: class activation maps and feature maps of a trained network on any pictures.

mod channels;
mod masks;
mod page;

use std::path::{Path, PathBuf};

use anyhow::Result;
use catscan_data::RgbImage;
use catscan_train::metrics::predicted;
use catscan_viz::cam::{CAMS, CamRow, Cams, explain};
use catscan_viz::feature_maps::{GridLayout, grid};
use catscan_viz::report::{Packed, Section, render};
use catscan_viz::strip::{ScaleRule, StripArm, StripRow, strip};
use serde::Serialize;
use tch::Tensor;

use super::network::{PictureArgs, input, open, probabilities};
use super::write_file;
use channels::ChannelArgs;
use masks::{Mask, OnMask};
use page::{nothing_there, page, section};

use crate::names;
use crate::output::{print, print_json};
use crate::refusal::{DATA, Refusal};
use crate::table::Table;
use crate::weights::Trained;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub asked: PictureArgs,
    /// Where to look: a tap by its name, `all` for every block; by default the last block
    #[arg(long, value_name = "TAP|all")]
    pub at: Option<String>,
    /// What to look for; by default the class that the network predicts
    #[arg(long, value_name = "NAME")]
    pub class: Option<String>,
    /// How a map is made; see catscan list cams
    #[arg(long, visible_alias = "cam", value_name = "NAME", default_value = "grad-cam")]
    pub method: String,
    /// Where the drawings go
    #[arg(long, value_name = "DIR", default_value = "scans")]
    pub out: PathBuf,
    /// Write one page with all of it instead, with a slider through the layers
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    pub html: Option<PathBuf>,
    /// Where the evidence is: a folder with a mask of each picture's name, white on black, or the
    /// one picture's mask. Tells how much of each map lies on it, and whether its peak does
    #[arg(long, value_name = "PATH")]
    pub masks: Option<PathBuf>,
    #[command(flatten)]
    pub channels: ChannelArgs,
}

/// What was drawn for one picture.
#[derive(Serialize)]
struct Drawn {
    picture: String,
    /// What the maps speak for.
    class: String,
    probability: f32,
    /// What the network says is on it.
    predicted: String,
    method: &'static str,
    activation_maps: String,
    feature_maps: String,
    /// With `--channels`: all channels of one tap.
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<String>,
    taps: Vec<String>,
    /// Taps at which nothing speaks for the class.
    empty_taps: Vec<String>,
    /// With `--masks`.
    #[serde(skip_serializing_if = "Option::is_none")]
    on_mask: Option<OnMask>,
}

/// Draws both kinds of scans for each picture into `--out`.
pub fn run(args: &Args) -> Result<u8> {
    let (trained, device) = args.asked.network.open()?;
    let method = method(&args.method)?;
    let taps = taps(args.at.as_deref(), method, &trained)?;
    let class = args.class.as_deref().map(|name| class(name, &trained.classes)).transpose()?;
    args.channels.check(&trained)?;
    // All pictures are read before anything is drawn, so that a slip leaves nothing half made.
    let mut pictures = Vec::new();
    for path in &args.asked.pictures {
        let rgb = opened(path)?;
        let of = |masks: &PathBuf| Mask::open(masks, &args.asked.pictures, path, &rgb, &trained);
        let mask = args.masks.as_ref().map(of).transpose()?;
        pictures.push((path, rgb, mask));
    }
    let (mut drawn, mut sections) = (Vec::new(), Vec::new());
    for (number, (path, rgb, mask)) in pictures.into_iter().enumerate() {
        let (picture, x) = input(rgb, &trained);
        let (shown, x) = (picture.into_shown(), x.to_device(device));
        let shares = probabilities(&trained.model, &x).remove(0);
        let class = class.unwrap_or(predicted(&shares) as usize);
        let cams = explain(method, &trained.model, &x, &[class as i64], &taps)?;
        let predicted = predicted(&shares) as usize;
        let probability = shares[class];
        let seen = Seen { path, shown, x: &x, class, probability, predicted, cams: &cams, mask };
        drawn.push(draw(args, &trained, seen, number, &mut sections)?);
    }
    if let Some(path) = &args.html {
        let page = page(&drawn, sections, method);
        write_file(path, render(&page)?.as_bytes())?;
    }
    match args.asked.network.json {
        true => print_json(&drawn)?,
        false => print(in_a_table(&drawn))?,
    }
    Ok(0)
}

/// A picture or a mask, or why there is none.
fn opened(path: &Path) -> Result<RgbImage> {
    let bad = |bad: catscan_data::BadImage| {
        Refusal::new(DATA, format!("{}: {}; give another picture", path.display(), bad.reason))
    };
    Ok(open(path)?.map_err(bad)?)
}

/// One picture and what the network made of it.
struct Seen<'a> {
    path: &'a Path,
    /// What went in, as a person sees it.
    shown: RgbImage,
    x: &'a Tensor,
    class: usize,
    probability: f32,
    predicted: usize,
    cams: &'a Cams,
    mask: Option<Mask>,
}

fn method(name: &str) -> Result<&'static CamRow> {
    let known: Vec<&str> = CAMS.iter().map(|row| row.name).collect();
    names::find("method", name, &known)?;
    Ok(CamRow::find(name).expect("just found"))
}

fn taps(at: Option<&str>, method: &CamRow, trained: &Trained) -> Result<Vec<String>> {
    let blocks = trained.model.block_names();
    if method.looks_at_input() {
        return match at {
            None | Some("all") => Ok(Vec::new()),
            Some(tap) => {
                let name = method.name;
                let message = format!("{name} looks at the picture, not at {tap}; leave out --at");
                Err(Refusal::usage(message).into())
            }
        };
    }
    Ok(match at {
        None => blocks[blocks.len() - 1..].to_vec(),
        Some("all") => blocks,
        Some(name) => {
            trained.model.taps(&[name])?;
            vec![name.to_owned()]
        }
    })
}

fn class(name: &str, classes: &[String]) -> Result<usize> {
    let known: Vec<&str> = classes.iter().map(String::as_str).collect();
    names::find("class", name, &known)?;
    Ok(known.iter().position(|class| *class == name).expect("just found"))
}

/// Draws one picture's scans: into files of their own, or as a section of the page.
fn draw(
    args: &Args,
    trained: &Trained,
    seen: Seen,
    number: usize,
    sections: &mut Vec<Section>,
) -> Result<Drawn> {
    let method = seen.cams.method;
    let taps: Vec<String> = seen.cams.taps.iter().map(|maps| maps.tap.clone()).collect();
    let stem = seen.path.file_stem().unwrap_or_default().to_string_lossy();
    let class = &trained.classes[seen.class];
    let maps = seen.cams.of_picture(0);
    let empty = |tap: &usize| !maps[*tap].has_positive();
    let empty_taps = (0..taps.len()).filter(empty).map(|tap| taps[tap].clone()).collect();
    let on_mask = seen.mask.as_ref().map(|mask| mask.under(seen.cams)).transpose()?;
    let features = grid(&trained.model, seen.x, &seen.shown, &GridLayout::study())?;
    let channels = args.channels.draw(trained, seen.x, &seen.shown, seen.class)?;
    let row = StripRow {
        label: vec![format!("P({class}) {:.2}", seen.probability), stem.to_string()],
        picture: seen.shown,
        maps,
    };
    let arm = StripArm { name: format!("{method} for {class}"), rows: vec![row] };
    // Numbered, because two folders may each hold a cat.jpg.
    let name = |kind: &str| args.out.join(format!("{:03}-{stem}.{kind}.png", number + 1));
    let paths = match &args.html {
        Some(page) => {
            let says =
                format!("{method} for {class}, whose probability is {:.4}.", seen.probability);
            let figures = [Some(&features), channels.as_ref()];
            sections.push(section(number, &stem, says, &arm, &taps, figures)?);
            [page.clone(), page.clone(), page.clone()]
        }
        None => {
            let paths = [method, "feature-maps", "channels"].map(name);
            let heat = strip(std::slice::from_ref(&arm), &taps, ScaleRule::EachMap)?;
            write_file(&paths[0], Packed::png(&heat)?.bytes())?;
            write_file(&paths[1], Packed::png(&features.image)?.bytes())?;
            if let Some(channels) = &channels {
                write_file(&paths[2], Packed::png(&channels.image)?.bytes())?;
            }
            paths
        }
    };
    let [cam_path, maps_path, channels_path] = paths.map(|path| path.display().to_string());
    Ok(Drawn {
        picture: seen.path.display().to_string(),
        class: class.clone(),
        probability: seen.probability,
        predicted: trained.classes[seen.predicted].clone(),
        method,
        activation_maps: cam_path,
        feature_maps: maps_path,
        channels: channels.map(|_| channels_path),
        taps,
        empty_taps,
        on_mask,
    })
}

/// Where the drawings lie, and the taps at which there is nothing to see.
fn in_a_table(drawn: &[Drawn]) -> String {
    let mut table =
        Table::new(&["picture", "class", "#probability", "activation maps", "feature maps"]);
    for drawn in drawn {
        table.row([
            drawn.picture.clone(),
            drawn.class.clone(),
            format!("{:.4}", drawn.probability),
            drawn.activation_maps.clone(),
            drawn.feature_maps.clone(),
        ]);
    }
    let mut text = table.to_string();
    for drawn in drawn.iter().filter(|drawn| !drawn.empty_taps.is_empty()) {
        text += &(nothing_there(drawn) + "\n");
    }
    let on_masks: Vec<&OnMask> = drawn.iter().filter_map(|drawn| drawn.on_mask.as_ref()).collect();
    if !on_masks.is_empty() {
        text += &format!("\n{}\n{}\n", masks::summary(&on_masks), masks::UNDER);
    }
    text
}
