//! Feature maps: what each convolution of a network makes of one picture, as a grid in the order of
//! the forward pass. The pooling study drew the 120 convolutions of DenseNet-121 as 8 rows of 15,
//! one channel each, in viridis, every map by its own lowest and highest value; this is that
//! figure, with the input beside it and a number on every tile. [`channels()`] draws all channels
//! of one layer instead.

mod arms;
mod channels;

pub use arms::{below, beside};
pub use channels::{ChannelLayout, ChannelScale, Order, channels, channels_of};

use crate::VizError;
use crate::cam::{Look, values};
use crate::colormap::Colormap;
use crate::raster::{self, FAINT, Size, TEXT};
use catscan_models::Model;
use image::imageops::FilterType;
use image::{ImageBuffer, Luma, Rgb, RgbImage};
use tch::Tensor;

/// Pixels between tiles, and around the grid.
const GAP: u32 = 6;
/// Height of a tile's label.
const LABEL: u32 = 16;

/// Under the colour bar, where each map has its own scale.
const OF_EACH_MAP: &str = "of each map alone";

/// How the grid is laid out.
#[derive(Debug, Clone, PartialEq)]
pub struct GridLayout {
    /// Tiles in a row.
    pub columns: u32,
    /// A tile's side, pixels.
    pub tile_px: u32,
    /// The channel to draw of each convolution; the last one where there are fewer.
    pub channel: i64,
}

impl GridLayout {
    /// The study's figure: 15 wide (so 8 high for DenseNet-121), channel 0.
    pub fn study() -> GridLayout {
        GridLayout { columns: 15, tile_px: 80, channel: 0 }
    }
}

/// One tile: where it stands in the network, and what its colours mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Tile {
    /// From 1, in the order of the forward pass.
    pub number: u32,
    /// The convolution's name, a PyTorch module path.
    pub tap: String,
    /// The channel drawn, from 0.
    pub channel: i64,
    /// How many the convolution has.
    pub channels: i64,
    /// Rows of the map.
    pub height: u32,
    /// Columns of the map.
    pub width: u32,
    /// The value drawn darkest.
    pub min: f32,
    /// The value drawn brightest; equal to `min` where the channel is constant.
    pub max: f32,
}

/// The grid, its tiles and the words to print under it.
#[derive(Debug, Clone)]
pub struct FeatureGrid {
    /// Input and colour bar on the left, the tiles on the right.
    pub image: RgbImage,
    /// In the order of the forward pass.
    pub tiles: Vec<Tile>,
    /// What the figure shows and how to read it.
    pub caption: String,
}

/// Runs `input` `[1, C, H, W]` through `model` in Eval mode and draws every convolution's output.
/// `picture` is the input as a person sees it, shown beside the grid.
///
/// # Errors
/// When the model refuses the input, or a map holds NaN.
pub fn grid(
    model: &Model,
    input: &Tensor,
    picture: &RgbImage,
    layout: &GridLayout,
) -> Result<FeatureGrid, VizError> {
    one_picture(input)?;
    let look = Look::forward(model, input, &model.conv_names())?;
    grid_of(&look, 0, picture, layout)
}

/// The same of picture `n` of a batch that was looked at with all convolutions kept.
///
/// # Errors
/// When a map holds NaN.
pub fn grid_of(
    look: &Look,
    n: usize,
    picture: &RgbImage,
    layout: &GridLayout,
) -> Result<FeatureGrid, VizError> {
    let mut tiles = Vec::new();
    let mut images = Vec::new();
    for (i, tap) in look.model().conv_names().iter().enumerate() {
        let output = look.kept(tap).expect("all convolutions were kept");
        let [_, channels, height, width] = output.size()[..] else {
            continue;
        };
        let channel = layout.channel.clamp(0, channels - 1);
        let map = values(&output.get(n as i64).get(channel));
        let (min, max) = range(tap, &map)?;
        let (height, width) = (height as u32, width as u32);
        let (size, px) = ((width, height), layout.tile_px);
        images.push(tile(&map, size, (min, max), px, Colormap::Viridis));
        let (number, tap) = (i as u32 + 1, tap.to_owned());
        tiles.push(Tile { number, tap, channel, channels, height, width, min, max });
    }
    let image = compose(picture, &tiles, &images, layout);
    let caption = caption(&tiles, layout);
    Ok(FeatureGrid { image, tiles, caption })
}

