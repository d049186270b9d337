//! The optimisers as data, and the step they take over flat buffers.
//!
//! Our own because tch cannot save an optimiser's state, and because the published studies ran
//! Keras', whose formulas are not PyTorch's: `sgd.rs` and `adam.rs` have both in a table each.
//!
//! What an optimiser remembers is one flat tensor a moment ([`Moments`]), `[P]` for the `P` trained
//! numbers, group after group. So a step is a few operations a stretch, and a checkpoint
//! saves one tensor a moment.

use catscan_torch_ext::pieces::{self, Descent};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, no_grad};

mod adam;
mod flat;
mod gradient;
mod sgd;
mod stretches;

pub use adam::{Adam, Decay};
pub use flat::lay_end_to_end;
pub(crate) use flat::seen_as_one;
pub use gradient::Gradient;
use gradient::Part;
pub use sgd::Sgd;

/// The rule by which weights follow their gradient, with its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Gradient descent with momentum.
    Sgd(Sgd),
    /// Steps scaled by the gradient's own first and second moments.
    Adam(Adam),
}

/// Whose formula a step follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Semantics {
    /// `torch.optim`'s.
    Pytorch,
    /// Keras 3's.
    Keras,
}

/// Parameters that step alike: a stretch of the flat buffers.
#[derive(Debug)]
pub struct ParameterGroup {
    /// The very tensors the model computes with.
    pub parameters: Vec<Tensor>,
    /// The group's learning rate is that of the schedule times this.
    pub lr_factor: f64,
    /// `None`: the optimiser's.
    pub weight_decay: Option<f64>,
}

/// An optimiser's state: its moments, one number for each trained number, and the steps it took.
#[derive(Debug)]
pub struct Moments {
    /// Name and `[P]`, f32, in the order of [`Optimizer::moment_names`].
    flat: Vec<(&'static str, Tensor)>,
    steps: u64,
}

/// What a step of a stretch of one group's numbers is made of.
struct Stretch {
    /// `[S]`.
    gradient: Tensor,
    /// `[S]` each: views of the flat moments.
    moments: Vec<Tensor>,
    /// `[S]`, where a coupled decay asks for them.
    weights: Option<Tensor>,
    /// This one included.
    steps: u64,
    lr: f64,
    weight_decay: f64,
}

impl Optimizer {
    /// The schedule's peak.
    pub fn lr(&self) -> f64 {
        match self {
            Optimizer::Sgd(sgd) => sgd.lr,
            Optimizer::Adam(adam) => adam.lr,
        }
    }

    /// The same with another peak.
    pub fn with_lr(self, lr: f64) -> Optimizer {
        match self {
            Optimizer::Sgd(sgd) => Optimizer::Sgd(Sgd { lr, ..sgd }),
            Optimizer::Adam(adam) => Optimizer::Adam(Adam { lr, ..adam }),
        }
    }

    /// What it remembers of each trained number.
    pub fn moment_names(&self) -> &'static [&'static str] {
        match self {
            Optimizer::Sgd(sgd) => sgd.moment_names(),
            Optimizer::Adam(_) => &["m", "v"],
        }
    }

    fn weight_decay(&self) -> f64 {
        match self {
            Optimizer::Sgd(sgd) => sgd.weight_decay,
            Optimizer::Adam(adam) => adam.weight_decay,
        }
    }

    /// Whether decay is a part of the gradient, and not a shrinking of the weights.
    fn couples_decay(&self) -> bool {
        match self {
            Optimizer::Sgd(sgd) => sgd.semantics == Semantics::Pytorch,
            Optimizer::Adam(adam) => adam.decay == Decay::Coupled,
        }
    }

    /// Takes one step: the parameters of `groups` move against `gradient` at rate `lr`, group by
    /// group in the gradient's order, and `moments` are kept.
    pub fn step(
        &self,
        groups: &[ParameterGroup],
        gradient: &Gradient,
        moments: &mut Moments,
        lr: f64,
    ) {
        self.step_if(None, groups, gradient, moments, lr);
    }

    /// The same; the parameters stay where they are if `open []` (bool) is false, which the host
    /// need not know. The moments are then worth nothing.
    pub fn step_if(
        &self,
        open: Option<&Tensor>,
        groups: &[ParameterGroup],
        gradient: &Gradient,
        moments: &mut Moments,
        lr: f64,
    ) {
        moments.steps += 1;
        let mut start = 0;
        no_grad(|| {
            for (group, gradient) in groups.iter().zip(gradient.of_each(groups)) {
                self.step_group(open, group, &gradient, start, moments, lr * group.lr_factor);
                start += group.numbers();
            }
        });
    }

