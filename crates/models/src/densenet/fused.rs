//! A whole dense block as one operation of the graph, on the CPU.
//!
//! It computes what `block.rs` computes layer by layer, in an order that touches less memory:
//!
//! - every layer writes its maps into one tensor that has room for all, and reads those before it
//!   where they lie: nothing is concatenated;
//! - the batch's moments of a map are the same for all layers that see it, so they are taken once;
//! - backward lets every layer add its gradient onto one tensor, from the last layer to the first;
//!   what is whole then, a layer's own maps, goes to that layer side by side.
//!
//! Backward needs the activated maps again, for the convolutions' weights. [`Memory::Keep`] keeps
//! them; [`Memory::Recompute`] computes them from what lies in the block (Pleiss et al. 2017,
//! *Memory-Efficient Implementation of DenseNets*, arXiv:1707.06990). Both give the same bits.
//! Evaluation keeps nothing, and a layer's first convolution takes the second's norm along.

use catscan_torch_ext::convolution::Plan;
use catscan_torch_ext::gradient::{is_recorded, with_gradient};
use catscan_torch_ext::norm_relu::{To, copy, copy_with_moments, empty, empty_like, fits, packed};
use tch::{Tensor, no_grad};

use super::NormReluConv;
use super::block::{DenseBlock, DenseLayer};
use crate::config::Memory;
use crate::layers::Statistics;
use crate::layers::fused::{self, Ran};
use crate::mode::Mode;
use crate::run::Run;

/// Whether the block runs as one: nobody looks into it, nothing is dropped, and either all of its
/// norms go by the batch or none.
pub fn applies(block: &DenseBlock, x: &Tensor, run: &Run) -> bool {
    let steps = || block.layers.iter().flat_map(|layer| layer.steps());
    let moved = steps().filter(|step| step.norm.uses_batch_statistics(run.mode)).count();
    run.fuses()
        && fits(x)
        && steps().all(|step| fused::fits(&step.norm.weight, x))
        && (moved == 0 || moved == steps().count())
        && (!run.mode.is_train() || steps().all(|step| step.dropout.rate == 0.0))
}

/// `[N, C, H, W] -> [N, C + layers·k, H, W]`.
pub fn forward(block: &DenseBlock, x: &Tensor, run: &mut Run) -> Tensor {
    if !is_recorded() && !block.layers[0].first.norm.uses_batch_statistics(run.mode) {
        return evaluated(block, x, run);
    }
    let mut inputs = vec![x];
    for step in block.layers.iter().flat_map(|layer| layer.steps()) {
        step.conv.folded.clear();
        inputs.extend([&step.norm.weight, &step.norm.bias, &step.conv.weight]);
        inputs.extend(&step.conv.bias);
    }
    let (maps, kept) = no_grad(|| computed(block, x, run.mode));
    let (all, version) = (maps.shallow_clone(), maps.internal_version());
    with_gradient(maps, &inputs, move |grad, wanted| {
        assert_eq!(all.internal_version(), version, "a dense block's maps were overwritten");
        backward(&all, &kept, grad, wanted)
    })
}

/// The same without backward, by the running statistics.
fn evaluated(block: &DenseBlock, x: &Tensor, run: &mut Run) -> Tensor {
    let (n, mut seen, h, w) = x.size4().expect("a map is [N, C, H, W]");
    let maps = empty([n, block.room(seen), h, w], x.kind());
    copy(x, &maps.narrow(1, 0, seen));
    for DenseLayer { first, second } in &block.layers {
        let activated = first.norm.forward_relu(&maps.narrow(1, 0, seen), run);
        let new = match second {
            None => first.conv.forward(&activated, run),
            Some(second) => {
                let y = first.conv.forward_norm_relu(&activated, &second.norm, run);
                second.conv.forward(&y, run)
            }
        };
        let count = new.size()[1];
        copy(&new, &maps.narrow(1, seen, count));
        seen += count;
    }
    maps
}

/// What one step of one layer leaves for backward.
struct Kept {
    ran: Ran,
    /// `relu(norm(x))`, unless it is to be computed again.
    activated: Option<Tensor>,
    /// As the convolution took it.
    weight: Tensor,
    has_bias: bool,
    plan: Plan,
}

/// The steps of one layer: one or two.
type Layer = Vec<Kept>;

fn computed(block: &DenseBlock, x: &Tensor, mode: Mode) -> (Tensor, Vec<Layer>) {
    let (n, mut seen, h, w) = x.size4().expect("a map is [N, C, H, W]");
    let room = block.room(seen);
    let maps = empty([n, room, h, w], x.kind());
    let first = &block.layers[0].first.norm;
    let own = first.uses_batch_statistics(mode);
    let mean = first.weight.new_empty([room], (first.weight.kind(), x.device()));
    let var = mean.empty_like();
    let append = |at: i64, new: &Tensor| {
        let count = new.size()[1];
        let to = maps.narrow(1, at, count);
        match own {
            true => {
                let (mean, var) = (mean.narrow(0, at, count), var.narrow(0, at, count));
                copy_with_moments(new, &to, &mean, &var);
            }
            false => copy(new, &to),
        }
    };
    append(0, x);
    let mut kept = Vec::new();
    for layer in &block.layers {
        let norm = &layer.first.norm;
        let statistics = if own {
            let (mean, var) = (mean.narrow(0, 0, seen), var.narrow(0, 0, seen));
            norm.running.move_towards(&mean, &var, n * h * w);
            Statistics { mean, var, own }
        } else {
            norm.running.known()
        };
        let mut steps = Vec::new();
        let x = maps.narrow(1, 0, seen);
        let mut y = step(&layer.first, &x, statistics, block.memory, &mut steps);
        if let Some(second) = &layer.second {
            let statistics = second.norm.statistics(&y, mode);
            y = step(second, &y, statistics, block.memory, &mut steps);
        }
        append(seen, &y);
        seen += layer.growth();
        kept.push(steps);
    }
    (maps, kept)
}

