//! What is in a set of pictures, without libtorch: an audit and one picture decoded strictly.
//!
//!     cargo run --release -p catscan-data --no-default-features --example look_into_a_folder
//!     cargo run --release -p catscan-data --no-default-features --example look_into_a_folder -- \
//!         folder:PATH [PICTURE]
//!
//! Takes any source of `catscan_data::SOURCES`; writes the oddest pictures to oddest.png in the
//! system's folder for temporary files.

use std::error::Error;
use std::path::Path;

use catscan_data::audit::audit;
use catscan_data::{BadImages, Colour, DataConfig, Filter, SplitRule, decode, default_cache_dir};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let config = DataConfig {
        source: arguments.next().unwrap_or_else(|| "critters:200".into()),
        size_px: 64,
        filter: Filter::Bilinear,
        centre_crop_of_px: None,
        colour: Colour::Rgb,
        split: SplitRule { ratio: [17, 4, 4], seed: 0 },
        train_fraction: 1.0,
        bad_images: BadImages::Skip,
        normalize: None,
        shuffle_window: None,
    };
    if let Some(picture) = arguments.next() {
        match decode::open_rgb(Path::new(&picture)) {
            Ok(rgb) => println!("{picture}: whole, {} x {} pixels", rgb.width(), rgb.height()),
            Err(bad) => println!("{bad}"),
        }
    }
    let (audit, sheet) = audit(&config, &default_cache_dir(), &())?;
    let path = std::env::temp_dir().join("oddest.png");
    std::fs::write(&path, sheet.png())?;
    println!("{}", audit.markdown(&path.display().to_string()));
    println!("{} leaks, {} contradictions", audit.leaks(), audit.contradictions());
    Ok(())
}
