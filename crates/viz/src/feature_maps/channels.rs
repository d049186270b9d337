//! All channels of one tap: what a layer has found in a picture, channel by channel, strongest
//! first. "Strong" is either how much a channel answers (the mean of its activation over places) or
//! how much it speaks for a class (its Grad-CAM weight: the mean over places of the gradient of the
//! class's score, Selvaraju et al. 2017, equation 1; at the last block of a network whose head
//! averages that is the classifier's weight, divided by the number of places).

use super::{FeatureGrid, GAP, LABEL, OF_EACH_MAP, Tile, colour_bar, range, short_name, tile};
use crate::VizError;
use crate::cam::{ForClasses, GradientOf, Look, values};
use crate::colormap::Colormap;
use crate::raster::{self, FAINT, Size, TEXT};
use catscan_models::Model;
use image::RgbImage;
use tch::{Kind, Tensor};

/// In which order channels stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As the layer numbers them.
    Number,
    /// The largest mean activation first.
    Activation,
    /// The largest weight for this class first; those against it last.
    Weight {
        /// As the network numbers them.
        class: i64,
    },
}

impl Order {
    /// Whether a tap's gradient is wanted beside its activation.
    pub fn needs_gradient(self) -> bool {
        matches!(self, Order::Weight { .. })
    }
}

/// What the ends of the colours mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelScale {
    /// Each channel's own lowest and highest value: shows where.
    Own,
    /// The lowest and highest value of the row it stands in: also shows how much.
    Row,
}

/// How the channels are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelLayout {
    /// Tiles in a row.
    pub columns: u32,
    /// A tile's side, pixels.
    pub tile_px: u32,
    /// The first is at the upper left.
    pub order: Order,
    /// One scale a row, or each tile its own.
    pub scale: ChannelScale,
    /// Of the tiles.
    pub colormap: Colormap,
    /// At most so many are drawn, the first ones in order; the caption says how many there are.
    pub most: usize,
}

/// Runs `input` `[1, C, H, W]` through `model` in Eval mode and draws the channels at `tap`.
/// `picture` is the input as a person sees it, shown beside them.
///
/// # Errors
/// An unknown tap or class, a tap that is not a map, a picture the model refuses, or NaN in a map.
pub fn channels(
    model: &Model,
    input: &Tensor,
    picture: &RgbImage,
    tap: &str,
    layout: &ChannelLayout,
) -> Result<FeatureGrid, VizError> {
    super::one_picture(input)?;
    let taps = [tap.to_owned()];
    let (look, class) = match layout.order {
        Order::Weight { class } => (Look::with_gradients(model, input, &taps)?, class),
        Order::Number | Order::Activation => (Look::forward(model, input, &taps)?, 0),
    };
    let at: &[String] = if layout.order.needs_gradient() { &taps } else { &[] };
    let asked = look.for_classes(GradientOf::Score, &[vec![class]], at)?.remove(0);
    channels_of(&asked, 0, picture, tap, layout)
}

/// The same of picture `n` of a batch that was looked at with this tap kept. Weights are those for
/// the class that was asked of it, whatever class the layout names; for them the tap's gradient
/// must have been asked for.
///
/// # Errors
/// A tap that is not a map, or NaN in a map.
pub fn channels_of(
    asked: &ForClasses,
    n: usize,
    picture: &RgbImage,
    tap: &str,
    layout: &ChannelLayout,
) -> Result<FeatureGrid, VizError> {
    let activation = asked.look().activation(tap)?.get(n as i64); // [C, h, w]
    let over_places = |x: &Tensor| values(&x.mean_dim([1i64, 2].as_slice(), false, Kind::Float));
    let strengths = match layout.order.needs_gradient() {
        true => over_places(&asked.gradient(tap).get(n as i64)),
        false => over_places(&activation),
    };
    let mut order: Vec<usize> = (0..strengths.len()).collect();
    if layout.order != Order::Number {
        // Stable: of equals the lower number comes first.
        order.sort_by(|a, b| strengths[*b].total_cmp(&strengths[*a]));
    }
    order.truncate(layout.most);
    let size = activation.size();
    let (height, width) = (size[1] as u32, size[2] as u32);
    let maps: Vec<Vec<f32>> =
        order.iter().map(|channel| values(&activation.get(*channel as i64))).collect();
    let mut ranges = maps.iter().map(|map| range(tap, map)).collect::<Result<Vec<_>, _>>()?;
    if layout.scale == ChannelScale::Row {
        share_by_row(&mut ranges, layout.columns as usize);
    }
    let tile_of = |(i, channel): (usize, &usize)| Tile {
        number: i as u32 + 1,
        tap: tap.to_owned(),
        channel: *channel as i64,
        channels: size[0],
        height,
        width,
        min: ranges[i].0,
        max: ranges[i].1,
    };
    let tiles: Vec<Tile> = order.iter().enumerate().map(tile_of).collect();
    let images: Vec<RgbImage> = (maps.iter().zip(&ranges))
        .map(|(map, ends)| tile(map, (width, height), *ends, layout.tile_px, layout.colormap))
        .collect();
    let strengths: Vec<f32> = order.iter().map(|channel| strengths[*channel]).collect();
    let image = compose(picture, &tiles, &images, &strengths, layout);
    let caption = caption(&tiles, size[0], layout);
    Ok(FeatureGrid { image, tiles, caption })
}

