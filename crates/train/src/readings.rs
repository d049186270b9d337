//! When the host learns what a step came to: before the update, or some steps later.
//!
//! On the processor a value is there when it is asked for, so every step is read before its update,
//! and a NaN stops it. On a CUDA device asking means to wait for all that was asked of it before,
//! and a step of small kernels is then as slow as their launches. There a step leaves its row
//! `[loss, right, largest gradient]` on the device, with a gate that a number which is not finite
//! closes for good: behind a closed gate no update moves a weight. The rows are read together,
//! every so many steps and before anything is saved, scored or stopped; what is wrong with one is
//! told then, of that very step, whose weights are still the ones it began with.
//!
//! Both give the same bits (a test holds that on the processor): the same sums in the same order.

use tch::{Device, Kind, Tensor};

use crate::optimizer::Gradient;
use crate::train::StepTime;

/// When rows are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Before each update.
    AtOnce,
    /// After so many steps, 1 or more.
    Every(usize),
}

impl Reading {
    /// Steps between two readings on CUDA: seldom enough to cost nothing, and a second or two.
    const CUDA: usize = 32;

    /// What suits the device.
    pub fn of(device: Device) -> Reading {
        if device.is_cuda() { Reading::Every(Reading::CUDA) } else { Reading::AtOnce }
    }
}

/// What is known on the host of a step that was taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    /// Counted from 0.
    pub step: u64,
    pub pictures: u64,
    pub lr: f64,
    pub time: StepTime,
}

/// What the device knew of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Row {
    pub loss: f64,
    pub right: u64,
    pub largest_gradient: f64,
}

/// What comes of a row at once.
#[derive(Debug)]
pub(crate) enum Noted {
    Known(Row),
    /// `[]` bool: whether the update may move anything.
    Gated(Tensor),
}

impl Noted {
    /// `[]` bool: whether the weights may move, where the host does not know.
    pub fn gate(&self) -> Option<&Tensor> {
        match self {
            Noted::Gated(gate) => Some(gate),
            Noted::Known(_) => None,
        }
    }
}

/// Steps that were taken and not read yet.
pub(crate) struct Readings {
    reading: Reading,
    rows: Vec<Tensor>,
    taken: Vec<Taken>,
    /// `[]` bool: every step so far was finite.
    gate: Option<Tensor>,
}

impl Readings {
    pub fn new(reading: Reading) -> Readings {
        Readings { reading, rows: Vec::new(), taken: Vec::new(), gate: None }
    }

    /// Keeps the row `[3]` of a step that is about to be taken.
    pub fn note(&mut self, row: Tensor) -> Noted {
        if self.reading == Reading::AtOnce {
            let known = rows(&[row.shallow_clone()])[0];
            self.rows.push(row);
            return Noted::Known(known);
        }
        let finite = row.isfinite().all();
        let gate = match &self.gate {
            Some(gate) => gate.logical_and(&finite),
            None => finite,
        };
        self.gate = Some(gate.shallow_clone());
        // A graph writes its next row over this one.
        self.rows.push(row.copy());
        Noted::Gated(gate)
    }

    /// The noted step was taken.
    pub fn took(&mut self, taken: Taken) {
        self.taken.push(taken);
    }

    /// Whether it is time to read.
    pub fn is_due(&self) -> bool {
        match self.reading {
            Reading::AtOnce => true,
            Reading::Every(steps) => self.taken.len() >= steps,
        }
    }

    /// The steps since the last reading, in their order. Waits for the device, once.
    pub fn read(&mut self) -> Vec<(Taken, Row)> {
        let rows = rows(&std::mem::take(&mut self.rows));
        std::mem::take(&mut self.taken).into_iter().zip(rows).collect()
    }
}

impl Row {
    /// What of it is not finite, if anything is.
    pub fn bad(&self) -> Option<(&'static str, f64)> {
        [("the loss", self.loss), ("the largest gradient", self.largest_gradient)]
            .into_iter()
            .find(|(_, value)| !value.is_finite())
    }
}

