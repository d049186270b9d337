//! The two readers of tar files: `shards:PATH`, and CIFAR-10's archive.
#![no_main]

use catscan_data_fuzz::{answers, mend_tar};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    mend_tar(&mut bytes);
    answers("shards", "some.tar", &[("some.tar", &bytes)]);
    answers("cifar10", "some.tar", &[]);
});