/// Refuses a batch.
fn one_picture(input: &Tensor) -> Result<(), VizError> {
    match input.size().first() {
        Some(1) => Ok(()),
        _ => Err(VizError::Shape {
            place: "feature maps".to_owned(),
            got: format!("{:?}", input.size()),
            want: "[1, C, H, W]".to_owned(),
            next: "give one picture at a time",
        }),
    }
}

/// The lowest and highest value.
fn range(tap: &str, map: &[f32]) -> Result<(f32, f32), VizError> {
    let bad = map.iter().filter(|v| !v.is_finite()).count();
    if bad > 0 {
        let place = format!("feature map at {tap}");
        return Err(VizError::NotFinite { place, count: bad, total: map.len() });
    }
    let min = map.iter().copied().fold(f32::INFINITY, f32::min);
    let max = map.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    Ok((min, max))
}

/// A map in colours at the tile's size. Small maps are enlarged without smoothing, so that their
/// true resolution shows; large ones are averaged.
fn tile(
    map: &[f32],
    (width, height): (u32, u32),
    (min, max): (f32, f32),
    px: u32,
    colours: Colormap,
) -> RgbImage {
    let span = if max > min { max - min } else { 1.0 };
    let scaled: Vec<f32> = map.iter().map(|v| (v - min) / span).collect();
    let grey: ImageBuffer<Luma<f32>, _> =
        ImageBuffer::from_raw(width, height, scaled).expect("a map is height × width");
    let small = width.max(height) <= px;
    let filter = if small { FilterType::Nearest } else { FilterType::Triangle };
    let grey = image::imageops::resize(&grey, px, px, filter);
    RgbImage::from_fn(px, px, |x, y| Rgb(colours.colour(grey.get_pixel(x, y)[0])))
}

/// Input and colour bar on the left, the grid on the right.
fn compose(
    picture: &RgbImage,
    tiles: &[Tile],
    images: &[RgbImage],
    layout: &GridLayout,
) -> RgbImage {
    let px = layout.tile_px;
    let (step_x, step_y) = (px + GAP, px + LABEL + GAP);
    let side = 2 * step_x;
    let rows = (tiles.len() as u32).div_ceil(layout.columns).max(3);
    let mut on = raster::canvas(side + GAP + layout.columns * step_x, GAP + rows * step_y);
    raster::label(&mut on, GAP, GAP, "input", TEXT, Size::Small);
    let shown = image::imageops::resize(picture, side - GAP, side - GAP, FilterType::Triangle);
    image::imageops::replace(&mut on, &shown, GAP.into(), (GAP + LABEL).into());
    let at = (GAP, side + LABEL + 3 * GAP);
    colour_bar(&mut on, at, side - GAP, Colormap::Viridis, OF_EACH_MAP);
    for (i, (tile, image)) in tiles.iter().zip(images).enumerate() {
        let x = side + GAP + i as u32 % layout.columns * step_x;
        let y = GAP + i as u32 / layout.columns * step_y;
        let text = format!("{} {}", tile.number, short_name(&tile.tap));
        let number = tile.number.to_string();
        let limit = Size::Small.fitting(step_x - 2);
        raster::label(&mut on, x, y, &raster::cut(&text, limit), FAINT, Size::Small);
        raster::label(&mut on, x, y, &number, TEXT, Size::Small);
        image::imageops::replace(&mut on, image, x.into(), (y + LABEL).into());
    }
    on
}

/// A bar of `width` with its words; `of_each` says whose lowest and highest value its ends are.
fn colour_bar(
    on: &mut RgbImage,
    (left, top): (u32, u32),
    width: u32,
    colours: Colormap,
    of_each: &str,
) {
    for x in 0..width {
        let colour = Rgb(colours.colour(x as f32 / (width - 1).max(1) as f32));
        for y in 0..12 {
            on.put_pixel(left + x, top + y, colour);
        }
    }
    let (y, high) = (top + 15, "highest");
    raster::label(on, left, y, "lowest", FAINT, Size::Small);
    let x = left + width - high.len() as u32 * Size::Small.cell().0;
    raster::label(on, x, y, high, FAINT, Size::Small);
    raster::label(on, left, y + 16, of_each, FAINT, Size::Small);
}

