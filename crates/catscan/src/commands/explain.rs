//! `catscan explain`: class activation maps and feature maps of trained networks on any pictures;
//! of several networks side by side.

mod channels;
mod figures;
mod look;
mod masks;
mod networks;
mod page;
mod record;

use std::path::PathBuf;

use anyhow::Result;
use catscan_viz::cam::{CAMS, CamRow};
use catscan_viz::report::render;

use channels::ChannelArgs;
use figures::draw;
use look::{Picture, at_once, look};
use networks::Networks;
use page::page;
use record::in_a_table;

use crate::args::DeviceArgs;
use crate::files::write_file;
use crate::masks::opened;
use crate::names;
use crate::output::{print, print_json};
use crate::weights::FileArgs;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Pictures
    #[arg(required = true, value_name = "IMG")]
    pub pictures: Vec<PathBuf>,
    /// A run's folder, one of its checkpoints or a safetensors file, or an experiment's folder,
    /// which stands for each arm's first seed; may be given several times, and all are drawn side
    /// by side
    #[arg(long, required = true, num_args = 1, value_name = "RUN|CHECKPOINT|FILE")]
    pub weights: Vec<PathBuf>,
    #[command(flatten)]
    pub file: FileArgs,
    /// Where to look: a tap by its name, `all` for every block; by default the last block
    #[arg(long, value_name = "TAP|all")]
    pub at: Option<String>,
    /// What to look for; by default the class that each network predicts
    #[arg(long, value_name = "NAME")]
    pub class: Option<String>,
    /// How a map is made; see catscan list cams
    #[arg(long, visible_alias = "cam", value_name = "NAME", default_value = "grad-cam")]
    pub method: String,
    /// Hide what is hot by less than this share of a map's hottest place, 0 to below 1, as the
    /// published pooling study did
    #[arg(long, value_name = "SHARE", value_parser = threshold)]
    pub threshold: Option<f32>,
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
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Print the answer as JSON, with all its numbers
    #[arg(long)]
    pub json: bool,
}

/// Draws both kinds of scans for each picture into `--out`.
pub fn run(args: &Args) -> Result<u8> {
    let device = args.device.ready()?;
    let method = method(&args.method)?;
    let networks = Networks::open(args, method, device)?;
    networks.all.iter().try_for_each(|network| args.channels.check(&network.trained))?;
    // All pictures are read before anything is drawn, so that a slip leaves nothing half made.
    let paths = args.pictures.iter();
    let read = paths.map(|path| Picture::open(args, path, &networks));
    let pictures: Vec<Picture> = read.collect::<Result<_>>()?;
    let (mut drawn, mut sections) = (Vec::new(), Vec::new());
    for some in pictures.chunks(at_once(&networks)) {
        let first = drawn.len() / networks.all.len();
        let seen = look(args, method, &networks, some)?;
        for (picture, section) in draw(args, method, &seen, first)? {
            drawn.extend(picture);
            sections.extend(section);
        }
    }
    if let Some(path) = &args.html {
        let page = page(&drawn, sections, method);
        write_file(path, render(&page)?.as_bytes())?;
    }
    match args.json {
        true => print_json(&drawn)?,
        false => print(in_a_table(&drawn))?,
    }
    Ok(0)
}

fn threshold(text: &str) -> Result<f32, String> {
    let share = text.parse().ok().filter(|share| (0.0..1.0).contains(share));
    share.ok_or_else(|| format!("got {text}, want a number from 0 to below 1"))
}

fn method(name: &str) -> Result<&'static CamRow> {
    let known: Vec<&str> = CAMS.iter().map(|row| row.name).collect();
    names::find("method", name, &known)?;
    Ok(CamRow::find(name).expect("just found"))
}
