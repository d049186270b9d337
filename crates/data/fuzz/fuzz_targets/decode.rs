//! The decoders' entrance: any bytes are a whole picture or a refusal with a reason.
#![no_main]

use catscan_data::decode;
use catscan_data_fuzz::mend_png;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    if bytes.starts_with(b"\x89PNG") {
        mend_png(&mut bytes);
    }
    match decode::read_rgb(&bytes, "x") {
        Ok(picture) => {
            let pixels = u64::from(picture.width()) * u64::from(picture.height());
            assert!((1..=decode::MAX_PIXELS).contains(&pixels), "{pixels}");
            assert_eq!(picture.len() as u64, 3 * pixels);
        }
        Err(bad) => assert!(!bad.reason.is_empty()),
    }
});
