//! Small pictures and folders to test with.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use catscan_data::{
    BadImages, Colour, DataConfig, DataError, Dataset, Filter, RgbImage, SplitRule,
};
use image::ImageFormat;
use proptest::prelude::ProptestConfig;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

/// A small picture whose bytes depend on `seed`.
pub fn picture(seed: u32) -> RgbImage {
    let value = |x: u32, y: u32, c: u32| ((x * 7 + y * 3 + c * 40 + seed * 13) % 256) as u8;
    RgbImage::from_fn(24, 20, |x, y| image::Rgb([value(x, y, 0), value(x, y, 1), value(x, y, 2)]))
}

pub fn encode(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub fn jpeg(seed: u32) -> Vec<u8> {
    encode(&picture(seed), ImageFormat::Jpeg)
}

/// Writes a file and the folders above it.
pub fn put(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// A zip of the given files, stored or deflated.
pub fn zip_of(files: &[(String, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in files {
        writer.start_file(name.as_str(), options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

pub fn config(source: &str) -> DataConfig {
    DataConfig {
        source: source.into(),
        size_px: 8,
        filter: Filter::Nearest,
        centre_crop_of_px: None,
        colour: Colour::Rgb,
        split: SplitRule { ratio: [17, 4, 4], seed: 0 },
        train_fraction: 1.0,
        bad_images: BadImages::Fail,
        normalize: None,
        shuffle_window: None,
    }
}

pub fn open(source: &str, cache: &Path) -> Result<Dataset, DataError> {
    Dataset::open(&config(source), cache, &())
}

pub fn open_skipping(source: &str, cache: &Path) -> Result<Dataset, DataError> {
    let config = DataConfig { bad_images: BadImages::Skip, ..config(source) };
    Dataset::open(&config, cache, &())
}

/// Work done in it is done by so many threads.
pub fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

/// For `proptest_config`.
pub fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// `folder:PATH`.
pub fn folder(path: &Path) -> String {
    format!("folder:{}", path.display())
}

pub fn cats_vs_dogs(path: &Path) -> String {
    format!("cats-vs-dogs:{}", path.display())
}

pub fn names(dataset: &Dataset) -> Vec<&str> {
    dataset.samples.iter().map(|sample| sample.name.as_str()).collect()
}

/// Real pictures that are never committed: `CATSCAN_SHARED_DATA`, else `../shared/data` beside the
/// workspace. A test that does without them says so.
pub fn shared_data(what: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let root = std::env::var_os("CATSCAN_SHARED_DATA").map_or(beside, PathBuf::from);
    let path = root.join(what);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: no {what} under {}; set CATSCAN_SHARED_DATA", root.display());
    None
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}
