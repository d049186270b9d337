//! What was seen, drawn: a picture's figures, the networks side by side, into files of their own or
//! as a section of the page.

use std::path::PathBuf;

use anyhow::Result;
use catscan_data::RgbImage;
use catscan_viz::cam::CamRow;
use catscan_viz::feature_maps::{FeatureGrid, below, beside};
use catscan_viz::layer::layer;
use catscan_viz::report::{Packed, Section};
use catscan_viz::strip::{ScaleRule, StripArm, StripRow, strip};
use rayon::prelude::*;

use super::Args;
use super::look::{NetworkView, PictureViews};
use super::page::section;
use super::record::ScanRecord;
use crate::files::write_file;

/// A picture's place among all, from 1; two folders may each hold a cat.jpg.
pub type Place = usize;

/// Draws every picture, on all cores; `first` pictures were drawn before.
///
/// # Errors
/// Where a file cannot be written.
pub fn draw(
    args: &Args,
    method: &'static CamRow,
    seen: &[PictureViews],
    first: usize,
) -> Result<Vec<(Vec<ScanRecord>, Option<Section>)>> {
    let one = |(n, seen): (usize, &PictureViews)| draw_one(args, method, seen, first + n + 1);
    seen.par_iter().enumerate().map(one).collect()
}

fn draw_one(
    args: &Args,
    method: &'static CamRow,
    seen: &PictureViews,
    place: Place,
) -> Result<(Vec<ScanRecord>, Option<Section>)> {
    let stem = seen.path.file_stem().unwrap_or_default().to_string_lossy();
    let called = match args.threshold {
        Some(share) => format!("{} from {:.0} % of its hottest", method.name, 100.0 * share),
        None => method.name.to_owned(),
    };
    let groups = groups(&called, &stem, seen);
    let (paths, section) = match &args.html {
        Some(page) => {
            let section = section(place, &stem, &called, seen, &groups)?;
            ([page.clone(), page.clone(), page.clone()], Some(section))
        }
        None => {
            let file = |kind: &str| args.out.join(format!("{place:03}-{stem}.{kind}.png"));
            let paths = [method.name, "feature-maps", "channels"].map(file);
            let write = |path: &PathBuf, image: &RgbImage| -> Result<()> {
                write_file(path, Packed::png_quickly(image)?.bytes())
            };
            write(&paths[0], &strips(&groups)?)?;
            write(&paths[1], &named(seen, below, |by| Some(&by.features)))?;
            if seen.by.iter().any(|by| by.channels.is_some()) {
                write(&paths[2], &named(seen, beside, |by| by.channels.as_ref()))?;
            }
            (paths, None)
        }
    };
    let [maps, features, channels] = paths.map(|path| path.display().to_string());
    let told = |by: &NetworkView| ScanRecord {
        picture: seen.path.display().to_string(),
        network: by.network.to_owned(),
        class: by.class.to_owned(),
        probability: by.probability,
        predicted: by.predicted.to_owned(),
        predicted_probability: by.predicted_probability,
        method: method.name,
        activation_maps: maps.clone(),
        feature_maps: features.clone(),
        channels: by.channels.as_ref().map(|_| channels.clone()),
        taps: by.taps.clone(),
        empty_taps: (by.taps.iter().zip(&by.maps))
            .filter(|(_, map)| !map.has_positive())
            .map(|(tap, _)| tap.clone())
            .collect(),
        on_mask: by.on_mask.clone(),
    };
    Ok((seen.by.iter().map(told).collect(), section))
}

/// Networks that can stand in one figure: of the same taps, or of one tap each.
pub struct Group<'a> {
    /// What the places of a map list are called.
    pub titles: Vec<String>,
    /// The networks' names, and what each shows.
    pub arms: Vec<(&'a str, StripArm)>,
}

fn groups<'a>(method: &str, stem: &str, seen: &PictureViews<'a>) -> Vec<Group<'a>> {
    let single = seen.by.iter().all(|by| by.taps.len() == 1);
    let mut groups: Vec<Group> = Vec::new();
    for by in &seen.by {
        let arm = (by.network, arm(method, stem, by));
        match groups.iter_mut().find(|group| single || group.titles == by.taps) {
            Some(group) => {
                if group.titles != by.taps {
                    group.titles = vec![format!("{}, {}", group.titles[0], by.taps[0])];
                }
                group.arms.push(arm);
            }
            None => groups.push(Group { titles: by.taps.clone(), arms: vec![arm] }),
        }
    }
    groups
}

