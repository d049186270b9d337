//! `--masks`: where the evidence of one's own pictures is ([`crate::masks`]), of the picture's
//! size; each map is asked how much of it lies there ([`catscan_viz::evidence`]).

use std::path::{Path, PathBuf};

use anyhow::Result;
use catscan_data::RgbImage;
use catscan_viz::cam::Cams;
use catscan_viz::evidence::{self, Tally, area};
use serde::Serialize;

use crate::masks::{Masks, opened, prepared};
use crate::refusal::Refusal;
use crate::table::Table;
use crate::weights::Trained;

/// What is said under [`summary`].
pub const UNDER: &str = "Energy is the part of a map's positive mass on the mask (Wang et al. 2020), \
     which a map that knows nothing gets as much of as the mask covers; peak, the pictures whose \
     map is highest on it (the pointing game, Zhang et al. 2018). Maps without a positive part \
     count for neither.";

/// A picture's evidence, as the network's square of pixels.
#[derive(Debug)]
pub struct Mask {
    /// 255 on the evidence, else 0.
    pixels: Vec<u8>,
    size_px: u32,
}

/// How much of one picture's maps lies on its mask.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OnMask {
    /// The share of the picture that the mask covers.
    covered: f64,
    /// In the order of the taps.
    taps: Vec<TapOnMask>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct TapOnMask {
    tap: String,
    /// Of the map's positive mass, the share on the mask; none where nothing is positive.
    energy: Option<f64>,
    /// Whether the highest place is on it.
    peak: Option<bool>,
}

impl TapOnMask {
    fn on_mask(&self) -> Option<evidence::OnMask> {
        Some(evidence::OnMask { energy: self.energy?, peak: self.peak? })
    }
}

impl Mask {
    /// The mask of `path` (whose pixels are `picture`) among `masks`: the file of its name in that
    /// folder, or that file if there is one picture only.
    ///
    /// # Errors
    /// No such mask, one that cannot be read or has another size than its picture, or one without
    /// any white.
    pub fn open(
        masks: &Path,
        pictures: &[PathBuf],
        path: &Path,
        picture: &RgbImage,
        trained: &Trained,
    ) -> Result<Mask> {
        let file = find(masks, pictures, path)?;
        let mask = opened(&file)?;
        let (got, want) = (mask.dimensions(), picture.dimensions());
        if got != want {
            let message = format!(
                "{}: is {} × {} pixels, {} is {} × {}; give a mask of the picture's size",
                file.display(),
                got.0,
                got.1,
                path.display(),
                want.0,
                want.1
            );
            return Err(Refusal::usage(message).into());
        }
        let data = &trained.recipe.data;
        Ok(Mask { pixels: prepared(mask, &file, data)?, size_px: data.size_px })
    }

    /// What the maps of picture `n` have on it.
    ///
    /// # Errors
    /// None that a prepared mask can cause.
    pub fn under(&self, cams: &Cams, n: usize) -> Result<OnMask> {
        let of_tap = |tap: &catscan_viz::cam::TapMaps| -> Result<TapOnMask> {
            let map = &tap.maps[n];
            let on = evidence::on_mask(map, &self.pixels, self.size_px)?;
            let (energy, peak) = (on.map(|on| on.energy), on.map(|on| on.peak));
            Ok(TapOnMask { tap: tap.tap.clone(), energy, peak })
        };
        let taps = cams.taps.iter().map(of_tap).collect::<Result<_>>()?;
        Ok(OnMask { covered: area(&self.pixels), taps })
    }
}

fn find(masks: &Path, pictures: &[PathBuf], picture: &Path) -> Result<PathBuf> {
    if !masks.is_dir() {
        if pictures.len() == 1 {
            return Ok(masks.to_owned());
        }
        let message = format!(
            "--masks {}: is one file for {} pictures; name a folder with a mask of each picture's \
             name",
            masks.display(),
            pictures.len()
        );
        return Err(Refusal::usage(message).into());
    }
    let name = picture.file_name().map(Path::new).unwrap_or(picture);
    let found = Masks::list(masks)?.of(name).map(Path::to_owned);
    found.ok_or_else(|| {
        let stem = picture.file_stem().unwrap_or_default().to_string_lossy();
        let message = format!(
            "--masks {}: holds no mask of {}; draw one, white on black, and call it {stem}.png",
            masks.display(),
            picture.display()
        );
        Refusal::usage(message).into()
    })
}

