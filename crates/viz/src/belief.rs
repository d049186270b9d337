//! Is a map to be believed? Each file asks one question of maps, a network and its pictures:
//!
//! - [`deletion`]: does the probability fall fast when the hottest pixels go first, and rise fast
//!   when they come first?
//! - [`road`]: the same with pixels filled in from their neighbours (`fill`), so that holes tell
//!   nothing;
//! - [`mod@drop`]: does the class survive where only the hot part is left?
//! - [`sanity`]: does the map change when all weights are drawn anew?
//! - [`agreement`]: do maps of two networks of one kind look alike?
//! - [`random`]: maps that know nothing, which every method must beat.
//!
//! Together with [`crate::evidence`], which needs to know where the evidence is. All pictures of a
//! question go through the network in batches, and what no map changes is asked once: what the
//! network says of the pictures as they are ([`Pictures::whole`]).

pub mod agreement;
pub mod deletion;
pub mod drop;
mod fill;
pub mod random;
pub mod road;
pub mod sanity;

use crate::VizError;
use crate::batch_size;
use crate::cam::{Map, class_probabilities};
use crate::overlay::enlarge;
use catscan_models::{Mode, Model, Taps};
use std::ops::Range;
use tch::Tensor;

/// What is asked about: pictures, and the network whose maps of them are tested.
#[derive(Debug, Clone)]
pub struct Pictures<'a> {
    model: &'a Model,
    /// `[N, C, H, W]`, as the network sees them.
    batch: &'a Tensor,
    /// What the maps explain, one a picture.
    classes: &'a [i64],
    /// The probability of each picture's class, before anything is taken from it.
    whole: Vec<f64>,
}

impl<'a> Pictures<'a> {
    /// Asks the network about the pictures of a batch `[N, C, H, W]`, each for its class.
    ///
    /// # Errors
    /// Classes that are not one a picture, or an unknown one.
    pub fn new(
        model: &'a Model,
        batch: &'a Tensor,
        classes: &'a [i64],
    ) -> Result<Pictures<'a>, VizError> {
        let pictures = batch.size()[0] as usize;
        check_count("pictures to test maps on", "classes", classes.len(), pictures)?;
        let mut all = Pictures { model, batch, classes, whole: Vec::new() };
        all.whole = all.probabilities(batch)?;
        Ok(all)
    }

    /// The probability of each picture's class.
    pub fn whole(&self) -> &[f64] {
        &self.whole
    }

    /// Width and height.
    fn size(&self) -> (u32, u32) {
        let size = self.batch.size();
        (size[3] as u32, size[2] as u32)
    }

    /// Checks that there is a map for each picture.
    fn check(&self, maps: &[Map]) -> Result<(), VizError> {
        check_count("maps to be tested", "maps", maps.len(), self.classes.len())
    }

    /// The pixels of each picture, the hottest first; of equals the first in reading order.
    fn hottest_first(&self, maps: &[Map]) -> Vec<Vec<u32>> {
        let order = |map: &Map| {
            let heat = enlarge(&map.signed, (map.width, map.height), self.size());
            // Sorted as whole numbers, which is several times as fast as by looking heat up.
            let keys = heat.iter().zip(0u32..).map(|(heat, pixel)| key(*heat, pixel));
            let mut keys: Vec<u64> = keys.collect();
            keys.sort_unstable();
            keys.into_iter().map(|key| key as u32).collect()
        };
        maps.iter().map(order).collect()
    }

    /// What the network says of the class of each picture, shown as `x`, `[N, C, H, W]`.
    fn probabilities(&self, x: &Tensor) -> Result<Vec<f64>, VizError> {
        self.probabilities_of(self.classes, |some| {
            x.narrow(0, some.start as i64, some.len() as i64)
        })
    }

    /// The same of pictures that are drawn as they are needed, in even stretches: the network
    /// keeps what it prepared for a number of pictures.
    fn probabilities_of(
        &self,
        classes: &[i64],
        draw: impl Fn(Range<usize>) -> Tensor,
    ) -> Result<Vec<f64>, VizError> {
        let (width, height) = self.size();
        let at_once = batch_size::to_score((width * height) as usize, self.batch.device());
        let stretches = classes.len().div_ceil(at_once).max(1);
        let stretch = classes.len().div_ceil(stretches).max(1);
        let mut all = Vec::with_capacity(classes.len());
        for (i, classes) in classes.chunks(stretch).enumerate() {
            let x = draw(i * stretch..i * stretch + classes.len());
            let logits = tch::no_grad(|| self.model.forward(&x, Mode::Eval, &mut Taps::off()));
            all.extend(class_probabilities(&logits, classes)?);
        }
        Ok(all)
    }
}

fn check_count(place: &str, what: &str, got: usize, pictures: usize) -> Result<(), VizError> {
    if got == pictures && pictures > 0 {
        return Ok(());
    }
    Err(VizError::Shape {
        place: place.to_owned(),
        got: format!("{got} {what}"),
        want: format!("{pictures}, one a picture"),
        next: "make one of each picture of the batch",
    })
}

/// A number that is smaller the hotter a pixel is, and of equal heat the earlier it is read: its
/// low half is the pixel. (A positive float's bits sort as it does; a negative one's are turned.)
fn key(heat: f32, pixel: u32) -> u64 {
    let bits = heat.to_bits();
    let rising = if bits >> 31 == 0 { bits | 1 << 31 } else { !bits };
    u64::from(!rising) << 32 | u64::from(pixel)
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
