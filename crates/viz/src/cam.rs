//! Class activation maps: which places of a picture speak for a class, at any depth of a network.
//!
//! [`CAMS`] lists the methods, one file each, and [`Look`] is the pass they share. Those that need
//! a tap's activation and gradient get them for all wanted taps from **one** forward and **one**
//! backward pass of the whole batch: the taps are the very tensors the network computed with, so
//! autograd can hand out the gradient of the score at each of them. (The usual way, hooks on one
//! layer at a time, pays a pass a layer.)
//! A network with one logit needs no second backward for its other class. The others run the
//! network many times (`passes`) and make a map of a tap, or of the picture itself ([`INPUT`]).
//!
//! A map is kept signed, at the resolution of its tap; whether and how it is rectified, enlarged
//! and scaled is decided where it is drawn ([`crate::overlay`]). Maps that are zero everywhere are
//! not hidden: [`Map::has_positive`] tells, and the drawings say so.

mod ablation_cam;
mod eigen_cam;
mod explain;
mod grad_cam;
mod grad_cam_plus_plus;
mod guided_backprop;
mod hires_cam;
mod integrated_gradients;
mod layer_cam;
mod look;
mod occlusion;
mod original;
mod passes;
mod score;
mod score_cam;
mod smooth_grad;
mod weights_cam;
mod xgrad_cam;

pub use explain::{explain, explain_each, grad_cam};
pub use look::{ForClasses, Look};
pub(crate) use score::class_probabilities;

use crate::VizError;
use passes::Asked;
use tch::Tensor;

/// The name under which methods that look at the picture itself give their map.
pub const INPUT: &str = "input";

/// A way to make a class activation map.
#[derive(Debug)]
pub struct CamRow {
    /// What the command line calls it.
    pub name: &'static str,
    /// One line for help and lists.
    pub about: &'static str,
    /// The map at a tap with activations A and gradients G of the class's score.
    pub formula: &'static str,
    /// What it costs: passes of the network, for a batch or for a picture.
    pub cost: &'static str,
    /// Where it was published.
    pub paper: &'static str,
    how: How,
    /// See [`CamRow::forwards`].
    forwards: fn(usize) -> usize,
}

/// What a method needs to know.
#[derive(Debug)]
enum How {
    /// A tap's activation and the gradient of the score; one pass serves all taps.
    Tap(fn(&Seen) -> Result<Tensor, VizError>),
    /// The same with the gradient of the probability.
    Probability(fn(&Seen) -> Result<Tensor, VizError>),
    /// A tap's activation `[N, C, h, w]` and many more passes of the network.
    Passes(fn(&Asked, tap: &str, activation: &Tensor) -> Result<Tensor, VizError>),
    /// The picture only: one map, whatever the taps.
    Input(fn(&Asked) -> Result<Tensor, VizError>),
}

/// What the gradient at a tap is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GradientOf {
    /// A class's logit; of the first of two classes with one logit its negative.
    Score,
    /// A class's sigmoid or softmax.
    Probability,
}

/// What the shared pass saw at one tap, all f32.
struct Seen<'a> {
    tap: &'a str,
    /// Whether no other tap worth a map comes after this one.
    is_last: bool,
    /// `[N, C, h, w]`.
    activation: &'a Tensor,
    /// Of each picture's score (or probability, see [`How`]) for its class, `[N, C, h, w]`.
    gradient: &'a Tensor,
    /// The classifier's weights for each picture's class, `[N, C']`.
    classifier: &'a Tensor,
    /// Of each picture's class, `[N]`.
    probability: &'a Tensor,
}

/// The methods there are.
pub static CAMS: &[CamRow] = &[
    grad_cam::ROW,
    grad_cam_plus_plus::ROW,
    hires_cam::ROW,
    xgrad_cam::ROW,
    layer_cam::ROW,
    weights_cam::ROW,
    eigen_cam::ROW,
    score_cam::ROW,
    ablation_cam::ROW,
    original::ROW,
    guided_backprop::ROW,
    integrated_gradients::ROW,
    smooth_grad::ROW,
    occlusion::ROW,
];

impl CamRow {
    /// The row of this name.
    pub fn find(name: &str) -> Option<&'static CamRow> {
        CAMS.iter().find(|row| row.name == name)
    }

    /// Whether its one map is of the picture itself, whatever tap is asked for.
    pub fn looks_at_input(&self) -> bool {
        matches!(self.how, How::Input(_))
    }

    /// Whether all its maps come from the one pass that all taps share.
    pub fn is_one_pass(&self) -> bool {
        matches!(self.how, How::Tap(_) | How::Probability(_))
    }

    /// What its gradients are of; a method without any takes them as they come.
    pub fn gradient_of(&self) -> GradientOf {
        match self.how {
            How::Probability(_) => GradientOf::Probability,
            _ => GradientOf::Score,
        }
    }

    /// Forwards that one picture's map costs at a tap of so many `channels`; a backward counts as
    /// two.
    pub fn forwards(&self, channels: usize) -> usize {
        (self.forwards)(channels)
    }

    /// Whether it runs the network once for every channel of a tap.
    pub fn runs_each_channel(&self) -> bool {
        matches!(self.how, How::Passes(_))
    }

    /// Whether it can only be had at the last of a network's blocks.
    pub fn only_at_last(&self) -> bool {
        self.name == weights_cam::ROW.name
    }
}