/// A tap's place in few letters: `features.denseblock2.denselayer5.conv1` is `b2.5.1`, the first
/// convolution is `stem`, a transition's is `t1`, `layer1.0.conv2` is `layer1.0.2`.
fn short_name(tap: &str) -> String {
    let name = tap.strip_prefix("features.").unwrap_or(tap);
    if name == "conv0" || name == "conv1" {
        return "stem".to_owned();
    }
    let parts = name.split('.').map(|part| {
        part.replace("denseblock", "b")
            .replace("denselayer", "")
            .replace("transition", "t")
            .replace("conv", "")
    });
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
}

fn caption(tiles: &[Tile], layout: &GridLayout) -> String {
    let flat = tiles.iter().filter(|tile| tile.min == tile.max).count();
    let flat = match flat {
        0 => "No map is constant.".to_owned(),
        n => {
            format!("{n} of them are constant, one colour all over: these channels are dead here.")
        }
    };
    format!(
        "The outputs of all {} convolutions for one picture, channel {} of each, in the order of \
         the forward pass{}. Every map is coloured by its own lowest and highest value, so \
         brightness must not be compared between tiles. {flat} Look at how long the outline of \
         what the picture shows survives.",
        tiles.len(),
        layout.channel,
        legend(tiles),
    )
}

/// What short names stand for: the first of each kind, in brackets; nothing where none is short.
fn legend(tiles: &[Tile]) -> String {
    let mut kinds: Vec<String> = Vec::new();
    let mut words: Vec<String> = Vec::new();
    for Tile { tap, .. } in tiles {
        let short = short_name(tap);
        let kind = short.replace(|c: char| c.is_ascii_digit() || c == '.', "");
        if short != *tap && !kinds.contains(&kind) {
            words.push(format!("{short} is {tap}"));
            kinds.push(kind);
        }
    }
    if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_short() {
        assert_eq!(short_name("features.conv0"), "stem");
        assert_eq!(short_name("features.denseblock2.denselayer5.conv1"), "b2.5.1");
        assert_eq!(short_name("features.transition3.conv"), "t3");
        assert_eq!(short_name("layer1.0.conv2"), "layer1.0.2");
        assert_eq!(short_name("conv1"), "stem");
    }

    #[test]
    fn the_caption_explains_the_names_of_this_network_and_of_no_other() {
        let tile = |tap: &&str| Tile {
            number: 1,
            tap: (*tap).to_owned(),
            channel: 0,
            channels: 1,
            height: 1,
            width: 1,
            min: 0.0,
            max: 1.0,
        };
        let of = |taps: &[&str]| legend(&taps.iter().map(tile).collect::<Vec<_>>());
        let dense = [
            "features.conv0",
            "features.denseblock1.denselayer1.conv1",
            "features.denseblock1.denselayer1.conv2",
            "features.transition1.conv",
        ];
        assert_eq!(
            of(&dense),
            " (stem is features.conv0, b1.1.1 is features.denseblock1.denselayer1.conv1, t1 is \
             features.transition1.conv)"
        );
        let residual = ["conv1", "layer1.0.conv1", "layer2.0.conv1", "layer2.0.downsample.0"];
        assert_eq!(of(&residual), " (stem is conv1, layer1.0.1 is layer1.0.conv1)");
        assert_eq!(of(&["layer2.0.downsample.0"]), "");
    }

    #[test]
    fn a_tile_spans_all_of_viridis_and_a_constant_one_is_flat() {
        let spread = tile(&[-3.0, 0.0, 0.0, 5.0], (2, 2), (-3.0, 5.0), 8, Colormap::Viridis);
        assert_eq!(spread.get_pixel(0, 0).0, Colormap::Viridis.colour(0.0));
        assert_eq!(spread.get_pixel(7, 7).0, Colormap::Viridis.colour(1.0));
        let flat = tile(&[2.0; 4], (2, 2), (2.0, 2.0), 8, Colormap::Viridis);
        assert!(flat.pixels().all(|p| p.0 == Colormap::Viridis.colour(0.0)));
    }

    #[test]
    fn a_map_that_holds_nan_is_refused() {
        let error = range("features.conv0", &[0.0, f32::NAN]).unwrap_err();
        assert!(error.to_string().contains("1 of 2 values"), "{error}");
        assert_eq!(error.exit_code(), 5);
    }
}
