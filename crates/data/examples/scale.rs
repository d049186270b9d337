//! What a set costs by its size: pictures a second and memory, for sets made up on the spot.
//!
//!     cargo run --release -p catscan-data --example scale                       # 10^3 to 10^5
//!     cargo run --release -p catscan-data --example scale -- 1000 1000000 --in FOLDER
//!     cargo run --release -p catscan-data --example scale -- 100000x1000       # in 1,000 classes
//!     cargo run --release -p catscan-data --example scale -- 10000 --audit
//!
//! Each size is a folder of tar shards of 10,000 small JPEGs, all different, in two classes or as
//! many as are asked for, about 2 GB for a million; it is removed afterwards. Each row is a process
//! of its own: it opens the set (lists it, decodes every picture once, writes the cache), then goes
//! through one pass in batches of 64, shuffled by shard and window; from a memory map, and streamed
//! from the shards. `own` is the most memory that is the process's own at any time (RssAnon,
//! looked at every 10 ms, Linux only): maps of files are the system's cache and are given back when
//! others need room. With `--audit` each row is an audit, of pictures that do not look alike.

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
    if let [first, what, shards, cache] = &words[..]
        && first == "measure"
    {
        return measure(what, Path::new(shards), Path::new(cache));
    }
    let Asked { sizes, place, audit } = asked(&words)?;
    if audit {
        println!("| pictures | classes | audited, pictures/s | own memory, MB |");
        println!("|---|---|---|---|");
    } else {
        println!(
            "| pictures | classes | pixels in | opened, pictures/s | a pass, pictures/s \
             | own memory, MB |"
        );
        println!("|---|---|---|---|---|---|");
    }
    for (size, classes) in sizes {
        let folder = tempfile::tempdir_in(&place)?;
        let shards = folder.path().join("shards");
        make(&shards, size, classes, if audit { patches } else { stripes })?;
        let rows: &[&str] = if audit { &["audit"] } else { &["mapped", "streamed"] };
        for row in rows {
            let cache = tempfile::tempdir_in(&place)?;
            let status = Command::new(std::env::current_exe()?)
                .args(["measure", row])
                .args([&shards, cache.path()])
                .status()?;
            if !status.success() {
                return Err(format!("{size} pictures, {row}: {status}").into());
            }
        }
    }
    Ok(())
}

struct Asked {
    /// Pictures and classes.
    sizes: Vec<(usize, usize)>,
    /// The folder to work in.
    place: PathBuf,
    audit: bool,
}

fn asked(words: &[String]) -> Outcome<Asked> {
    let mut asked = Asked { sizes: Vec::new(), place: std::env::temp_dir(), audit: false };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--in" => asked.place = words.next().ok_or("--in: want a folder")?.into(),
            "--audit" => asked.audit = true,
            size => {
                let (pictures, classes) = size.split_once('x').unwrap_or((size, "2"));
                let number = |text: &str| {
                    text.parse().map_err(|_| format!("{size}: want a number, or 100000x1000"))
                };
                asked.sizes.push((number(pictures)?, number(classes)?));
            }
        }
    }
    if asked.sizes.is_empty() {
        asked.sizes = [1_000, 10_000, 100_000].map(|size| (size, 2)).into();
        asked.sizes.push((100_000, 1_000));
    }
    Ok(asked)
}

/// Shards of `class/number.jpg`.
fn make(folder: &Path, size: usize, classes: usize, draw: fn(usize) -> RgbImage) -> Outcome<()> {
    std::fs::create_dir_all(folder)?;
    for start in (0..size).step_by(SHARD) {
        let end = size.min(start + SHARD);
        let drawn = (start..end).into_par_iter().map(|number| jpeg(&draw(number)));
        let jpegs: Vec<Vec<u8>> = drawn.collect();
        let file = File::create(folder.join(format!("{:06}.tar", start / SHARD)))?;
        let mut builder = tar::Builder::new(BufWriter::new(file));
        for (number, bytes) in (start..end).zip(&jpegs) {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(bytes.len() as u64);
            let name = format!("{}/{number:08}.jpg", number % classes);
            builder.append_data(&mut header, name, &bytes[..])?;
        }
        builder.into_inner()?.into_inner()?.sync_all()?;
    }
    Ok(())
}

