//! Bytes that nobody meant: every entrance answers with pictures or a refusal, never with a panic.
//!
//! Files are valid ones that were damaged, so that what lies behind the first check is reached too.

use std::path::Path;

use catscan_data::decode;
use image::ImageFormat;
use proptest::prelude::*;
use tempfile::tempdir;

use crate::help::{encode, gzip, jpeg, open, open_skipping, picture, put, zip_of};

/// A way to damage a file.
#[derive(Clone, Debug)]
enum Damage {
    Flip(usize, u8),
    Cut(usize),
    Insert(usize, Vec<u8>),
    /// Four bytes become a large number, either end first.
    Huge(usize, u32),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>().prop_map(|index| index.index(1 << 16));
    prop_oneof![
        4 => (at.clone(), 1u8..).prop_map(|(at, by)| Damage::Flip(at, by)),
        1 => at.clone().prop_map(Damage::Cut),
        1 => (at.clone(), prop::collection::vec(any::<u8>(), 1..20))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        1 => (at, any::<u32>()).prop_map(|(at, number)| Damage::Huge(at, number)),
    ]
}

fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let n = bytes.len();
        if n < 5 {
            return bytes;
        }
        match damage {
            Damage::Flip(at, by) => bytes[at % n] ^= by,
            Damage::Cut(at) => bytes.truncate(at % n),
            Damage::Insert(at, more) => drop(bytes.splice(at % n..at % n, more.iter().copied())),
            Damage::Huge(at, number) => {
                let at = at % (n - 4);
                bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
            }
        }
    }
    bytes
}

fn pictures() -> Vec<Vec<u8>> {
    let formats = [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::Gif,
        ImageFormat::Bmp,
        ImageFormat::WebP,
        ImageFormat::Tiff,
    ];
    let mut all = formats.map(|format| encode(&picture(1), format)).to_vec();
    // What this encoder does not write: several scans, restart markers.
    all.push(include_bytes!("../../fuzz/corpus/decode/progressive.jpg").to_vec());
    all.push(include_bytes!("../../fuzz/corpus/decode/progressive_restarts.jpg").to_vec());
    all.push(include_bytes!("../../fuzz/corpus/decode/restarts.jpg").to_vec());
    all
}

/// What a source makes of one file under this name: pictures, or an error with a code.
fn answers(usage: &str, name: &str, bytes: &[u8]) {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let path = root.path().join(name);
    put(&path, bytes);
    if let Err(error) = open_skipping(&format!("{usage}:{}", path.display()), cache.path()) {
        assert!([2, 3].contains(&error.exit_code()), "{error}");
    }
}

fn tar() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for i in 0..4 {
        let bytes = jpeg(i);
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, format!("{}/{i}.jpg", i % 2), bytes.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn zip() -> Vec<u8> {
    let file = |i: u32| {
        let class = if i.is_multiple_of(2) { "cat" } else { "dog" };
        (format!("train/{class}.{i}.jpg"), jpeg(i))
    };
    zip_of(&(0..4).map(file).collect::<Vec<_>>(), zip::CompressionMethod::Deflated)
}

fn cifar_batch() -> Vec<u8> {
    (0..10u32)
        .flat_map(|i| (0..3073u32).map(move |j| if j == 0 { i as u8 } else { (i * j) as u8 }))
        .collect()
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn damaged_pictures_are_pictures_or_refused(damages in prop::collection::vec(damage(), 1..6)) {
        for bytes in pictures() {
            if let Err(bad) = decode::read_rgb(&damaged(bytes, &damages), "x") {
                prop_assert!(!bad.reason.is_empty());
            }
        }
    }

    #[test]
    fn any_bytes_after_a_signature_are_refused_or_read(
        which in 0..6usize,
        tail in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut bytes = pictures()[which][..12].to_vec();
        bytes.extend(tail);
        let _ = decode::read_rgb(&bytes, "x");
    }

    #[test]
    fn damaged_archives_are_sets_or_refused(damages in prop::collection::vec(damage(), 1..5)) {
        answers("shards", "some.tar", &damaged(tar(), &damages));
        answers("cats-vs-dogs", "train.zip", &damaged(zip(), &damages));
        answers("cifar10", "some.tar.gz", &damaged(gzip(&tar()), &damages));
    }
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn damaged_tables_are_sets_or_refused(damages in prop::collection::vec(damage(), 1..5)) {
        let list = b"path,label,split\na.jpg,cat,train\nb.jpg,dog,test\n".to_vec();
        answers("csv", "list.csv", &damaged(list, &damages));
        let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
        put(&root.path().join("data_batch_1.bin"), &damaged(cifar_batch(), &damages));
        answered(&format!("cifar10:{}", root.path().display()), cache.path());
        let mut labels = vec![0, 0, 8, 1, 0, 0, 0, 10];
        labels.extend(0..10u8);
        let mut images = vec![0, 0, 8, 3, 0, 0, 0, 10, 0, 0, 0, 2, 0, 0, 0, 2];
        images.extend((0..40u8).map(|i| i * 6));
        for part in ["train", "t10k"] {
            let at = |kind: &str| root.path().join(format!("{part}-{kind}-ubyte"));
            put(&at("images-idx3"), &damaged(images.clone(), &damages));
            put(&at("labels-idx1"), &damaged(labels.clone(), &damages[..1]));
        }
        answered(&format!("mnist:{}", root.path().display()), cache.path());
    }
}

fn answered(source: &str, cache: &Path) {
    if let Err(error) = open(source, cache) {
        assert!([2, 3].contains(&error.exit_code()), "{error}");
    }
}
