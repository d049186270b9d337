//! `cifar10:PATH`: any bytes, gzip or not, are a batch or a refusal.
#![no_main]

use catscan_data_fuzz::answers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| answers("cifar10", "", &[("data_batch_1.bin", bytes)]));
