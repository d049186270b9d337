//! `catscan bench scans`: takes timed scans on request, so that `scripts/bench/viz.py` can let
//! pytorch-grad-cam take turns with it on the same photographs.
//!
//! ```text
//! {"work":"every","folder":"/tmp/x","pictures":8,"batch":4,"size_px":224,"parts":8,
//!  "precision":"fp32","layout":"nchw"}
//! {"seconds":1.62,"layers":62}
//! ```
//!
//! As users get them: every map is enlarged to its picture and scaled, and what the network says of
//! the whole picture is asked before its parts. Decoding is not timed, nor the maps that deletion
//! and insertion ask about.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use catscan_data::{Colour, Filter, Raster, decode, resize};
use catscan_models::{Memory, Model, Precision};
use catscan_viz::belief::{Pictures, deletion};
use catscan_viz::cam::{Map, grad_cam};
use catscan_viz::overlay::heat;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::{Layout, config, laid_out};

/// The network that peers are compared on.
const MODEL: &str = "densenet121";
/// Its last map.
const LAST: &str = "features.norm5";

/// What to do, on how many of a folder's pictures.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    work: Work,
    folder: PathBuf,
    pictures: usize,
    batch: usize,
    size_px: u32,
    /// In which pixels go and come.
    parts: usize,
    precision: Precision,
    layout: Layout,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Work {
    /// Grad-CAM at the last block.
    Last,
    /// Grad-CAM at every dense layer, every transition and the last norm.
    Every,
    /// Deletion and insertion.
    Curves,
}

#[derive(Debug, Serialize)]
pub(super) struct Answer {
    /// Of all pictures together.
    seconds: f64,
    /// Taps that [`Work::Every`] looks at.
    layers: usize,
}

/// What stays between requests.
#[derive(Default)]
pub(super) struct Scans {
    /// A folder's pictures at a size, `[N, 3, H, W]` in 0..=1.
    pictures: HashMap<(PathBuf, u32), Tensor>,
    models: Vec<(Precision, Model)>,
    /// Maps at the last block, which are made once; a list a batch.
    maps: HashMap<(PathBuf, u32, usize, usize), Vec<Map>>,
}

impl Scans {
    /// Does what is asked and tells how long it took.
    pub fn answer(&mut self, request: &Request) -> Result<Answer> {
        let model = self.model(request.precision)?;
        let taps = match request.work {
            Work::Every => layers(&self.models[model].1),
            Work::Last | Work::Curves => vec![LAST.to_owned()],
        };
        let all = self.pictures(&request.folder, request.size_px)?;
        let mut batches = Vec::new();
        for first in (0..request.pictures).step_by(request.batch.max(1)) {
            let count = request.batch.min(request.pictures - first);
            let x = laid_out(&all.narrow(0, first as i64, count as i64), request.layout);
            if request.work == Work::Curves {
                self.keep_maps(request, model, first, &x)?;
            }
            batches.push((first, x));
        }
        let model = &self.models[model].1;
        let classes = classes(request.batch.max(1) as i64);
        let of = |x: &Tensor| &classes[..x.size()[0] as usize];
        let began = Instant::now();
        for (first, x) in &batches {
            match request.work {
                Work::Last | Work::Every => {
                    let cams = grad_cam(model, x, of(x), &taps)?;
                    let size = (request.size_px, request.size_px);
                    for map in cams.taps.iter().flat_map(|tap| &tap.maps) {
                        black_box(heat(map, size));
                    }
                }
                Work::Curves => {
                    let maps = &self.maps[&key(request, *first, x)];
                    let predicted = Pictures::new(model, x, of(x))?;
                    black_box(deletion::curves(&predicted, &[maps], request.parts)?);
                }
            }
        }
        Ok(Answer { seconds: began.elapsed().as_secs_f64(), layers: taps.len() })
    }

