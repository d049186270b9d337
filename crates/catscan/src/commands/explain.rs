//! `catscan explain`: class activation maps and feature maps of a trained network on any pictures.

use std::path::{Path, PathBuf};

use anyhow::Result;
use catscan_data::RgbImage;
use catscan_train::metrics::predicted;
use catscan_viz::cam::{CAMS, CamRow, Cams, explain};
use catscan_viz::feature_maps::{FeatureGrid, GridLayout, grid};
use catscan_viz::layer::layer;
use catscan_viz::report::{Block, Frame, Packed, Page, Section, render};
use catscan_viz::strip::{ScaleRule, StripArm, StripRow, strip};
use serde::Serialize;
use tch::Tensor;

use super::network::{PictureArgs, input, open, probabilities};
use super::write_file;
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
    taps: Vec<String>,
    /// Taps at which nothing speaks for the class.
    empty_taps: Vec<String>,
}

/// Draws both kinds of scans for each picture into `--out`.
pub fn run(args: &Args) -> Result<u8> {
    let (trained, device) = args.asked.network.open()?;
    let method = method(&args.method)?;
    let taps = taps(args.at.as_deref(), method, &trained)?;
    let class = args.class.as_deref().map(|name| class(name, &trained.classes)).transpose()?;
    // All pictures are read before anything is drawn, so that a slip leaves nothing half made.
    let mut pictures = Vec::new();
    for path in &args.asked.pictures {
        let rgb = open(path)?.map_err(|bad| {
            Refusal::new(DATA, format!("{}: {}; give another picture", path.display(), bad.reason))
        })?;
        pictures.push((path, rgb));
    }
    let (mut drawn, mut sections) = (Vec::new(), Vec::new());
    for (number, (path, rgb)) in pictures.into_iter().enumerate() {
        let (picture, x) = input(rgb, &trained);
        let (shown, x) = (picture.into_shown(), x.to_device(device));
        let shares = probabilities(&trained.model, &x).remove(0);
        let class = class.unwrap_or(predicted(&shares) as usize);
        let cams = explain(method, &trained.model, &x, &[class as i64], &taps)?;
        let predicted = predicted(&shares) as usize;
        let probability = shares[class];
        let seen = Seen { path, shown, x: &x, class, probability, predicted, cams: &cams };
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
    let features = grid(&trained.model, seen.x, &seen.shown, &GridLayout::study())?;
    let row = StripRow {
        label: vec![format!("P({class}) {:.2}", seen.probability), stem.to_string()],
        picture: seen.shown,
        maps,
    };
    let arm = StripArm { name: format!("{method} for {class}"), rows: vec![row] };
    // Numbered, because two folders may each hold a cat.jpg.
    let name = |kind: &str| args.out.join(format!("{:03}-{stem}.{kind}.png", number + 1));
    let (cam_path, maps_path) = match &args.html {
        Some(page) => {
            let says =
                format!("{method} for {class}, whose probability is {:.4}.", seen.probability);
            sections.push(section(number, &stem, says, &arm, &taps, &features)?);
            (page.clone(), page.clone())
        }
        None => {
            let paths = (name(method), name("feature-maps"));
            let heat = strip(std::slice::from_ref(&arm), &taps, ScaleRule::EachMap)?;
            write_file(&paths.0, Packed::png(&heat)?.bytes())?;
            write_file(&paths.1, Packed::png(&features.image)?.bytes())?;
            paths
        }
    };
    Ok(Drawn {
        picture: seen.path.display().to_string(),
        class: class.clone(),
        probability: seen.probability,
        predicted: trained.classes[seen.predicted].clone(),
        method,
        activation_maps: cam_path.display().to_string(),
        feature_maps: maps_path.display().to_string(),
        taps,
        empty_taps,
    })
}

/// One picture's part of the page: its maps layer by layer, then all convolutions' outputs.
fn section(
    number: usize,
    name: &str,
    says: String,
    arm: &StripArm,
    taps: &[String],
    features: &FeatureGrid,
) -> Result<Section> {
    let frame = |(at, tap): (usize, &String)| {
        let picture = Packed::jpeg(&layer(std::slice::from_ref(arm), at, ScaleRule::EachMap))?;
        Ok(Frame { name: tap.clone(), picture, alt: format!("{} at {tap}", arm.name) })
    };
    let frames = taps.iter().enumerate().map(frame).collect::<Result<_>>()?;
    let scale = ScaleRule::EachMap.in_words();
    let picture = Block::Picture {
        caption: features.caption.clone(),
        picture: Packed::png(&features.image)?,
        alt: format!("Grid of {} feature maps", features.tiles.len()),
    };
    Ok(Section {
        id: format!("picture-{}", number + 1),
        title: name.to_owned(),
        blocks: vec![
            Block::Paragraph(says),
            Block::Slider {
                caption: format!("Above the picture, below the map, {scale}."),
                frames,
            },
            Block::Details { summary: "Feature maps".to_owned(), blocks: vec![picture] },
        ],
    })
}

fn page(drawn: &[Drawn], sections: Vec<Section>, method: &CamRow) -> Page {
    let answer = |drawn: &Drawn| format!("{}: {}", drawn.picture, drawn.predicted);
    let empty = drawn.iter().filter(|drawn| !drawn.empty_taps.is_empty());
    Page {
        title: "What the network looks at".to_owned(),
        question: format!("{}: {}", method.name, method.about),
        answer: drawn.iter().map(answer).collect(),
        notices: empty.map(nothing_there).collect(),
        sections,
        footer: format!("Written by catscan {}.", env!("CARGO_PKG_VERSION")),
    }
}

/// The taps of a picture at which there is nothing to see, in words.
fn nothing_there(drawn: &Drawn) -> String {
    let (class, taps) = (&drawn.class, drawn.empty_taps.join(", "));
    format!("{}: nothing speaks for {class} at {taps}", drawn.picture)
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
    text
}
