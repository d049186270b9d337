//! What a set costs by its size: pictures a second and memory, for sets made up on the spot.
//!
//!     cargo run --release -p catscan-data --example scale                       # 10^3 to 10^5
//!     cargo run --release -p catscan-data --example scale -- 1000 1000000 --in FOLDER
//!
//! Each size is a folder of tar shards of 10,000 small JPEGs, all different, in two classes, about
//! 2 GB for a million; it is removed afterwards. Each row is a process of its own: it opens the set
//! (lists it, decodes every picture once, writes the cache), then goes through one pass in batches
//! of 64, shuffled by shard and window; from a memory map, and streamed from the shards. `own` is
//! the most memory that is the process's own at any time (RssAnon, looked at every 10 ms, Linux
//! only): maps of files are the system's cache and are given back when others need room.

use std::fs::File;
use std::io::{BufWriter, Cursor};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use catscan_data::{
    BadImages, Colour, DataConfig, Dataset, Filter, Placement, RgbImage, SplitRule, order,
};
use image::codecs::jpeg::JpegEncoder;
use rayon::prelude::*;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const SHARD: usize = 10_000;
const SIDE_PX: u32 = 32;
const BATCH: usize = 64;
const WINDOW: u32 = 20_000;

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [first, placement, shards, cache] = &words[..]
        && first == "measure"
    {
        return measure(placement, Path::new(shards), Path::new(cache));
    }
    let (sizes, place) = asked(&words)?;
    println!("| pictures | pixels in | opened, pictures/s | a pass, pictures/s | own memory, MB |");
    println!("|---|---|---|---|---|");
    for size in sizes {
        let folder = tempfile::tempdir_in(&place)?;
        let shards = folder.path().join("shards");
        make(&shards, size)?;
        for placement in ["mapped", "streamed"] {
            let cache = tempfile::tempdir_in(&place)?;
            let status = Command::new(std::env::current_exe()?)
                .args(["measure", placement])
                .args([&shards, cache.path()])
                .status()?;
            if !status.success() {
                return Err(format!("{size} pictures, {placement}: {status}").into());
            }
        }
    }
    Ok(())
}

/// Sizes, and the folder to work in.
fn asked(words: &[String]) -> Outcome<(Vec<usize>, PathBuf)> {
    let (mut sizes, mut place) = (Vec::new(), std::env::temp_dir());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--in" => place = words.next().ok_or("--in: want a folder")?.into(),
            number => sizes.push(number.parse().map_err(|_| format!("{number}: want a number"))?),
        }
    }
    if sizes.is_empty() {
        sizes = vec![1_000, 10_000, 100_000];
    }
    Ok((sizes, place))
}

/// Shards of `class/number.jpg`.
fn make(folder: &Path, size: usize) -> Outcome<()> {
    std::fs::create_dir_all(folder)?;
    for start in (0..size).step_by(SHARD) {
        let end = size.min(start + SHARD);
        let jpegs: Vec<Vec<u8>> = (start..end).into_par_iter().map(jpeg).collect();
        let file = File::create(folder.join(format!("{:06}.tar", start / SHARD)))?;
        let mut builder = tar::Builder::new(BufWriter::new(file));
        for (number, bytes) in (start..end).zip(&jpegs) {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(bytes.len() as u64);
            let class = ["even", "odd"][number % 2];
            builder.append_data(&mut header, format!("{class}/{number:08}.jpg"), &bytes[..])?;
        }
        builder.into_inner()?.into_inner()?.sync_all()?;
    }
    Ok(())
}

/// Stripes and a tint that only this number has.
fn jpeg(number: usize) -> Vec<u8> {
    let (slope, tint) = (1 + number % 13, number.wrapping_mul(2_654_435_761) >> 8);
    let value = |x: u32, y: u32, c: u32| {
        ((x as usize * slope + y as usize * 5) % 97 + ((tint >> (7 * c)) & 127)) as u8
    };
    let pixel = |x, y| image::Rgb([value(x, y, 0), value(x, y, 1), value(x, y, 2)]);
    let picture = RgbImage::from_fn(SIDE_PX, SIDE_PX, pixel);
    let mut bytes = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut bytes, 80)
        .encode_image(&picture)
        .expect("a small picture fits into memory");
    bytes.into_inner()
}

/// One row.
fn measure(placement: &str, shards: &Path, cache: &Path) -> Outcome<()> {
    let config = DataConfig {
        source: format!("shards:{}", shards.display()),
        size_px: SIDE_PX,
        filter: Filter::Nearest,
        centre_crop_of_px: None,
        colour: Colour::Rgb,
        split: SplitRule { ratio: [1, 0, 0], seed: 0 },
        train_fraction: 1.0,
        bad_images: BadImages::Fail,
        normalize: None,
        shuffle_window: Some(WINDOW),
    };
    let want = if placement == "mapped" { Placement::Mapped } else { Placement::Streamed };
    let (done, most) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                most.fetch_max(own_kib().unwrap_or(0), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let outcome = open_and_pass(&config, cache, want);
        done.store(true, Ordering::Relaxed);
        let (pictures, open_s, pass_s) = outcome?;
        let rate = |seconds: f64| pictures as f64 / seconds;
        println!(
            "| {pictures} | {placement} | {:.0} | {:.0} | {:.0} |",
            rate(open_s),
            rate(pass_s),
            most.load(Ordering::Relaxed) as f64 * 1024.0 / 1e6
        );
        Ok(())
    })
}

/// Pictures, seconds to open, seconds of a pass.
fn open_and_pass(config: &DataConfig, cache: &Path, want: Placement) -> Outcome<(usize, f64, f64)> {
    let began = Instant::now();
    let set = Dataset::open_as(config, cache, Some(want), &())?;
    let open_s = began.elapsed().as_secs_f64();
    let began = Instant::now();
    let train = &set.split.train;
    let places = set.shards(train).ok_or("the recipe has a window")?;
    let mut bytes = 0;
    for positions in order::windowed(1, 0, &places, WINDOW as usize).chunks(BATCH) {
        let indices: Vec<u32> = positions.iter().map(|at| train[*at as usize]).collect();
        bytes += set.try_gather(&indices)?.len();
    }
    let want = train.len() * (SIDE_PX * SIDE_PX * 3) as usize;
    if bytes != want {
        return Err(format!("a pass gave {bytes} bytes, want {want}").into());
    }
    Ok((train.len(), open_s, began.elapsed().as_secs_f64()))
}

/// Memory of this process that no file stands behind.
fn own_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
