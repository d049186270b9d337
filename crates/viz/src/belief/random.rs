//! Maps that know nothing: blobs drawn by a formula of the picture's number. Every method must do
//! better than they, or its scores only say that pixels were removed.

use crate::cam::Map;
use crate::chance::bits;

/// A map for each of `count` pictures, of the size of the maps it is compared with.
pub fn maps(count: usize, width: u32, height: u32) -> Vec<Map> {
    // As many bits as an f32 holds.
    let value = |place: u64| (bits(place) >> 40) as f32 / (1u64 << 24) as f32;
    let places = u64::from(width * height);
    let map = |n: u64| (0..places).map(|i| value(n * places + i)).collect();
    (0..count as u64).map(|n| Map { height, width, signed: map(n) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_get_maps_of_their_own_and_always_the_same() {
        let maps = maps(2, 4, 3);
        assert_eq!(maps, super::maps(2, 4, 3));
        assert_ne!(maps[0].signed, maps[1].signed);
        assert!(maps[0].signed.iter().all(|v| (0.0..1.0).contains(v)));
    }
}