fn arm(method: &str, stem: &str, by: &NetworkView) -> StripArm {
    let mut label = vec![format!("P({}) {:.2}", by.class, by.probability), stem.to_owned()];
    if by.class != by.predicted {
        label.push(format!("says {} {:.2}", by.predicted, by.predicted_probability));
    }
    let row = StripRow { label, picture: by.shown.clone(), maps: by.maps.clone() };
    StripArm { name: format!("{method} for {}", by.class), rows: vec![row] }
}

/// One figure of all strips: of one tap side by side, of several one under the other, so that a
/// tap's maps stand in one column.
fn strips(groups: &[Group]) -> Result<RgbImage> {
    let mut drawn = Vec::new();
    for Group { titles, arms } in groups {
        let alone = |(_, arm): &(&str, StripArm)| {
            strip(std::slice::from_ref(arm), titles, ScaleRule::EachMap)
        };
        let images = arms.iter().map(alone).collect::<Result<Vec<_>, _>>()?;
        let pairs: Vec<(&str, &RgbImage)> =
            arms.iter().map(|(name, _)| *name).zip(&images).collect();
        drawn.push(match (groups.len(), pairs.len(), titles.len()) {
            (1, 1, _) => images[0].clone(),
            (_, _, 1) => beside(&pairs),
            _ => below(&pairs),
        });
    }
    let pairs: Vec<(&str, &RgbImage)> = drawn.iter().map(|image| ("", image)).collect();
    Ok(if drawn.len() == 1 { drawn.remove(0) } else { below(&pairs) })
}

/// One layer of a group: the picture above, the map below, the networks side by side.
pub fn frame(group: &Group, at: usize) -> RgbImage {
    let one =
        |(_, arm): &(&str, StripArm)| layer(std::slice::from_ref(arm), at, ScaleRule::EachMap);
    let images: Vec<RgbImage> = group.arms.iter().map(one).collect();
    let names = group.arms.iter().map(|(name, _)| *name);
    match &images[..] {
        [only] => only.clone(),
        all => beside(&names.zip(all).collect::<Vec<_>>()),
    }
}

/// A kind of feature maps of every network, each under its name where there are several.
pub fn named(
    seen: &PictureViews,
    arrange: fn(&[(&str, &RgbImage)]) -> RgbImage,
    of: impl for<'b> Fn(&'b NetworkView) -> Option<&'b FeatureGrid>,
) -> RgbImage {
    let figures: Vec<(&str, &RgbImage)> =
        seen.by.iter().filter_map(|by| Some((by.network, &of(by)?.image))).collect();
    match figures[..] {
        [(_, only)] => only.clone(),
        _ => arrange(&figures),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use catscan_viz::cam::Map;
    use std::path::Path;

    fn by<'a>(network: &'a str, shown: &'a RgbImage, taps: &[&str]) -> NetworkView<'a> {
        let map = Map { height: 1, width: 1, signed: vec![1.0] };
        NetworkView {
            network,
            shown,
            class: "dog",
            probability: 0.25,
            predicted: "cat",
            predicted_probability: 0.75,
            taps: taps.iter().map(|tap| (*tap).to_owned()).collect(),
            maps: vec![map; taps.len()],
            features: FeatureGrid {
                image: RgbImage::new(9, 9),
                tiles: Vec::new(),
                caption: String::new(),
            },
            channels: None,
            on_mask: None,
        }
    }

    #[test]
    fn one_tap_stands_side_by_side_and_several_one_under_the_other() {
        let shown = RgbImage::new(8, 8);
        let size = |networks: &[(&str, &[&str])]| {
            let by = networks.iter().map(|(name, taps)| by(name, &shown, taps)).collect();
            let groups = groups("grad-cam", "a", &PictureViews { path: Path::new("a.png"), by });
            (groups.len(), strips(&groups).unwrap().dimensions())
        };
        let (_, (wide, high)) = size(&[("avg", &["n5"])]);
        assert_eq!(size(&[("avg", &["n5"]), ("max", &["n5"])]), (1, (2 * wide + 18, high + 26)));
        assert_eq!(size(&[("dense", &["n5"]), ("res", &["l4"])]).0, 1, "each its last block");
        let (_, (wide, high)) = size(&[("avg", &["a", "b"])]);
        let both = size(&[("avg", &["a", "b"]), ("max", &["a", "b"])]);
        assert_eq!(both, (1, (wide, 2 * (high + 26) + 18)));
        assert_eq!(size(&[("dense", &["a", "b"]), ("res", &["c", "d"])]).0, 2);
    }

    #[test]
    fn a_figure_says_what_the_network_says_whatever_was_asked() {
        let shown = RgbImage::new(8, 8);
        let arm = arm("grad-cam", "a", &by("avg", &shown, &["t"]));
        assert_eq!(arm.rows[0].label, ["P(dog) 0.25", "a", "says cat 0.75"]);
    }
}
