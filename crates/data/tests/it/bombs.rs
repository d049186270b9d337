//! Small files that announce or unpack to huge ones: refused before memory is taken; and a set that
//! is one picture many times over. Memory is measured in a process of its own, where no other test
//! takes any.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use catscan_data::audit::audit;
use catscan_data::decode;
use flate2::{Compression, Crc, write::ZlibEncoder};
use image::ImageFormat;
use tempfile::tempdir;

use crate::help::{config, encode, folder, gzip, jpeg, open, open_skipping, picture, put};

/// Over what the process held before, all bombs together.
const MOST_BYTES: u64 = 200 << 20;

/// Set in the process that measures: the folder of what is measured.
const ALONE: &str = "CATSCAN_TEST_BOMBS";

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut sum = Crc::new();
    sum.update(kind);
    sum.update(data);
    let length = (data.len() as u32).to_be_bytes();
    [&length[..], kind, data, &sum.sum().to_be_bytes()].concat()
}

/// Black, RGB; `rows` of them are really there.
fn png(width: u32, height: u32, rows: u32) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::best());
    let row = vec![0; 1 + 3 * width as usize];
    (0..rows).for_each(|_| packer.write_all(&row).unwrap());
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, 2, 0, 0, 0]);
    let packed = packer.finish().unwrap();
    let chunks = [chunk(b"IHDR", &header), chunk(b"IDAT", &packed), chunk(b"IEND", b"")];
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunks.concat()].concat()
}

/// A whole small file of this format, with other bytes at a place.
fn with(format: ImageFormat, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = encode(&picture(1), format);
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

/// The frame header's height and width.
fn huge_jpeg(side: u16, progressive: bool) -> Vec<u8> {
    let mut file = jpeg(1);
    let at = file.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    file[at + 5..at + 9].copy_from_slice(&[side.to_be_bytes(), side.to_be_bytes()].concat());
    if progressive {
        file[at + 1] = 0xC2;
    }
    file
}

/// A TIFF's width and height are tags 256 and 257 of its directory, each 12 bytes.
fn huge_tiff(side: u32) -> Vec<u8> {
    let mut file = encode(&picture(1), ImageFormat::Tiff);
    let number = |file: &[u8], at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    assert_eq!(&file[..2], b"II");
    let directory = number(&file, 4) as usize;
    for (entry, tag) in [(0, 256), (1, 257)] {
        let at = directory + 2 + 12 * entry;
        assert_eq!(number(&file, at) & 0xFFFF, tag);
        file[at + 2..at + 4].copy_from_slice(&4u16.to_le_bytes());
        file[at + 8..at + 12].copy_from_slice(&side.to_le_bytes());
    }
    file
}

fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let tiny = png(100_000, 100_000, 1);
    assert!(tiny.len() < 500, "{} bytes", tiny.len());
    let flat = png(11_000, 11_000, 11_000);
    assert!(flat.len() < 400_000, "{} bytes", flat.len());
    vec![
        ("tiny.png", tiny),
        ("flat.png", flat),
        ("huge.jpg", huge_jpeg(65_500, false)),
        ("progressive.jpg", huge_jpeg(9_990, true)),
        ("huge.gif", with(ImageFormat::Gif, 6, &[0xFF; 4])),
        ("huge.bmp", with(ImageFormat::Bmp, 18, &[0, 0, 4, 0, 0, 0, 4, 0])),
        ("huge.tif", huge_tiff(1 << 20)),
    ]
}

#[test]
fn a_bomb_is_refused_by_its_header_and_costs_no_memory() {
    if let Some(root) = std::env::var_os(ALONE) {
        return measure(Path::new(&root));
    }
    let root = tempdir().unwrap();
    for (name, bytes) in bombs() {
        put(&root.path().join("cat").join(name), &bytes);
    }
    for class in ["cat", "dog"] {
        put(&root.path().join(class).join("fine.jpg"), &jpeg(1));
    }
    alone("a_bomb_is_refused_by_its_header_and_costs_no_memory", root.path());
}

/// Runs that test in a process of its own, which measures.
fn alone(test: &str, root: &Path) {
    let mut alone = Command::new(std::env::current_exe().unwrap());
    let name = format!("bombs::{test}");
    alone.args(["--exact", &name, "--nocapture"]).env(ALONE, root);
    let said = alone.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.status.success(), "{out}{err}");
    assert!(out.contains("MB over the base"), "{out}{err}");
}

/// Fails where more than [`MOST_BYTES`] were taken since there were `base`.
fn check_peak(base: u64) {
    let peak = memory_bytes("VmHWM").saturating_sub(base);
    assert!(peak < MOST_BYTES, "takes {peak} bytes");
    println!("{} MB over the base of {} MB", peak >> 20, base >> 20);
}

/// 10 GiB of zeros behind `head`: members of a gzip follow each other.
fn gzip_bomb(head: &[u8]) -> Vec<u8> {
    let member = gzip_best(&vec![0; 64 << 20]);
    [gzip(head), member.repeat(160)].concat()
}

