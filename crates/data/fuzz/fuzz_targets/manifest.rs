//! `csv:PATH`: any bytes are a manifest or a refusal.
#![no_main]

use catscan_data_fuzz::answers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| answers("csv", "list.csv", &[("list.csv", bytes)]));