fn step(
    NormReluConv { norm, conv, .. }: &NormReluConv,
    x: &Tensor,
    statistics: Statistics,
    memory: Memory,
    steps: &mut Layer,
) -> Tensor {
    let ran = Ran::new(norm, x, statistics);
    let activated = ran.norm().relu(&ran.x, None);
    let weight = conv.weight.detach();
    let plan = Plan::of(&activated, &weight, conv.bias.is_some(), conv.steps());
    // Else both passes would round it.
    let weight = if plan.rounds() { weight } else { weight.to_kind(x.kind()) };
    let bias = conv.bias.as_ref().map(|bias| bias.detach().to_kind(x.kind()));
    let y = plan.forward(&activated, &weight, bias.as_ref());
    let activated = (memory == Memory::Keep).then_some(activated);
    steps.push(Kept { ran, activated, weight, has_bias: bias.is_some(), plan });
    packed(&y)
}

/// The gradients of x and of each step's γ, β, weight and bias.
fn backward(maps: &Tensor, kept: &[Layer], grad: &Tensor, wanted: &[bool]) -> Vec<Option<Tensor>> {
    let mut found: Vec<Option<Tensor>> = wanted.iter().map(|_| None).collect();
    let mut place = found.len();
    // The sum of what later layers want: not in the incoming one, which others may hold.
    let (incoming, grads) = (packed(grad), empty_like(maps));
    let mut sum = &incoming;
    let mut grad = dense(&incoming.narrow(1, seen(kept), maps.size()[1] - seen(kept)));
    for (layer, steps) in kept.iter().enumerate().rev() {
        for (number, step) in steps.iter().enumerate().rev() {
            let again;
            let activated = match &step.activated {
                Some(activated) => activated,
                None => {
                    again = step.ran.norm().relu(&step.ran.x, None);
                    &again
                }
            };
            place -= 3 + usize::from(step.has_bias);
            let wanted = [true, wanted[place + 2], step.has_bias && wanted[place + 3]];
            let [of_activated, of_weight, of_bias] =
                step.plan.backward(&grad, activated, &step.weight, wanted);
            let of_activated = packed(&of_activated.expect("wanted"));
            let ran = &step.ran;
            let sums = ran.parameter_gradients(&of_activated);
            grad = if number == 0 {
                // The maps of the layer before are another's no more: their gradient is whole.
                let before = seen(&kept[..layer]);
                let last = empty_like(&ran.x.narrow(1, before, ran.maps() - before));
                let base = &sum.narrow(1, 0, ran.maps());
                let to = To::Onto { base, first: &grads, last: &last };
                ran.input_gradient(&of_activated, &sums, to);
                last
            } else {
                ran.input_gradient(&of_activated, &sums, To::Over(&of_activated));
                of_activated
            };
            found[place] = Some(sums.0);
            found[place + 1] = Some(sums.1);
            found[place + 2] = of_weight;
            if step.has_bias {
                found[place + 3] = of_bias;
            }
        }
        sum = &grads;
    }
    found[0] = Some(grad);
    found
}

/// Maps before the last of these layers' own: none before the block's input.
fn seen(layers: &[Layer]) -> i64 {
    layers.last().map_or(0, |steps| steps[0].ran.maps())
}

/// A copy of some maps of a larger tensor, for who wants them side by side, as a convolution does.
fn dense(maps: &Tensor) -> Tensor {
    let side_by_side = empty_like(maps);
    copy(maps, &side_by_side);
    side_by_side
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::builder::Builder;
    use crate::densenet::DENSENET_MINI;
    use crate::taps::Taps;

    #[test]
    fn recompute_keeps_no_activated_map() {
        let mut builder = Builder::alone("block", Device::Cpu);
        let mut block = DenseBlock::new(&mut builder, "b".into(), 2, 8, &DENSENET_MINI);
        let x = packed(&Tensor::rand([2, 8, 4, 4], (Kind::Float, Device::Cpu)));
        let (mut off, mut all) = (Taps::off(), Taps::all());
        assert!(applies(&block, &x, &Run::new(Mode::TRAIN, &mut off)));
        assert!(!applies(&block, &x, &Run::new(Mode::TRAIN, &mut all)));
        for (memory, kept) in [(Memory::Keep, true), (Memory::Recompute, false)] {
            block.memory = memory;
            let (maps, layers) = no_grad(|| computed(&block, &x, Mode::TRAIN));
            assert_eq!(maps.size()[1], 8 + 2 * DENSENET_MINI.growth);
            let mut steps = layers.iter().flatten();
            assert!(steps.all(|step| step.activated.is_some() == kept), "{memory:?}");
        }
    }
}