/// `[3]` f64 on the device: loss `[]`, count of right ones `[]`, largest magnitude of
/// the gradient (NaN if any value is). All three are exact in 64 bits. (The norm of
/// order ∞ says the same, but libtorch's takes sixteen times as long on the CPU: a tenth of a step
/// of DenseNet-121 at 64 px.)
pub(crate) fn row(loss: &Tensor, right: &Tensor, gradient: &Gradient) -> Tensor {
    let each = [loss, right, &gradient.largest()].map(|value| value.detach().to_kind(Kind::Double));
    Tensor::stack(&each, 0)
}

fn rows(rows: &[Tensor]) -> Vec<Row> {
    if rows.is_empty() {
        return Vec::new();
    }
    let values = Tensor::stack(rows, 0).to_device(Device::Cpu).reshape([-1]);
    let values = Vec::<f64>::try_from(values).expect("a flat tensor of 64-bit numbers");
    let of = |v: &[f64]| Row { loss: v[0], right: v[1] as u64, largest_gradient: v[2] };
    values.chunks(3).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(readings: &mut Readings, loss: f32, largest: f32) -> Noted {
        let gradient = Tensor::from_slice(&[0.5f32, -largest, 0.1]).into();
        readings.note(row(&Tensor::from(loss), &Tensor::from(7i64), &gradient))
    }

    fn is_open(noted: Noted) -> bool {
        let Noted::Gated(gate) = noted else { panic!("{noted:?}") };
        gate.int64_value(&[]) == 1
    }

    const TIME: StepTime = StepTime { step_s: 0.0, wait_s: 0.0 };

    #[test]
    fn at_once_is_before_the_update_and_every_few_is_in_order() {
        let mut at_once = Readings::new(Reading::AtOnce);
        let Noted::Known(known) = noted(&mut at_once, 0.3, 2.0) else { panic!("not read") };
        assert_eq!(known, Row { loss: f64::from(0.3f32), right: 7, largest_gradient: 2.0 });
        let mut later = Readings::new(Reading::Every(3));
        for step in 0..3 {
            assert!(!later.is_due());
            assert!(is_open(noted(&mut later, step as f32, 1.0)));
            later.took(Taken { step, pictures: 8, lr: 0.1, time: TIME });
        }
        assert!(later.is_due());
        let read = later.read();
        let losses: Vec<(u64, f64)> = read.iter().map(|(t, row)| (t.step, row.loss)).collect();
        assert_eq!(losses, [(0, 0.0), (1, 1.0), (2, 2.0)]);
        assert!(!later.is_due() && later.read().is_empty());
    }

    #[test]
    fn one_nan_among_many_gradients_shows_in_the_largest() {
        let largest = |gradient: &Tensor| {
            let apart = gradient.split(30_000, 0);
            let [apart, whole] = [Gradient::of(&apart), gradient.shallow_clone().into()]
                .map(|gradient| row(&Tensor::from(0f32), &Tensor::from(0i64), &gradient));
            let [apart, whole] = [apart, whole].map(|row| rows(&[row])[0].largest_gradient);
            assert!(apart == whole || (apart.is_nan() && whole.is_nan()), "{apart}, {whole}");
            apart
        };
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut gradient = Tensor::zeros([100_000], (Kind::Float, Device::Cpu));
            let _ = gradient.narrow(0, 77_777, 1).fill_(f64::from(bad));
            assert!(!largest(&gradient).is_finite(), "{bad}");
            let _ = gradient.fill_(1e30);
            assert_eq!(largest(&gradient), f64::from(1e30f32));
        }
    }

    #[test]
    fn a_gate_that_closed_stays_closed() {
        for (loss, largest) in [(f32::NAN, 1.0), (1.0, f32::INFINITY), (1.0, f32::NAN)] {
            let mut readings = Readings::new(Reading::Every(100));
            assert!(is_open(noted(&mut readings, 1.0, 1.0)));
            assert!(!is_open(noted(&mut readings, loss, largest)), "{loss} {largest}");
            assert!(!is_open(noted(&mut readings, 1.0, 1.0)));
        }
        let row = Row { loss: 1.0, right: 0, largest_gradient: f64::NAN };
        assert_eq!(row.bad().unwrap().0, "the largest gradient");
    }
}
