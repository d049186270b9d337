//! How fast each filter is: pictures a second, decoded before, on one thread, to 64 and to 224 px;
//! beside it what the resizer does by itself in bytes, which for `bicubic` and `lanczos` is another
//! result (see `resize`).
//!
//!     cargo run --release -p catscan-data --example filters -- FOLDER   # FOLDER/class/picture.jpg
//!
//! Of the first 200 pictures by name; the medians of five rounds, in which all take turns.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use catscan_data::colour::Raster;
use catscan_data::{Filter, decode, resize};
use fast_image_resize::images::TypedImage;
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

const PICTURES: usize = 200;
const ROUNDS: usize = 5;
const SIDES_PX: [u32; 2] = [64, 224];
const FILTERS: [(Filter, FilterType); 3] = [
    (Filter::Bilinear, FilterType::Bilinear),
    (Filter::Bicubic, FilterType::CatmullRom),
    (Filter::Lanczos, FilterType::Lanczos3),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("which folder of class/picture.jpg?")?;
    let mut files = Vec::new();
    for class in std::fs::read_dir(folder)? {
        files.extend(below(&class?.path())?);
    }
    files.sort();
    let read = files.iter().filter_map(|file| decode::open_rgb(file).ok());
    let pictures: Vec<Raster> = read.take(PICTURES).map(Raster::from).collect();
    if pictures.is_empty() {
        return Err("no picture in class/picture.jpg".into());
    }
    println!("{} pictures\n", pictures.len());
    println!("| filter | to 64 px, pictures/s | in bytes | to 224 px, pictures/s | in bytes |");
    println!("|---|---|---|---|---|");
    let mut resizer = Resizer::new();
    for (filter, kernel) in FILTERS {
        let mut cells = Vec::new();
        for side in SIDES_PX {
            let (mut ours, mut bytes) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                ours.push(seconds(&pictures, |p| {
                    black_box(resize::squash(p, side, filter));
                }));
                bytes.push(seconds(&pictures, |p| {
                    black_box(in_bytes(&mut resizer, p, side, kernel));
                }));
            }
            cells.extend([ours, bytes].map(|mut seconds| {
                seconds.sort_by(f64::total_cmp);
                format!("{:.0}", pictures.len() as f64 / seconds[ROUNDS / 2])
            }));
        }
        println!("| `{}` | {} |", filter.name(), cells.join(" | "));
    }
    Ok(())
}

fn below(class: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !class.is_dir() {
        return Ok(Vec::new());
    }
    std::fs::read_dir(class)?.map(|file| Ok(file?.path())).collect()
}

fn seconds(pictures: &[Raster], mut work: impl FnMut(&Raster)) -> f64 {
    let began = Instant::now();
    pictures.iter().for_each(|picture| work(black_box(picture)));
    began.elapsed().as_secs_f64()
}

fn in_bytes(resizer: &mut Resizer, picture: &Raster, side: u32, kernel: FilterType) -> Vec<u8> {
    let mut from = picture.pixels().to_vec();
    let source = TypedImage::<U8x3>::from_buffer(picture.width(), picture.height(), &mut from)
        .expect("width x height x 3 bytes");
    let mut to = vec![0; (side * side * 3) as usize];
    let mut target = TypedImage::<U8x3>::from_buffer(side, side, &mut to).expect("as many bytes");
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(kernel));
    resizer.resize_typed(&source, &mut target, &options).expect("neither is empty");
    to
}
