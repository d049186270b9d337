//! Feature maps and depth strips of a whole model.

use super::support::{model, pictures};
use catscan_data::{Colour, Raster};
use catscan_models::{Model, ModelConfig};
use catscan_viz::cam::grad_cam;
use catscan_viz::feature_maps::{GridLayout, grid};
use catscan_viz::overlay::overlay;
use catscan_viz::strip::{ScaleRule, StripArm, StripRow, strip};
use image::{Rgb, RgbImage};
use std::collections::HashSet;

#[test]
fn densenet121_fills_15_by_8_tiles_with_all_its_convolutions() {
    let model = model("densenet121", 1);
    let picture = RgbImage::from_pixel(64, 64, Rgb([120, 90, 60]));
    let input = pictures([1, 3, 64, 64]);
    let figure = grid(&model, &input, &picture, &GridLayout::study()).unwrap();
    assert_eq!(figure.tiles.len(), 120);
    let names: HashSet<&str> = figure.tiles.iter().map(|tile| tile.tap.as_str()).collect();
    assert_eq!(names.len(), 120);
    assert_eq!((figure.tiles[0].number, figure.tiles[0].width), (1, 32));
    assert_eq!((figure.tiles[119].number, figure.tiles[119].width), (120, 2));
    assert!(figure.caption.contains("all 120 convolutions"));
    // 8 rows of tile, label and gap; 15 columns beside the input.
    assert_eq!(figure.image.dimensions(), (178 + 15 * 86, 6 + 8 * 102));
    let two = grid(&model, &pictures([2, 3, 64, 64]), &picture, &GridLayout::study());
    assert!(two.unwrap_err().to_string().contains("want [1, C, H, W]"));
}

#[test]
fn a_strip_of_a_model_has_a_column_for_the_input_and_each_block() {
    let model = model("densenet-mini", 1);
    let taps = model.block_names();
    let x = pictures([2, 3, 64, 64]);
    let cams = grad_cam(&model, &x, &[0, 1], &taps).unwrap();
    let picture = RgbImage::from_pixel(64, 64, Rgb([120, 90, 60]));
    let row = |n: usize| StripRow {
        label: vec!["right cat".to_owned()],
        picture: picture.clone(),
        maps: cams.of_picture(n),
    };
    let arm = StripArm { name: "avg".to_owned(), rows: vec![row(0), row(1)] };
    let image = strip(&[arm], &taps, ScaleRule::EachMap).unwrap();
    assert_eq!(image.width(), 162 + 7 * 134 + 6);
    let map = &cams.taps[0].maps[0];
    let hot = overlay(&picture, map, map.largest());
    let coloured = hot.pixels().filter(|p| p[0] != p[2]).count();
    assert!(coloured > 0, "a map with positive places shows heat");
}

#[test]
fn a_network_that_sees_grey_is_drawn_beside_the_picture_it_saw() {
    let config = ModelConfig { in_channels: 1, ..model("densenet-mini", 1).config().clone() };
    let model = Model::build(&config, 7, tch::Device::Cpu).unwrap();
    let taps = model.block_names();
    let x = pictures([1, 1, 32, 32]);
    let grey: Vec<u8> = Vec::try_from((&x * 255.0).to_kind(tch::Kind::Uint8).view(-1)).unwrap();
    let picture = Raster::new(32, 32, Colour::Grey, grey).into_shown();
    let maps = grad_cam(&model, &x, &[1], &taps).unwrap().of_picture(0);
    let hot = overlay(&picture, &maps[0], 0.0);
    assert_eq!(hot, picture, "without heat it is the picture itself");
    let figure = grid(&model, &x, &picture, &GridLayout::study()).unwrap();
    assert_eq!(figure.tiles.len(), model.conv_names().len());
    let label = vec!["right 7".to_owned()];
    let arm = StripArm { name: "grey".to_owned(), rows: vec![StripRow { label, picture, maps }] };
    assert!(strip(&[arm], &taps, ScaleRule::EachMap).unwrap().width() > 162);
}