/// Every tile's ends become those of its row.
fn share_by_row(ranges: &mut [(f32, f32)], columns: usize) {
    for row in ranges.chunks_mut(columns.max(1)) {
        let low = row.iter().map(|ends| ends.0).fold(f32::INFINITY, f32::min);
        let high = row.iter().map(|ends| ends.1).fold(f32::NEG_INFINITY, f32::max);
        row.fill((low, high));
    }
}

/// Input and colour bar above, the channels below, so that grids of several arms stand well side
/// by side.
fn compose(
    picture: &RgbImage,
    tiles: &[Tile],
    images: &[RgbImage],
    strengths: &[f32],
    layout: &ChannelLayout,
) -> RgbImage {
    let px = layout.tile_px;
    let (step_x, step_y) = (px + GAP, px + LABEL + GAP);
    let head = LABEL + 2 * px + 2 * GAP;
    let rows = (tiles.len() as u32).div_ceil(layout.columns).max(1);
    let width = GAP + layout.columns.max(4) * step_x;
    let mut on = raster::canvas(width, GAP + head + rows * step_y);
    raster::label(&mut on, GAP, GAP, "input", TEXT, Size::Small);
    let filter = image::imageops::FilterType::Triangle;
    let shown = image::imageops::resize(picture, 2 * px, 2 * px, filter);
    image::imageops::replace(&mut on, &shown, GAP.into(), (GAP + LABEL).into());
    let bar = width - 2 * px - 3 * GAP;
    let of_each = match layout.scale {
        ChannelScale::Own => OF_EACH_MAP,
        ChannelScale::Row => "of each row",
    };
    colour_bar(&mut on, (2 * px + 2 * GAP, GAP + LABEL), bar, layout.colormap, of_each);
    for (i, (tile, image)) in tiles.iter().zip(images).enumerate() {
        let x = GAP + i as u32 % layout.columns * step_x;
        let y = GAP + head + i as u32 / layout.columns * step_y;
        let number = format!("{}", tile.channel);
        let limit = Size::Small.fitting(px);
        let text = raster::cut(&format!("{number} {}", signed(strengths[i])), limit);
        raster::label(&mut on, x, y, &text, FAINT, Size::Small);
        raster::label(&mut on, x, y, &raster::cut(&number, limit), TEXT, Size::Small);
        image::imageops::replace(&mut on, image, x.into(), (y + LABEL).into());
    }
    on
}

/// In as few characters as a tile has room for.
fn signed(value: f32) -> String {
    match value.abs() {
        v if v >= 10.0 => format!("{value:+.0}"),
        v if v >= 0.01 => format!("{value:+.2}"),
        0.0 => "0".to_owned(),
        _ => format!("{value:+.0e}"),
    }
}