    /// The place of the model that computes so; built on first use.
    fn model(&mut self, precision: Precision) -> Result<usize> {
        if let Some(place) = self.models.iter().position(|(known, _)| *known == precision) {
            return Ok(place);
        }
        let model = Model::build(&config(MODEL, precision, Memory::Keep)?, 1, Device::Cpu)?;
        self.models.push((precision, model));
        Ok(self.models.len() - 1)
    }

    fn pictures(&mut self, folder: &Path, size_px: u32) -> Result<Tensor> {
        let key = (folder.to_owned(), size_px);
        if !self.pictures.contains_key(&key) {
            self.pictures.insert(key.clone(), read(folder, size_px)?);
        }
        Ok(self.pictures[&key].shallow_clone())
    }

    fn keep_maps(
        &mut self,
        request: &Request,
        model: usize,
        first: usize,
        x: &Tensor,
    ) -> Result<()> {
        let key = key(request, first, x);
        if !self.maps.contains_key(&key) {
            let model = &self.models[model].1;
            let mut cams = grad_cam(model, x, &classes(x.size()[0]), &[LAST.to_owned()])?;
            self.maps.insert(key, cams.taps.remove(0).maps);
        }
        Ok(())
    }
}

fn key(request: &Request, first: usize, x: &Tensor) -> (PathBuf, u32, usize, usize) {
    (request.folder.clone(), request.size_px, first, x.size()[0] as usize)
}

/// Cats and dogs in turn, as the script lays them down.
fn classes(count: i64) -> Vec<i64> {
    (0..count).map(|n| n % 2).collect()
}

/// The 58 dense layers, three transitions and the last norm of DenseNet-121.
fn layers(model: &Model) -> Vec<String> {
    let dense = |name: &String| name.contains("denselayer") && name.ends_with(".conv2");
    let transition = |name: &String| name.contains("transition") && name.ends_with(".pool");
    let wanted = |name: &String| dense(name) || transition(name) || name == LAST;
    model.tap_names().into_iter().filter(wanted).collect()
}

/// All pictures of a folder by name, squashed to squares.
fn read(folder: &Path, size_px: u32) -> Result<Tensor> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<_>>>()
        .with_context(|| folder.display().to_string())?;
    paths.sort();
    let one = |path: &PathBuf| -> Result<Tensor> {
        let rgb = decode::open_rgb(path)
            .map_err(|bad| anyhow::anyhow!("{}: {}", path.display(), bad.reason))?;
        let raster = Raster::from(rgb).into_colour(Colour::Rgb);
        let raster = resize::squash(&raster, size_px, Filter::Bilinear);
        let side = i64::from(size_px);
        Ok(Tensor::from_slice(raster.pixels()).view([side, side, 3]))
    };
    let all = paths.iter().map(one).collect::<Result<Vec<_>>>()?;
    let x = Tensor::stack(&all, 0).to_kind(Kind::Float) / 255.0;
    Ok(x.permute([0, 3, 1, 2]).contiguous())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layers_are_the_peers_sixty_two() {
        let model =
            Model::build(&config(MODEL, Precision::Fp32, Memory::Keep).unwrap(), 1, Device::Cpu);
        let names = layers(&model.unwrap());
        assert_eq!(names.len(), 62);
        assert_eq!(names[0], "features.denseblock1.denselayer1.conv2");
        assert_eq!(names[61], LAST);
    }

    #[test]
    fn every_kind_of_request_is_read_and_done() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.png", "b.png", "c.png"] {
            let picture = image::RgbImage::from_fn(9, 7, |x, y| image::Rgb([x as u8, y as u8, 9]));
            picture.save(folder.path().join(name)).unwrap();
        }
        let mut scans = Scans::default();
        for (work, layers) in [("last", 1), ("every", 62), ("curves", 1)] {
            let text = format!(
                r#"{{"work":"{work}","folder":{:?},"pictures":3,"batch":2,"size_px":32,
                "parts":2,"precision":"fp32","layout":"channels_last"}}"#,
                folder.path()
            );
            let answer = scans.answer(&serde_json::from_str(&text).unwrap()).unwrap();
            assert!(answer.seconds > 0.0);
            assert_eq!(answer.layers, layers);
        }
    }
}