/// One line a network and tap: means over the pictures. The network is named where there are
/// several.
pub fn summary(networks: &[(&str, Vec<&OnMask>)]) -> Table {
    let mut head = vec!["tap", "#energy on the mask, %", "#mask covers, %", "#peak on it", "#maps"];
    if networks.len() > 1 {
        head.insert(0, "network");
    }
    let mut table = Table::new(&head);
    for (name, all) in networks {
        for mut row in of_network(all) {
            if networks.len() > 1 {
                row.insert(0, (*name).to_owned());
            }
            table.row(row);
        }
    }
    table
}

fn of_network(all: &[&OnMask]) -> Vec<Vec<String>> {
    let covered = all.iter().map(|on| on.covered).sum::<f64>() / all.len().max(1) as f64;
    let of_tap = |(at, first): (usize, &TapOnMask)| {
        let mut tally = Tally::default();
        all.iter().for_each(|on| tally.add(on.taps[at].on_mask()));
        vec![
            first.tap.clone(),
            tally.energy().map_or("–".to_owned(), |energy| format!("{:.1}", 100.0 * energy)),
            format!("{:.1}", 100.0 * covered),
            format!("{} of {}", tally.peaks, tally.full()),
            tally.maps.to_string(),
        ]
    };
    all.first().map_or(&[][..], |on| &on.taps).iter().enumerate().map(of_tap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use catscan_data::DataConfig;
    use catscan_viz::cam::{Map, TapMaps};
    use image::Rgb;

    /// The right half of a picture twice as wide as high.
    fn right_half() -> RgbImage {
        RgbImage::from_fn(40, 20, |x, _| Rgb([if x < 20 { 0 } else { 255 }; 3]))
    }

    fn cams(signed: &[f32]) -> Cams {
        let map = Map { height: 1, width: signed.len() as u32, signed: signed.to_vec() };
        let tap = TapMaps { tap: "features.norm5".into(), maps: vec![map] };
        Cams { method: "grad-cam", taps: vec![tap], probabilities: vec![vec![0.5, 0.5]] }
    }

    #[test]
    fn a_mask_goes_its_pictures_way_and_tells_what_lies_on_it() {
        let data = DataConfig { size_px: 16, ..crate::recipes::quick().data };
        let pixels = prepared(right_half(), Path::new("mask.png"), &data).unwrap();
        let mask = Mask { pixels, size_px: 16 };
        assert_eq!(mask.pixels.len(), 256);
        let black = prepared(RgbImage::new(9, 9), Path::new("black.png"), &data).unwrap_err();
        assert!(black.to_string().contains("black.png: nothing on it is white"), "{black}");
        let on = mask.under(&cams(&[0.0, 0.0, 0.0, 1.0]), 0).unwrap();
        assert_eq!((on.covered, on.taps[0].peak), (0.5, Some(true)));
        assert_eq!(on.taps[0].energy, Some(1.0));
        let off = mask.under(&cams(&[1.0, 0.0, 0.0, 0.0]), 0).unwrap();
        assert_eq!((off.taps[0].energy, off.taps[0].peak), (Some(0.0), Some(false)));
        let none = mask.under(&cams(&[-1.0, -1.0]), 0).unwrap();
        assert_eq!((none.taps[0].energy, none.taps[0].peak), (None, None));
        let text = summary(&[("avg", vec![&on, &off, &none])]).to_string();
        assert!(text.contains("50.0") && text.contains("1 of 2"), "{text}");
        assert!(!text.contains("avg"), "{text}");
        let text = summary(&[("avg", vec![&on]), ("max", vec![&off])]).to_string();
        assert!(text.contains("avg") && text.contains("max"), "{text}");
    }

    #[test]
    fn masks_are_found_by_their_pictures_name_or_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cat.png"), "").unwrap();
        let [cat, dog] = ["in/cat.jpg", "in/dog.jpg"].map(PathBuf::from);
        let pictures = [cat.clone(), dog.clone()];
        assert!(find(folder.path(), &pictures, &cat).unwrap().ends_with("cat.png"));
        let error = find(folder.path(), &pictures, &dog).unwrap_err();
        assert!(error.to_string().contains("call it dog.png"), "{error}");
        let error = find(&folder.path().join("cat.png"), &pictures, &cat).unwrap_err();
        assert!(error.to_string().contains("one file for 2 pictures"), "{error}");
    }
}
