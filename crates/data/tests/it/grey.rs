//! Colour pictures as grey ones, and grey pictures as colour: the same set, another cache.

use catscan_data::{Colour, DataConfig, Dataset};
use tempfile::tempdir;

use crate::help::{config, encode, folder, picture, put};

#[test]
fn grey_is_the_luminance_of_the_same_drawings_with_the_same_evidence() {
    let cache = tempdir().unwrap();
    let rgb = DataConfig { size_px: 16, ..config("critters:6") };
    let grey = DataConfig { colour: Colour::Grey, ..rgb.clone() };
    let [rgb, grey] = [rgb, grey].map(|config| Dataset::open(&config, cache.path(), &()).unwrap());
    assert_eq!((rgb.channels(), grey.channels()), (3, 1));
    assert_eq!((&rgb.digest, &rgb.split), (&grey.digest, &grey.split));
    for i in 0..6 {
        assert_eq!(rgb.picture(i).unwrap().into_colour(Colour::Grey), grey.picture(i).unwrap());
        assert_eq!(grey.pixels(i).unwrap().len(), 16 * 16);
        assert_eq!(rgb.evidence(i).unwrap(), grey.evidence(i).unwrap());
    }
    assert_eq!(grey.gather(&[4, 1]).unwrap()[256..], *grey.pixels(1).unwrap());
    assert_eq!(std::fs::read_dir(cache.path().join("pixels")).unwrap().count(), 4, "and two locks");
}

#[test]
fn a_grey_file_is_repeated_for_a_network_that_sees_colour() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    for class in ["a", "b"] {
        for i in 0..3 {
            let grey = image::DynamicImage::from(picture(i)).to_luma8();
            let rgb = image::DynamicImage::from(grey).to_rgb8();
            let path = root.path().join(format!("{class}/{i}.png"));
            put(&path, &encode(&rgb, image::ImageFormat::Png));
        }
    }
    let open = |colour| {
        let config = DataConfig { colour, ..config(&folder(root.path())) };
        Dataset::open(&config, cache.path(), &()).unwrap()
    };
    let (rgb, grey) = (open(Colour::Rgb), open(Colour::Grey));
    for i in 0..6 {
        assert_eq!(grey.picture(i).unwrap().into_colour(Colour::Rgb), rgb.picture(i).unwrap());
        let shown = grey.picture(i).unwrap().into_shown();
        assert_eq!(*shown.as_raw(), *rgb.pixels(i).unwrap());
    }
}
