//! Does a map lie on what really tells the classes apart? For drawn pictures the evidence is known:
//! a mask `[H, W]` of 0 and 255. Three numbers say it:
//!
//! - [`share`]: the fraction of a map's positive mass on the mask ("energy" in Wang et al. 2020,
//!   Score-CAM, <https://arxiv.org/abs/1910.01279>, §4.3);
//! - [`pointing`]: whether the map's highest place is on the mask (the pointing game of Zhang et
//!   al.
//!   2018, <https://arxiv.org/abs/1608.00507>; ours allows no margin around the mask);
//! - [`area`]: the fraction of the picture the mask covers, which is what a map that knows nothing
//!   gets. No share is worth reading without it.

use crate::VizError;
use crate::cam::Map;
use crate::overlay::enlarge;

/// What counts as evidence: mask values above the middle.
const MIDDLE: u8 = 127;

/// The fraction of the map's positive mass that lies on `mask`, in 0..=1; `None` if the map has no
/// positive part. The map is enlarged bilinearly to the mask.
///
/// # Errors
/// When the mask is not square with sides of `size_px`.
pub fn share(map: &Map, mask: &[u8], size_px: u32) -> Result<Option<f64>, VizError> {
    let heat = heat_on(map, mask, size_px)?;
    let total: f64 = heat.iter().map(|v| f64::from(*v)).sum();
    let on: f64 =
        heat.iter().zip(mask).filter(|(_, m)| **m > MIDDLE).map(|(v, _)| f64::from(*v)).sum();
    Ok((total > 0.0).then(|| on / total))
}

/// Whether the map's highest place lies on `mask`; `None` if the map has no positive part.
///
/// # Errors
/// When the mask is not square with sides of `size_px`.
pub fn pointing(map: &Map, mask: &[u8], size_px: u32) -> Result<Option<bool>, VizError> {
    let heat = heat_on(map, mask, size_px)?;
    let highest = heat.iter().zip(mask).max_by(|a, b| a.0.total_cmp(b.0));
    Ok(highest.filter(|(v, _)| **v > 0.0).map(|(_, m)| *m > MIDDLE))
}

/// The fraction of the picture that `mask` covers.
pub fn area(mask: &[u8]) -> f64 {
    mask.iter().filter(|m| **m > MIDDLE).count() as f64 / mask.len().max(1) as f64
}

fn heat_on(map: &Map, mask: &[u8], size_px: u32) -> Result<Vec<f32>, VizError> {
    if mask.len() as u64 != u64::from(size_px).pow(2) {
        return Err(VizError::Shape {
            place: "evidence mask".to_owned(),
            got: format!("{} values", mask.len()),
            want: format!("{size_px} × {size_px}"),
            next: "give the mask at the size the network saw",
        });
    }
    Ok(enlarge(&map.positive(), (map.width, map.height), (size_px, size_px)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The right half of a 4 × 4 picture.
    const MASK: [u8; 16] = [0, 0, 255, 255, 0, 0, 255, 255, 0, 0, 255, 255, 0, 0, 255, 255];

    fn map(signed: &[f32]) -> Map {
        Map { height: 1, width: signed.len() as u32, signed: signed.to_vec() }
    }

    #[test]
    fn a_map_on_the_evidence_has_all_its_mass_there() {
        let on = map(&[0.0, 0.0, 0.0, 3.0]);
        assert_eq!(share(&on, &MASK, 4).unwrap(), Some(1.0));
        assert_eq!(pointing(&on, &MASK, 4).unwrap(), Some(true));
        let off = map(&[3.0, 0.0, 0.0, 0.0]);
        assert_eq!(share(&off, &MASK, 4).unwrap(), Some(0.0));
        assert_eq!(pointing(&off, &MASK, 4).unwrap(), Some(false));
    }

    #[test]
    fn a_map_that_knows_nothing_gets_the_area() {
        assert_eq!(share(&map(&[1.0]), &MASK, 4).unwrap(), Some(area(&MASK)));
    }

    #[test]
    fn negative_mass_does_not_count_and_an_empty_map_has_no_share() {
        let split = map(&[1.0, -9.0, -9.0, 1.0]);
        assert_eq!(share(&split, &MASK, 4).unwrap(), Some(0.5));
        assert_eq!(share(&map(&[-1.0]), &MASK, 4).unwrap(), None);
        assert_eq!(pointing(&map(&[-1.0]), &MASK, 4).unwrap(), None);
        assert!(share(&split, &MASK[1..], 4).is_err());
    }
}