/// Stripes and a tint that only this number has.
fn stripes(number: usize) -> RgbImage {
    let (slope, tint) = (1 + number % 13, number.wrapping_mul(2_654_435_761) >> 8);
    let value = |x: u32, y: u32, c: u32| {
        ((x as usize * slope + y as usize * 5) % 97 + ((tint >> (7 * c)) & 127)) as u8
    };
    let pixel = |x, y| image::Rgb([value(x, y, 0), value(x, y, 1), value(x, y, 2)]);
    RgbImage::from_fn(SIDE_PX, SIDE_PX, pixel)
}

/// Sixteen patches whose brightness only this number has.
fn patches(number: usize) -> RgbImage {
    let value = |x: u32, y: u32| {
        let patch = number as u64 * 16 + u64::from(y / 8 * 4 + x / 8);
        // The finalizer of splitmix64.
        let mut mixed = patch.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed >> 56) as u8
    };
    RgbImage::from_fn(SIDE_PX, SIDE_PX, |x, y| image::Rgb([value(x, y); 3]))
}

fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut bytes, 80)
        .encode_image(picture)
        .expect("a small picture fits into memory");
    bytes.into_inner()
}

/// One row.
fn measure(what: &str, shards: &Path, cache: &Path) -> Outcome<()> {
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
    let (done, most) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                most.fetch_max(own_kib().unwrap_or(0), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let row = match what {
            "audit" => audited(&config, cache),
            "mapped" => open_and_pass(&config, cache, Placement::Mapped),
            _ => open_and_pass(&config, cache, Placement::Streamed),
        };
        done.store(true, Ordering::Relaxed);
        println!("{} {:.0} |", row?, most.load(Ordering::Relaxed) as f64 * 1024.0 / 1e6);
        Ok(())
    })
}

fn audited(config: &DataConfig, cache: &Path) -> Outcome<String> {
    let began = Instant::now();
    let (audit, _) = catscan_data::audit::audit(config, cache, &())?;
    let rate = audit.readable as f64 / began.elapsed().as_secs_f64();
    Ok(format!("| {} | {} | {rate:.0} |", audit.readable, audit.classes.len()))
}

/// A row but for its memory: opened, then one pass.
fn open_and_pass(config: &DataConfig, cache: &Path, placement: Placement) -> Outcome<String> {
    let began = Instant::now();
    let set = Dataset::open_as(config, cache, Some(placement), &())?;
    let open_s = began.elapsed().as_secs_f64();
    let began = Instant::now();
    let train = &set.split.train;
    let places = set.shards(train).ok_or("the recipe has a window")?;
    let mut bytes = 0;
    for positions in order::windowed(1, 0, &places, WINDOW as usize).chunks(BATCH) {
        let indices: Vec<u32> = positions.iter().map(|at| train[*at as usize]).collect();
        bytes += set.gather(&indices)?.len();
    }
    let want = train.len() * (SIDE_PX * SIDE_PX * 3) as usize;
    if bytes != want {
        return Err(format!("a pass gave {bytes} bytes, want {want}").into());
    }
    let (pass_s, kept) = (began.elapsed().as_secs_f64(), set.placement());
    let kept = if kept == Placement::Mapped { "mapped" } else { "streamed" };
    let (pictures, classes) = (train.len(), set.classes.len());
    let rate = |seconds: f64| pictures as f64 / seconds;
    Ok(format!("| {pictures} | {classes} | {kept} | {:.0} | {:.0} |", rate(open_s), rate(pass_s)))
}

/// Memory of this process that no file stands behind.
fn own_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