fn caption(tiles: &[Tile], all: i64, layout: &ChannelLayout) -> String {
    let tap = tiles.first().map_or("", |tile| &tile.tap);
    let (height, width) = tiles.first().map_or((0, 0), |tile| (tile.height, tile.width));
    let order = match layout.order {
        Order::Number => "in the layer's own order; beside the number the mean activation",
        Order::Activation => "the largest mean activation first; it stands beside the number",
        Order::Weight { .. } => {
            "the largest weight for the class first (Grad-CAM's: the mean of the gradient); it \
             stands beside the number, and below zero the channel speaks against the class"
        }
    };
    let scale = match layout.scale {
        ChannelScale::Own => {
            "Every map is coloured by its own lowest and highest value, so brightness must not be \
             compared between tiles."
        }
        ChannelScale::Row => {
            "The maps of a row share one scale, from the row's lowest to its highest value: \
             brightness may be compared within a row, not between rows."
        }
    };
    let flat = tiles.iter().filter(|tile| tile.min == tile.max).count();
    let flat = if flat > 0 { format!(" {flat} are constant.") } else { String::new() };
    format!(
        "{} of {all} channels of {tap} ({}), {height} × {width} places each, {order}. {scale}{flat}",
        tiles.len(),
        short_name(tap),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::belief::testing;
    use catscan_models::Mode;

    const LAYOUT: ChannelLayout = ChannelLayout {
        columns: 4,
        tile_px: 24,
        order: Order::Activation,
        scale: ChannelScale::Own,
        colormap: Colormap::Inferno,
        most: 7,
    };

    fn drawn(layout: ChannelLayout, tap: &str) -> FeatureGrid {
        let picture = RgbImage::new(32, 32);
        channels(&testing::network(), &testing::pictures(1), &picture, tap, &layout).unwrap()
    }

    #[test]
    fn the_strongest_channels_come_first() {
        let tap = "features.denseblock2";
        let model = testing::network();
        let mut taps = model.taps(&[tap]).unwrap();
        let _ = tch::no_grad(|| model.forward(&testing::pictures(1), Mode::Eval, &mut taps));
        let means = taps.get(tap).unwrap().mean_dim([0i64, 2, 3].as_slice(), false, Kind::Float);
        let means = values(&means);
        let tiles = drawn(LAYOUT, tap).tiles;
        assert_eq!(tiles.len(), 7);
        let drawn: Vec<f32> = tiles.iter().map(|tile| means[tile.channel as usize]).collect();
        assert!(drawn.windows(2).all(|pair| pair[0] >= pair[1]), "{drawn:?}");
        let left_out = (0..means.len()).filter(|c| !tiles.iter().any(|t| t.channel == *c as i64));
        assert!(left_out.into_iter().all(|channel| means[channel] <= drawn[6]));
    }

    /// The head averages, so a channel's weight is the classifier's over the places where the last
    /// ReLU lets it through; the other class turns the order round.
    #[test]
    fn weights_are_the_classs_own() {
        let order = |class| {
            let layout = ChannelLayout { order: Order::Weight { class }, most: 999, ..LAYOUT };
            let tiles = drawn(layout, "features.denseblock4").tiles;
            tiles.iter().map(|tile| tile.channel).collect::<Vec<_>>()
        };
        let (dog, mut cat) = (order(1), order(0));
        assert_ne!(dog, cat);
        cat.reverse();
        assert_eq!(dog.first(), cat.first());
        assert_eq!(dog.last(), cat.last());
        let layout = ChannelLayout { order: Order::Weight { class: 5 }, ..LAYOUT };
        let picture = RgbImage::new(32, 32);
        let tap = "features.denseblock4";
        let (model, x) = (testing::network(), testing::pictures(1));
        let error = channels(&model, &x, &picture, tap, &layout).unwrap_err();
        assert!(error.to_string().contains("class 5"), "{error}");
    }

    #[test]
    fn the_tiles_of_a_row_share_a_scale_when_asked_to_and_the_caption_says_so() {
        let tap = "features.denseblock2";
        let own = drawn(LAYOUT, tap);
        let shared = drawn(ChannelLayout { scale: ChannelScale::Row, ..LAYOUT }, tap);
        let ends = |tile: &Tile| (tile.min, tile.max);
        assert!(shared.tiles[..4].iter().all(|tile| ends(tile) == ends(&shared.tiles[0])));
        assert_ne!(ends(&shared.tiles[0]), ends(&shared.tiles[4]));
        assert_ne!(ends(&own.tiles[0]), ends(&own.tiles[1]));
        assert!(shared.caption.contains("share one scale"), "{}", shared.caption);
        assert!(own.caption.contains("its own lowest"), "{}", own.caption);
        assert_ne!(own.image, shared.image);
    }
}
