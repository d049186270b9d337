//! What each network makes of a batch of pictures: one forward and, where gradients are wanted, one
//! backward, from which probabilities, maps, feature maps and channels come.

use std::path::Path;

use anyhow::{Context, Result};
use catscan_data::RgbImage;
use catscan_models::check_answer;
use catscan_train::metrics::predicted;
use catscan_viz::batch_size::to_explain;
use catscan_viz::cam::{CamRow, Look, Map};
use catscan_viz::feature_maps::{FeatureGrid, GridLayout, channels_of, grid_of};
use tch::Tensor;

use super::masks::{Mask, OnMask};
use super::networks::{Network, Networks};
use super::{Args, opened};

/// A picture, ready for every network.
pub struct Picture<'a> {
    path: &'a Path,
    /// One a network.
    ready: Vec<Ready>,
}

/// A picture as one network sees it.
struct Ready {
    /// As a person sees it.
    shown: RgbImage,
    /// `[1, C, H, W]`.
    x: Tensor,
    mask: Option<Mask>,
}

impl Picture<'_> {
    /// Reads it and, with `--masks`, its mask.
    ///
    /// # Errors
    /// Where either cannot be used.
    pub fn open<'a>(args: &Args, path: &'a Path, networks: &Networks) -> Result<Picture<'a>> {
        let rgb = opened(path)?;
        let ready = |network: &Network| {
            let trained = &network.trained;
            let of = |masks| Mask::open(masks, &args.pictures, path, &rgb, trained);
            let mask = args.masks.as_deref().map(of).transpose()?;
            let (picture, x) = trained.input(rgb.clone());
            Ok(Ready { shown: picture.into_shown(), x, mask })
        };
        Ok(Picture { path, ready: networks.all.iter().map(ready).collect::<Result<_>>()? })
    }
}

/// What all networks made of one picture.
pub struct PictureViews<'a> {
    pub path: &'a Path,
    /// One a network.
    pub by: Vec<NetworkView<'a>>,
}

/// What one network made of it: plain data, so that it can be drawn on any thread.
pub struct NetworkView<'a> {
    pub network: &'a str,
    /// What went in, as a person sees it.
    pub shown: &'a RgbImage,
    /// What the maps speak for, and its probability.
    pub class: &'a str,
    pub probability: f32,
    /// What the network says is on it, and its probability.
    pub predicted: &'a str,
    pub predicted_probability: f32,
    /// One map a tap.
    pub taps: Vec<String>,
    pub maps: Vec<Map>,
    pub features: FeatureGrid,
    pub channels: Option<FeatureGrid>,
    pub on_mask: Option<OnMask>,
}

/// How many pictures go through all networks together.
pub fn at_once(networks: &Networks) -> usize {
    let side = |network: &Network| network.trained.recipe.data.size_px as usize;
    let largest = networks.all.iter().map(side).max().unwrap_or(1);
    to_explain(largest * largest)
}

/// Asks every network, a pass each.
///
/// # Errors
/// A tap that is not a map or not one for the method, a picture a network refuses, NaN.
pub fn look<'a>(
    args: &Args,
    method: &CamRow,
    networks: &'a Networks,
    pictures: &'a [Picture],
) -> Result<Vec<PictureViews<'a>>> {
    let none = |picture: &'a Picture| PictureViews { path: picture.path, by: Vec::new() };
    let mut all: Vec<PictureViews> = pictures.iter().map(none).collect();
    for place in 0..networks.all.len() {
        let seen = one_network(args, method, networks, place, pictures)?;
        all.iter_mut().zip(seen).for_each(|(picture, by)| picture.by.push(by));
    }
    Ok(all)
}

fn one_network<'a>(
    args: &Args,
    method: &CamRow,
    networks: &'a Networks,
    place: usize,
    pictures: &'a [Picture],
) -> Result<Vec<NetworkView<'a>>> {
    let Network { name, trained, taps, class } = &networks.all[place];
    let ready: Vec<&Ready> = pictures.iter().map(|picture| &picture.ready[place]).collect();
    let x: Vec<&Tensor> = ready.iter().map(|ready| &ready.x).collect();
    let x = Tensor::cat(&x, 0).to_device(networks.device);
    let channels = args.channels.tap();
    let mut kept = [taps.clone(), trained.model.conv_names()].concat();
    kept.extend(channels.map(str::to_owned));
    // Where a gradient is wanted.
    let mut at = if method.is_one_pass() { taps.clone() } else { Vec::new() };
    if let Some(tap) = args.channels.weighed().map(str::to_owned).filter(|tap| !at.contains(tap)) {
        at.push(tap);
    }
    let look = match at.is_empty() {
        true => Look::forward(&trained.model, &x, &kept)?,
        false => Look::with_gradients(&trained.model, &x, &kept)?,
    };
    let shares = look.probabilities();
    for (picture, shares) in pictures.iter().zip(&shares) {
        let place = || format!("what {name} says of {}", picture.path.display());
        check_answer(shares).with_context(place)?;
    }
    let said: Vec<usize> = shares.iter().map(|shares| predicted(shares) as usize).collect();
    let classes: Vec<usize> = said.iter().map(|said| class.unwrap_or(*said)).collect();
    let choice = classes.iter().map(|class| *class as i64).collect();
    let asked = look.for_classes(method.gradient_of(), &[choice], &at)?.remove(0);
    let mut cams = asked.maps(method, taps)?;
    if let Some(share) = args.threshold {
        cams.cut_below(share);
    }
    let one = |n: usize| {
        let Ready { shown, mask, .. } = ready[n];
        let layout = args.channels.layout(networks.all.len(), classes[n])?;
        let channels = channels.map(|tap| channels_of(&asked, n, shown, tap, &layout));
        Ok(NetworkView {
            network: name,
            shown,
            class: &trained.classes[classes[n]],
            probability: shares[n][classes[n]],
            predicted: &trained.classes[said[n]],
            predicted_probability: shares[n][said[n]],
            taps: cams.taps.iter().map(|maps| maps.tap.clone()).collect(),
            maps: cams.of_picture(n),
            features: grid_of(&look, n, shown, &GridLayout::study())?,
            channels: channels.transpose()?,
            on_mask: mask.as_ref().map(|mask| mask.under(&cams, n)).transpose()?,
        })
    };
    (0..pictures.len()).map(one).collect()
}