    /// Gradient descent is one walk through memory on the CPU. All else is operations on stretches,
    /// which stay in a core's cache while the formula passes over them a dozen times, and the
    /// weights right after it.
    fn step_group(
        &self,
        open: Option<&Tensor>,
        group: &ParameterGroup,
        gradient: &Part,
        start: i64,
        moments: &Moments,
        lr: f64,
    ) {
        let weight_decay = group.weight_decay.unwrap_or(self.weight_decay());
        let couples = weight_decay != 0.0 && self.couples_decay();
        let keep = if couples { 1.0 } else { 1.0 - lr * weight_decay };
        if let (Optimizer::Sgd(sgd), None) = (self, open) {
            let weights: Vec<Tensor> = group.parameters.iter().map(as_it_lies).collect();
            if weights.iter().all(pieces::fits) {
                let decay = if couples { weight_decay } else { 0.0 };
                let descent = Descent {
                    decay: decay as f32,
                    keep: keep as f32,
                    ..sgd.descent(lr, moments.steps)
                };
                let velocity = moments.narrow(start, group.numbers());
                gradient.apart(&weights, |slopes| {
                    pieces::descend(&descent, &weights, slopes, velocity.first());
                });
                return;
            }
        }
        let (mut front, mut at) = (gradient.front(), 0);
        for pieces in stretches::of(&group.parameters) {
            let length = pieces.iter().map(|piece| piece.numel() as i64).sum();
            let change = self.change(Stretch {
                gradient: front.take(length),
                moments: moments.narrow(start + at, length),
                weights: couples.then(|| joined(&pieces)),
                steps: moments.steps,
                lr,
                weight_decay,
            });
            stretches::add(&change, pieces, keep, open);
            at += length;
        }
    }

    fn change(&self, stretch: Stretch) -> Tensor {
        match self {
            Optimizer::Sgd(sgd) => sgd.change(stretch),
            Optimizer::Adam(adam) => adam.change(stretch),
        }
    }
}

impl From<Sgd> for Optimizer {
    fn from(sgd: Sgd) -> Optimizer {
        Optimizer::Sgd(sgd)
    }
}

impl From<Adam> for Optimizer {
    fn from(adam: Adam) -> Optimizer {
        Optimizer::Adam(adam)
    }
}

impl ParameterGroup {
    /// All `parameters` with the optimiser's own settings.
    pub fn of_all(parameters: Vec<Tensor>) -> ParameterGroup {
        ParameterGroup { parameters, lr_factor: 1.0, weight_decay: None }
    }

    /// How many numbers it trains.
    pub fn numbers(&self) -> i64 {
        self.parameters.iter().map(|parameter| parameter.numel() as i64).sum()
    }
}

impl Moments {
    /// Those of no step yet, for `numbers` trained numbers.
    pub fn zeros(optimizer: &Optimizer, numbers: i64, device: Device) -> Moments {
        let zeros = |name| (name, Tensor::zeros([numbers], (Kind::Float, device)));
        let flat = optimizer.moment_names().iter().copied().map(zeros).collect();
        Moments { flat, steps: 0 }
    }

    /// As [`Moments::iter`] and [`Moments::steps`] gave them.
    pub fn restore(flat: Vec<(&'static str, Tensor)>, steps: u64) -> Moments {
        Moments { flat, steps }
    }

    /// Each moment's name and its flat tensor `[P]`, f32.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Tensor)> {
        self.flat.iter().map(|(name, flat)| (*name, flat))
    }

    /// Steps taken with them.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// How many numbers are remembered, all moments together.
    pub fn numbers(&self) -> u64 {
        self.flat.iter().map(|(_, flat)| flat.numel() as u64).sum()
    }

    /// Views of the same stretch of each.
    fn narrow(&self, start: i64, length: i64) -> Vec<Tensor> {
        self.flat.iter().map(|(_, flat)| flat.narrow(0, start, length)).collect()
    }
}

impl Stretch {
    /// The gradient with what a coupled decay adds to it.
    fn pulled(&self) -> Tensor {
        match &self.weights {
            Some(weights) => weights * self.weight_decay + &self.gradient,
            None => self.gradient.shallow_clone(),
        }
    }
}

/// All tensors end to end, `[P]`.
pub fn flatten(tensors: &[Tensor]) -> Tensor {
    let tensors: Vec<Tensor> =
        tensors.iter().map(|tensor| as_it_lies(tensor).contiguous()).collect();
    if tensors.iter().all(pieces::fits) {
        no_grad(|| pieces::gather(&tensors))
    } else {
        joined(&tensors)
    }
}

