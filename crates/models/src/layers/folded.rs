//! In evaluation on the CPU: a convolution with the batch norm after it folded in, and the ReLU
//! after that, as one operation.
//!
//! A norm that goes by its running statistics is a scale and a shift by channel, which the
//! convolution before it can do (Jacob et al. 2018, arXiv:1712.05877, §3.2):
//!
//! ```text
//! W' = W γ / √(σ² + eps)        b' = β + (b - μ) γ / √(σ² + eps)
//! ```
//!
//! `W'` is also brought into oneDNN's own order ([`Packed`]), which otherwise every call does anew:
//! of one picture that is most of a forward. Both are made at the first forward and kept for as
//! long as neither the tensors nor the maps' shape change. Where backward will be asked for, where
//! a tap looks into the network, and where weights share their memory with other tensors, the
//! layers run one by one. The results are the same but for rounding (tested over MODELS).
//!
//! oneDNN's ReLU makes 0 of NaN, where every other of ours keeps it. So that damaged weights don't
//! answer as if they were whole, the layers also run one by one where a number of the weights is
//! not finite ([`crate::sound`]) or where folding makes such a number.

use std::cell::RefCell;

use catscan_torch_ext::convolution::{Packed, Steps};
use catscan_torch_ext::gradient::is_recorded;
use catscan_torch_ext::stamp::Stamp;
use tch::{Kind, Tensor};

use super::{BatchNorm2d, Conv2d};
use crate::run::Run;
use crate::sound::is_finite;

/// What a convolution keeps between two forwards of evaluation.
#[derive(Debug, Default)]
pub struct Folded(RefCell<Option<Box<Entry>>>);

#[derive(Debug)]
struct Entry {
    /// Of [`sources`].
    stamps: Vec<Stamp>,
    /// Of the maps it was made for.
    shape: Vec<i64>,
    kind: Kind,
    conv: Packed,
}

impl Folded {
    /// Lets go of what is kept: the weights are about to change.
    pub fn clear(&self) {
        self.0.replace(None);
    }
}

/// `relu(norm(conv(x)))`, without norm or ReLU where there is none; None where the layers must run
/// one by one. The norm must go by its running statistics.
pub fn forward(
    conv: &Conv2d,
    norm: Option<&BatchNorm2d>,
    relu: bool,
    x: &Tensor,
    run: &mut Run,
) -> Option<Tensor> {
    if is_recorded() || !run.fuses() || !fits(conv, x) {
        return None;
    }
    let sources = sources(conv, norm);
    let mut kept = conv.folded.0.borrow_mut();
    if !kept.as_ref().is_some_and(|entry| entry.is_of(&sources, x)) {
        *kept = None; // its stamps first: they hold the tensors' memory
        *kept = Entry::new(conv, norm, &sources, x, run).map(Box::new);
    }
    kept.as_ref().map(|entry| entry.conv.run(x, relu))
}

fn fits(conv: &Conv2d, x: &Tensor) -> bool {
    conv.weight.kind() == Kind::Float && conv.weight.device() == x.device() && Packed::fits(x)
}

/// All that the folded weight and bias are computed from.
fn sources<'a>(conv: &'a Conv2d, norm: Option<&'a BatchNorm2d>) -> Vec<&'a Tensor> {
    let mut sources = vec![&conv.weight];
    sources.extend(&conv.bias);
    if let Some(norm) = norm {
        sources.extend([&norm.weight, &norm.bias, &norm.running.mean, &norm.running.var]);
    }
    sources
}

impl Entry {
    /// None where a source could change unseen, or where a number of it is not finite: then no
    /// later layer of this forward may hide that either.
    fn new(
        conv: &Conv2d,
        norm: Option<&BatchNorm2d>,
        sources: &[&Tensor],
        x: &Tensor,
        run: &mut Run,
    ) -> Option<Entry> {
        let stamps = sources.iter().map(|source| Stamp::of(source)).collect::<Option<_>>()?;
        let (weight, bias) = fold(conv, norm);
        let (weight, bias) = (weight.to_kind(x.kind()), bias.map(|bias| bias.to_kind(x.kind())));
        if ![Some(&weight), bias.as_ref()].into_iter().flatten().all(is_finite) {
            run.go_apart();
            return None;
        }
        let steps = Steps { stride: conv.stride, padding: conv.padding };
        let packed = Packed::new(&weight, bias, steps, x);
        Some(Entry { stamps, shape: x.size(), kind: x.kind(), conv: packed })
    }