/// One signed map, row by row: positive where the tap speaks for the class, negative where it
/// speaks against it.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    /// Rows of the tap's output.
    pub height: u32,
    /// Columns of the tap's output.
    pub width: u32,
    /// `height × width` values.
    pub signed: Vec<f32>,
}

impl Map {
    /// What Grad-CAM's paper shows: the map with its negative part cut off (ReLU).
    pub fn positive(&self) -> Vec<f32> {
        self.signed.iter().map(|v| v.max(0.0)).collect()
    }

    /// Whether anything is left to show. A map without a positive value says that this tap holds
    /// nothing for the class; drawn by its own maximum it would be noise.
    pub fn has_positive(&self) -> bool {
        self.largest() > 0.0
    }

    /// The largest positive value, 0 if there is none.
    pub fn largest(&self) -> f32 {
        self.signed.iter().copied().fold(0.0, f32::max)
    }

    /// Sets to 0 what is positive but below `share` of the largest value.
    pub fn cut_below(&mut self, share: f32) {
        let least = share * self.largest();
        self.signed.iter_mut().filter(|v| (0.0..least).contains(*v)).for_each(|v| *v = 0.0);
    }

    /// The map of the other class, for a model with one logit: its score is the negative of this
    /// one's, and Grad-CAM is linear in the score's gradient.
    pub fn for_other_class(&self) -> Map {
        Map { signed: self.signed.iter().map(|v| -v).collect(), ..*self }
    }
}

/// The maps of one tap, one per picture of the batch.
#[derive(Debug, Clone, PartialEq)]
pub struct TapMaps {
    /// The tap's name, a PyTorch module path.
    pub tap: String,
    /// In the order of the batch.
    pub maps: Vec<Map>,
}

/// The maps of a batch at all wanted taps, and what the network said of the pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct Cams {
    /// The row of [`CAMS`] that made them.
    pub method: &'static str,
    /// In the order the taps were asked for.
    pub taps: Vec<TapMaps>,
    /// For each picture one probability per class.
    pub probabilities: Vec<Vec<f32>>,
}

impl Cams {
    /// The maps of picture `n`, one per tap.
    pub fn of_picture(&self, n: usize) -> Vec<Map> {
        self.taps.iter().map(|tap| tap.maps[n].clone()).collect()
    }

    /// [`Map::cut_below`] for all of them, each by its own largest value.
    pub fn cut_below(&mut self, share: f32) {
        self.taps.iter_mut().flat_map(|tap| &mut tap.maps).for_each(|map| map.cut_below(share));
    }
}

/// A tensor's values in row-major order, on the CPU.
pub(crate) fn values(tensor: &Tensor) -> Vec<f32> {
    let flat = tensor.detach().to_device(tch::Device::Cpu).to_kind(tch::Kind::Float).contiguous();
    let mut out = vec![0.0; flat.numel()];
    flat.copy_data(&mut out, flat.numel());
    out
}

/// The sum over the channels of `[N, C, H, W]`, `[N, H, W]`.
fn over_channels(tensor: &Tensor) -> Tensor {
    tensor.sum_dim_intlist([1i64].as_slice(), false, tch::Kind::Float)
}

/// The sum over the places of `[N, C, H, W]`, `[N, C, 1, 1]`.
fn over_places(tensor: &Tensor) -> Tensor {
    tensor.sum_dim_intlist([2i64, 3].as_slice(), true, tch::Kind::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_without_positive_values_is_flagged() {
        let map = Map { height: 1, width: 2, signed: vec![-1.0, 0.0] };
        assert!(!map.has_positive());
        assert_eq!(map.positive(), [0.0, 0.0]);
        assert!(map.for_other_class().has_positive());
    }

    #[test]
    fn a_threshold_leaves_what_is_hot_and_what_is_negative() {
        let mut map = Map { height: 1, width: 5, signed: vec![-3.0, 0.5, 1.0, 1.9, 2.0] };
        map.cut_below(0.5);
        assert_eq!(map.signed, [-3.0, 0.0, 1.0, 1.9, 2.0]);
        let cold = Map { height: 1, width: 2, signed: vec![-1.0, 0.0] };
        let mut cut = cold.clone();
        cut.cut_below(0.9);
        assert_eq!(cut, cold);
    }

    #[test]
    fn every_row_is_found_by_its_own_name_and_says_what_it_costs() {
        for row in CAMS {
            assert!(std::ptr::eq(CamRow::find(row.name).unwrap(), row), "{}", row.name);
            assert!(!row.formula.is_empty() && !row.cost.is_empty(), "{}", row.name);
            let grows = row.forwards(128) > row.forwards(64);
            assert!(row.forwards(64) > 0 && grows == row.cost.starts_with('C'), "{}", row.name);
        }
    }
}