/// A copy of all, one after the other, `[P]`.
fn joined(tensors: &[Tensor]) -> Tensor {
    let rows: Vec<Tensor> = tensors.iter().map(|tensor| tensor.reshape([-1])).collect();
    Tensor::cat(&rows, 0)
}

/// A convolution's weight `[C', C, H, W]` as `[C', H, W, C]`, which is how it lies in memory.
fn as_it_lies(tensor: &Tensor) -> Tensor {
    if tensor.dim() == 4 { tensor.permute([0, 2, 3, 1]) } else { tensor.shallow_clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two parameters of two groups, and the gradient of both.
    fn groups() -> (Vec<ParameterGroup>, Gradient) {
        let first = Tensor::zeros([2, 2], (Kind::Float, Device::Cpu));
        let second = Tensor::from_slice(&[1f32]);
        let groups = vec![
            ParameterGroup::of_all(vec![first]),
            ParameterGroup { parameters: vec![second], lr_factor: 0.1, weight_decay: Some(0.5) },
        ];
        (groups, Tensor::from_slice(&[1f32, 2.0, 3.0, 4.0, 5.0]).into())
    }

    #[test]
    fn every_parameter_moves_by_its_own_slice_at_its_groups_rate() {
        let (groups, gradient) = groups();
        let sgd = Optimizer::Sgd(Sgd { momentum: 0.0, ..sgd::SETTINGS });
        let mut moments = Moments::zeros(&sgd, 5, Device::Cpu);
        assert_eq!(moments.numbers(), 0, "without momentum nothing is remembered");
        sgd.step(&groups, &gradient, &mut moments, 1.0);
        let moved = Tensor::from_slice(&[-1f32, -2.0, -3.0, -4.0]).view([2, 2]);
        assert_eq!(groups[0].parameters[0], moved);
        // 1 − 0.1·(5 + 0.5·1)
        assert!((groups[1].parameters[0].double_value(&[0]) - 0.45).abs() < 1e-7);
        assert_eq!(moments.steps(), 1);
    }

    #[test]
    fn a_closed_gate_moves_nothing_and_an_open_one_changes_no_bit() {
        let decays = Optimizer::Adam(Adam { weight_decay: 0.1, ..adam::SETTINGS });
        let sgd = Optimizer::Sgd(Sgd { weight_decay: 0.1, ..sgd::SETTINGS });
        for (optimizer, together) in
            [(&decays, false), (&decays, true), (&sgd, false), (&sgd, true)]
        {
            let moved = |open: Option<bool>| {
                let (groups, gradient) = groups();
                if together {
                    groups.iter().for_each(|group| lay_end_to_end(&group.parameters));
                }
                let mut moments = Moments::zeros(optimizer, 5, Device::Cpu);
                let open = open.map(Tensor::from);
                for _ in 0..3 {
                    optimizer.step_if(open.as_ref(), &groups, &gradient, &mut moments, 0.1);
                }
                flatten(&[flatten(&groups[0].parameters), flatten(&groups[1].parameters)])
            };
            assert_eq!(moved(Some(true)), moved(None));
            let still = Tensor::from_slice(&[0f32, 0.0, 0.0, 0.0, 1.0]);
            assert_eq!(moved(Some(false)), still);
        }
    }

    #[test]
    fn groups_remember_in_their_own_stretch() {
        let (groups, gradient) = groups();
        let adam = Optimizer::Adam(adam::SETTINGS);
        let mut moments = Moments::zeros(&adam, 5, Device::Cpu);
        adam.step(&groups, &gradient, &mut moments, 1e-3);
        let (name, m) = moments.iter().next().unwrap();
        assert_eq!((name, moments.numbers()), ("m", 10));
        assert!((m.double_value(&[4]) - 0.5).abs() < 1e-6, "0.1 of the gradient 5: {m:?}");
    }

    #[test]
    fn an_optimizer_is_one_tagged_value_without_unknown_keys() {
        let text = serde_json::to_string(&Optimizer::Sgd(sgd::SETTINGS)).unwrap();
        assert!(text.starts_with(r#"{"sgd":{"lr":0.1"#), "{text}");
        assert_eq!(
            serde_json::from_str::<Optimizer>(&text).unwrap(),
            Optimizer::Sgd(sgd::SETTINGS)
        );
        let wrong = text.replace("momentum", "momentom");
        assert!(serde_json::from_str::<Optimizer>(&wrong).is_err());
    }
}