    fn is_of(&self, sources: &[&Tensor], x: &Tensor) -> bool {
        self.kind == x.kind()
            && self.shape == x.size()
            && self.stamps.len() == sources.len()
            && self.stamps.iter().zip(sources).all(|(stamp, source)| stamp.is_of(source))
    }
}

/// `W'` and `b'`, 32-bit.
fn fold(conv: &Conv2d, norm: Option<&BatchNorm2d>) -> (Tensor, Option<Tensor>) {
    let bias = conv.bias.as_ref();
    let Some(norm) = norm else {
        return (conv.weight.detach(), bias.map(Tensor::detach));
    };
    let scale = &norm.weight / (&norm.running.var + norm.eps).sqrt();
    let shift = match bias {
        Some(bias) => &norm.bias + (bias - &norm.running.mean) * &scale,
        None => &norm.bias - &norm.running.mean * &scale,
    };
    (&conv.weight * scale.view([-1, 1, 1, 1]), Some(shift))
}

#[cfg(test)]
mod tests {
    use tch::{Device, no_grad};

    use super::*;
    use crate::builder::Builder;
    use crate::init::Fan;
    use crate::layers::ConvShape;
    use crate::mode::Mode;
    use crate::taps::Taps;

    fn layers(bias: bool) -> (Conv2d, BatchNorm2d) {
        let shape = ConvShape {
            in_channels: 3,
            out_channels: 4,
            size: 3,
            stride: 1,
            padding: 1,
            bias,
            fan: Fan::In,
        };
        let mut builder = Builder::alone("layers", Device::Cpu);
        let conv = Conv2d::new(&mut builder, "conv".into(), shape);
        let norm = BatchNorm2d::new(&mut builder, "norm".into(), 4);
        no_grad(|| {
            for (tensor, start) in [
                (&norm.weight, -1.5),
                (&norm.bias, 0.5),
                (&norm.running.mean, -0.1),
                (&norm.running.var, 0.2),
            ] {
                let values = Tensor::arange(4, (Kind::Float, Device::Cpu)) + start;
                tensor.shallow_clone().copy_(&values);
            }
        });
        (conv, norm)
    }

    #[test]
    fn it_is_the_layers_one_by_one_and_follows_every_change() {
        let x = Tensor::rand([2, 3, 5, 6], (Kind::Float, Device::Cpu));
        for bias in [false, true] {
            let (conv, norm) = layers(bias);
            let apart = || {
                let mut off = Taps::off();
                let run = &mut Run::new(Mode::Eval, &mut off);
                let folded = no_grad(|| forward(&conv, Some(&norm), true, &x, run));
                let y = conv.forward(&x, run);
                (norm.forward(&y, run).relu() - folded.unwrap()).abs().max()
            };
            // Sums of 27 products of numbers near 1, and divisions by about 0.5.
            assert!(apart().double_value(&[]) < 1e-5);
            for tensor in sources(&conv, Some(&norm)) {
                let _ = no_grad(|| tensor.shallow_clone().g_mul_scalar_(1.5));
                assert!(apart().double_value(&[]) < 1e-5);
            }
        }
    }

    #[test]
    fn it_is_kept_while_nothing_changes_and_nobody_looks() {
        let (conv, norm) = layers(false);
        let x = Tensor::rand([2, 3, 5, 6], (Kind::Float, Device::Cpu));
        let run = |taps: &mut Taps| {
            forward(&conv, Some(&norm), false, &x, &mut Run::new(Mode::Eval, taps)).is_some()
        };
        assert!(!run(&mut Taps::off()), "backward could be asked for");
        assert!(!no_grad(|| run(&mut Taps::all())), "a tap looks");
        assert!(no_grad(|| run(&mut Taps::off())));
        let address = || {
            let kept = conv.folded.0.borrow();
            kept.as_ref().map(|entry| entry.stamps.as_ptr())
        };
        let first = address().unwrap();
        assert!(no_grad(|| run(&mut Taps::off())));
        assert_eq!(address(), Some(first), "made once");
        let _ = conv.forward(&x, &mut Run::new(Mode::Eval, &mut Taps::off()));
        assert_eq!(address(), None, "a training forward lets go of it");
    }
}
