//! Is a map to be believed? Each file asks one question of maps, a network and its pictures:
//!
//! - [`deletion`]: does the probability fall fast when the hottest pixels go first, and rise fast
//!   when they come first?
//! - [`road`]: the same with pixels filled in from their neighbours, so that holes tell nothing;
//! - [`mod@drop`]: does the class survive where only the hot part is left?
//! - [`sanity`]: does the map change when all weights are drawn anew?
//! - [`agreement`]: do maps of two networks of one kind look alike?
//! - [`random`]: maps that know nothing, which every method must beat.
//!
//! Together with [`crate::evidence`], which needs to know where the evidence is. All pictures of a
//! question go through the network in batches.

pub mod agreement;
pub mod deletion;
pub mod drop;
pub mod random;
pub mod road;
pub mod sanity;

use crate::VizError;
use crate::cam::{Map, class_probabilities};
use crate::overlay::enlarge;
use catscan_models::{Mode, Model, Taps};
use tch::Tensor;

/// Pictures in one pass.
const AT_ONCE: i64 = 64;

/// What is asked about: maps of pictures, each for a class.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The network that the maps explain.
    pub model: &'a Model,
    /// `[N, C, H, W]`, as the network sees them.
    pub batch: &'a Tensor,
    /// One a picture.
    pub classes: &'a [i64],
    /// One a picture.
    pub maps: &'a [Map],
}

impl Case<'_> {
    /// Width and height of the pictures.
    fn size(&self) -> (u32, u32) {
        let size = self.batch.size();
        (size[3] as u32, size[2] as u32)
    }

    /// Checks that there is a map and a class for each picture.
    fn check(&self) -> Result<(), VizError> {
        let pictures = self.batch.size()[0] as usize;
        if self.maps.len() == pictures && self.classes.len() == pictures && pictures > 0 {
            return Ok(());
        }
        Err(VizError::Shape {
            place: "maps to be tested".to_owned(),
            got: format!("{} maps and {} classes", self.maps.len(), self.classes.len()),
            want: format!("{pictures} of each, one a picture"),
            next: "make a map of each picture of the batch",
        })
    }

    /// The pixels of each picture, the hottest first; of equals the first in reading order.
    fn hottest_first(&self) -> Vec<Vec<u32>> {
        let order = |map: &Map| {
            let heat = enlarge(&map.signed, (map.width, map.height), self.size());
            let mut pixels: Vec<u32> = (0..heat.len() as u32).collect();
            pixels.sort_by(|a, b| heat[*b as usize].total_cmp(&heat[*a as usize]));
            pixels
        };
        self.maps.iter().map(order).collect()
    }
}

/// The probability of each picture's class.
fn probabilities(model: &Model, x: &Tensor, classes: &[i64]) -> Result<Vec<f64>, VizError> {
    let mut all = Vec::with_capacity(classes.len());
    for first in (0..classes.len()).step_by(AT_ONCE as usize) {
        let count = (classes.len() - first).min(AT_ONCE as usize);
        let some = x.narrow(0, first as i64, count as i64);
        let logits = tch::no_grad(|| model.forward(&some, Mode::Eval, &mut Taps::off()));
        all.extend(class_probabilities(&logits, &classes[first..first + count])?);
    }
    Ok(all)
}

fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = values.into_iter().fold((0.0, 0), |(sum, n), value| (sum + value, n + 1));
    sum / f64::from(count)
}

#[cfg(test)]
pub(crate) mod testing {
    //! A network whose evidence is known: it says yes by the mean of the left half's red.

    use super::*;
    use catscan_models::{Convention, Memory, ModelConfig, Pool, Pooling, Precision};
    use tch::{Device, Kind};

    /// A small network with random weights.
    pub fn network() -> Model {
        let config = ModelConfig {
            name: "densenet-mini".to_owned(),
            shape: None,
            pooling: Pooling::densenet(Pool::Avg, Pool::Avg),
            convention: Convention::Torchvision,
            in_channels: 3,
            outputs: 1,
            precision: Precision::Fp32,
            memory: Memory::Keep,
        };
        Model::build(&config, 3, Device::Cpu).unwrap()
    }

    /// Pictures of stripes.
    pub fn pictures(count: i64) -> Tensor {
        let wave = Tensor::arange(count * 3 * 32 * 32, (Kind::Float, Device::Cpu)) * 0.37;
        wave.sin().view([count, 3, 32, 32])
    }

    /// A map that is hot on the left.
    pub fn left() -> Map {
        Map { height: 1, width: 2, signed: vec![1.0, 0.0] }
    }
}
