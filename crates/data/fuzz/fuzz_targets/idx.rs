//! `mnist:PATH`: any bytes are IDX files or a refusal. The first byte says which of the files the
//! others are: pictures or labels, of training or test; the rest are whole.
#![no_main]

use catscan_data_fuzz::answers;
use libfuzzer_sys::fuzz_target;

const LABELS: &[u8] = &[0, 0, 8, 1, 0, 0, 0, 10, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const PICTURES: &[u8] = &[
    0, 0, 8, 3, 0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20,
];

fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let mut files = [
        ("train-images-idx3-ubyte", PICTURES),
        ("train-labels-idx1-ubyte", LABELS),
        ("t10k-images-idx3-ubyte", PICTURES),
        ("t10k-labels-idx1-ubyte", LABELS),
    ];
    files[usize::from(which % 4)].1 = bytes;
    answers("mnist", "", &files);
});
