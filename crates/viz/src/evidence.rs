//! Does a map lie on what really tells the classes apart? Where that is known (of drawn pictures,
//! of one's own by masks) it is a mask `[H, W]` of 0 and 255. Three numbers say it:
//!
//! - [`OnMask::energy`]: the fraction of a map's positive mass on the mask (the energy-based
//!   pointing game of Wang et al. 2020, Score-CAM, <https://arxiv.org/abs/1910.01279>, §4.3);
//! - [`OnMask::peak`]: whether the map's highest place is on the mask (the pointing game of Zhang
//!   et al. 2018, <https://arxiv.org/abs/1608.00507>; ours allows no margin around the mask);
//! - [`area`]: the fraction of the picture the mask covers, which is what a map that knows nothing
//!   gets. No energy is worth reading without it.

use crate::VizError;
use crate::cam::Map;
use crate::overlay::enlarge;

/// What counts as white, which is evidence: mask values above the middle.
pub const MIDDLE: u8 = 127;

/// How a map lies on its picture's mask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OnMask {
    /// The fraction of its positive mass there, in 0..=1.
    pub energy: f64,
    /// Whether its highest place is there.
    pub peak: bool,
}

/// How `map`, enlarged bilinearly to `mask`, lies on it; `None` if it has no positive part.
///
/// # Errors
/// When the mask is not square with sides of `size_px`.
pub fn on_mask(map: &Map, mask: &[u8], size_px: u32) -> Result<Option<OnMask>, VizError> {
    let heat = heat_on(map, mask, size_px)?;
    let total: f64 = heat.iter().map(|v| f64::from(*v)).sum();
    let on: f64 =
        heat.iter().zip(mask).filter(|(_, m)| **m > MIDDLE).map(|(v, _)| f64::from(*v)).sum();
    let highest = heat.iter().zip(mask).max_by(|a, b| a.0.total_cmp(b.0));
    let peak = highest.is_some_and(|(_, m)| *m > MIDDLE);
    Ok((total > 0.0).then(|| OnMask { energy: on / total, peak }))
}

/// Sums over maps. Those without a positive part have neither energy nor peak: they are counted
/// beside, not as zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tally {
    /// All of them.
    pub maps: usize,
    /// Those without a positive part: nothing there speaks for the class.
    pub empty: usize,
    /// Those whose highest place is on the mask.
    pub peaks: usize,
    energy: f64,
}

impl Tally {
    /// Counts a map, by what [`on_mask`] tells of it.
    pub fn add(&mut self, map: Option<OnMask>) {
        self.maps += 1;
        match map {
            None => self.empty += 1,
            Some(OnMask { energy, peak }) => {
                self.energy += energy;
                self.peaks += usize::from(peak);
            }
        }
    }

    /// Those with a positive part.
    pub fn full(&self) -> usize {
        self.maps - self.empty
    }

    /// Mean energy; none where all are empty.
    pub fn energy(&self) -> Option<f64> {
        (self.full() > 0).then(|| self.energy / self.full() as f64)
    }

    /// The fraction whose peak is on the mask; none where all are empty.
    pub fn peak(&self) -> Option<f64> {
        (self.full() > 0).then(|| self.peaks as f64 / self.full() as f64)
    }
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

    fn energy(signed: &[f32]) -> Option<f64> {
        on_mask(&map(signed), &MASK, 4).unwrap().map(|on| on.energy)
    }

    #[test]
    fn a_map_on_the_evidence_has_all_its_energy_there() {
        let on = on_mask(&map(&[0.0, 0.0, 0.0, 3.0]), &MASK, 4).unwrap();
        assert_eq!(on, Some(OnMask { energy: 1.0, peak: true }));
        let off = on_mask(&map(&[3.0, 0.0, 0.0, 0.0]), &MASK, 4).unwrap();
        assert_eq!(off, Some(OnMask { energy: 0.0, peak: false }));
    }

    #[test]
    fn a_map_that_knows_nothing_gets_the_area() {
        assert_eq!(energy(&[1.0]), Some(area(&MASK)));
    }

    #[test]
    fn negative_mass_does_not_count_and_an_empty_map_has_no_energy() {
        assert_eq!(energy(&[1.0, -9.0, -9.0, 1.0]), Some(0.5));
        assert_eq!(energy(&[-1.0]), None);
        assert!(on_mask(&map(&[1.0]), &MASK[1..], 4).is_err());
    }

    #[test]
    fn means_are_of_the_maps_that_have_a_positive_part() {
        let mut tally = Tally::default();
        assert_eq!((tally.energy(), tally.peak()), (None, None));
        for signed in [[0.0, 3.0], [3.0, 0.0], [-1.0, -1.0]] {
            tally.add(on_mask(&map(&signed), &MASK, 4).unwrap());
        }
        assert_eq!((tally.maps, tally.empty, tally.peaks), (3, 1, 1));
        assert_eq!((tally.energy(), tally.peak()), (Some(0.5), Some(0.5)));
    }
}