fn gzip_best(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[test]
fn a_gzip_that_unpacks_to_ten_gigabytes_is_refused_and_costs_no_memory() {
    // What it is opened as, its file, what is in front of the zeros, what the refusal says.
    let mut tar = tar::Header::new_gnu();
    tar.set_path("x/data_batch_1.bin").unwrap();
    tar.set_entry_type(tar::EntryType::Regular);
    tar.set_mode(0o644);
    tar.set_size(1 << 29);
    tar.set_cksum();
    let images = [0, 0, 8, 3, 0, 0, 0, 10, 0, 0, 0, 28, 0, 0, 0, 28];
    let bombs: [(&str, &str, &[u8], &str); 4] = [
        ("cifar10:zeros.tar.gz", "zeros.tar.gz", b"", "bytes after its end"),
        ("cifar10:entry.tar.gz", "entry.tar.gz", tar.as_bytes(), "has 536870912 bytes, at most"),
        ("cifar10:batches", "batches/data_batch_1.bin", b"", "data_batch_1.bin"),
        ("mnist:idx", "idx/train-images-idx3-ubyte.gz", &images, "train-images-idx3-ubyte"),
    ];
    if let Some(root) = std::env::var_os(ALONE) {
        let (root, base) = (Path::new(&root), memory_bytes("VmRSS"));
        for (source, _, _, says) in bombs {
            let (source, path) = source.split_once(':').unwrap();
            let source = format!("{source}:{}", root.join(path).display());
            let error = open(&source, tempdir().unwrap().path()).unwrap_err();
            assert_eq!(error.exit_code(), 3, "{error}");
            assert!(error.to_string().contains(says), "{error}, want {says}");
            println!("{error}");
        }
        return check_peak(base);
    }
    let root = tempdir().unwrap();
    for (_, file, head, _) in bombs {
        let bomb = gzip_bomb(head);
        assert!(bomb.len() < 12 << 20, "{} bytes", bomb.len());
        put(&root.path().join(file), &bomb);
    }
    let labels = [vec![0, 0, 8, 1, 0, 0, 0, 10], (0..10).collect()].concat();
    for name in ["train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"] {
        put(&root.path().join("idx").join(name), &labels);
    }
    put(&root.path().join("idx/t10k-images-idx3-ubyte"), &[&images[..], &[7; 7840]].concat());
    alone("a_gzip_that_unpacks_to_ten_gigabytes_is_refused_and_costs_no_memory", root.path());
}

#[test]
fn twenty_thousand_copies_of_a_picture_cost_an_audit_no_memory() {
    const COPIES: usize = 20_000;
    if let Some(root) = std::env::var_os(ALONE) {
        let base = memory_bytes("VmRSS");
        let cache = tempdir().unwrap();
        let audit = audit(&config(&folder(Path::new(&root))), cache.path(), &()).unwrap().0;
        assert_eq!((audit.readable, audit.exact.len()), (COPIES + 2, 1));
        assert_eq!(audit.exact[0].pictures.len(), COPIES);
        // One of the copies is like the brighter picture; the other is like none.
        assert_eq!((audit.near.len(), audit.near_not_listed), (1, 0));
        assert!(audit.markdown("x").len() < 100_000, "a list of all would be longer");
        return check_peak(base);
    }
    let root = tempdir().unwrap();
    let same = encode(&picture(3), ImageFormat::Png);
    put(&root.path().join("a/0.png"), &same);
    let mut brighter = picture(3);
    brighter.pixels_mut().for_each(|pixel| pixel.0 = pixel.0.map(|value| value.saturating_add(1)));
    put(&root.path().join("b/brighter.png"), &encode(&brighter, ImageFormat::Png));
    put(&root.path().join("b/other.jpg"), &jpeg(40));
    for i in 1..COPIES {
        let class = if i % 2 == 0 { "a" } else { "b" };
        let copy = root.path().join(class).join(format!("{i}.png"));
        std::fs::hard_link(root.path().join("a/0.png"), copy).unwrap();
    }
    alone("twenty_thousand_copies_of_a_picture_cost_an_audit_no_memory", root.path());
}

/// In its own process: each bomb alone, then all as a set.
fn measure(root: &Path) {
    let base = memory_bytes("VmRSS");
    let class = root.join("cat");
    for (name, _) in bombs_by_name(&class) {
        let bad = decode::open_rgb(&class.join(&name)).expect_err(&name);
        println!("{name}: {}", bad.reason);
        let peak = memory_bytes("VmHWM").saturating_sub(base);
        assert!(peak < MOST_BYTES, "{name} takes {peak} bytes: {bad}");
    }
    let cache = tempdir().unwrap();
    let set = open_skipping(&folder(root), cache.path()).unwrap();
    assert_eq!((set.samples.len(), set.rejected.len()), (2, 7));
    check_peak(base);
}

fn bombs_by_name(class: &Path) -> Vec<(String, u64)> {
    let files = std::fs::read_dir(class).unwrap().flatten();
    let name = |file: std::fs::DirEntry| {
        (file.file_name().into_string().unwrap(), file.metadata().unwrap().len())
    };
    let mut files: Vec<_> = files.map(name).filter(|(name, _)| name != "fine.jpg").collect();
    files.sort();
    assert_eq!(files.len(), 7);
    files
}

/// A line of this process's status, which has kilobytes.
fn memory_bytes(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse::<u64>().unwrap() << 10
}
