//! Feature maps and depth strips of a whole model.

use super::support::{model, pictures};
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
    let input = pictures(&[1, 3, 64, 64]);
    let figure = grid(&model, &input, &picture, &GridLayout::study()).unwrap();
    assert_eq!(figure.tiles.len(), 120);
    let names: HashSet<&str> = figure.tiles.iter().map(|tile| tile.tap.as_str()).collect();
    assert_eq!(names.len(), 120);
    assert_eq!((figure.tiles[0].number, figure.tiles[0].width), (1, 32));
    assert_eq!((figure.tiles[119].number, figure.tiles[119].width), (120, 2));
    assert!(figure.caption.contains("all 120 convolutions"));
    // 8 rows of tile, label and gap; 15 columns beside the input.
    assert_eq!(figure.image.dimensions(), (178 + 15 * 86, 6 + 8 * 102));
    let two = grid(&model, &pictures(&[2, 3, 64, 64]), &picture, &GridLayout::study());
    assert!(two.unwrap_err().to_string().contains("want [1, C, H, W]"));
}

#[test]
fn a_strip_of_a_model_has_a_column_for_the_input_and_each_block() {
    let model = model("densenet-mini", 1);
    let taps = model.block_names();
    let x = pictures(&[2, 3, 64, 64]);
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
