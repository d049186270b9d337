//! `cats-vs-dogs:PATH` as an archive: any bytes are one or a refusal.
#![no_main]

use catscan_data_fuzz::answers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| answers("cats-vs-dogs", "train.zip", &[("train.zip", bytes)]));
