//! Average drop and increase: Chattopadhyay et al. 2018, "Grad-CAM++",
//! <https://arxiv.org/abs/1710.11063>, §4.1.
//!
//! The picture times its map, scaled to 0..=1, is what the map says is enough. The drop is the part
//! of the class's probability that is lost so, on average (small is good); the increase the share
//! of pictures that gain (large is good). A map without a positive part leaves nothing.

use super::Pictures;
use crate::VizError;
use crate::cam::Map;
use crate::overlay::heat;
use tch::Tensor;

/// Both numbers of one picture; their means are the paper's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drop {
    /// The share of the probability that is lost, 0..=1.
    pub drop: f64,
    /// 1 where the probability rises, else 0.
    pub increase: f64,
}

/// Asks it of a map of each picture.
///
/// # Errors
/// Maps that are not one a picture.
pub fn drop(pictures: &Pictures, maps: &[Map]) -> Result<Vec<Drop>, VizError> {
    pictures.check(maps)?;
    let (width, height) = pictures.size();
    let masks = maps.iter().map(|map| {
        Tensor::from_slice(&heat(map, (width, height))).view([
            1,
            i64::from(height),
            i64::from(width),
        ])
    });
    let masks: Vec<Tensor> = masks.collect();
    let masks = Tensor::stack(&masks, 0).to_device(pictures.batch.device());
    let masked = pictures.probabilities(&(pictures.batch * masks))?;
    let one = |(y, o): (&f64, &f64)| Drop {
        drop: (y - o).max(0.0) / y.max(f64::MIN_POSITIVE),
        increase: if o > y { 1.0 } else { 0.0 },
    };
    Ok(pictures.whole.iter().zip(&masked).map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn a_map_that_keeps_everything_loses_nothing() {
        let (model, batch) = (testing::network(), testing::pictures(2));
        let all = vec![Map { height: 1, width: 1, signed: vec![3.0] }; 2];
        let pictures = Pictures::new(&model, &batch, &[0, 1]).unwrap();
        assert_eq!(drop(&pictures, &all).unwrap(), [Drop { drop: 0.0, increase: 0.0 }; 2]);
    }

    #[test]
    fn an_empty_map_leaves_what_an_empty_picture_gets() {
        let (model, batch) = (testing::network(), testing::pictures(1));
        let none = [Map { height: 1, width: 1, signed: vec![-1.0] }];
        let p = |x: &Tensor| Pictures::new(&model, x, &[1]).unwrap().whole[0];
        let (whole, empty) = (p(&batch), p(&batch.zeros_like()));
        let pictures = Pictures::new(&model, &batch, &[1]).unwrap();
        let got = drop(&pictures, &none).unwrap()[0];
        assert!((got.drop - ((whole - empty) / whole).max(0.0)).abs() < 1e-6);
        assert_eq!(got.increase, f64::from(u8::from(empty > whole)));
    }
}
