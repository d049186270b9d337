//! All parameters of a group, cut and gathered into stretches that a step moves one by one.
//!
//! On the CPU a stretch stays in a core's cache while the formula passes over it a dozen times, and
//! the weights right after it. On another device each operation costs its launch, so there all is
//! one stretch, and one piece where the parameters lie end to end (`flat.rs`).

use tch::{Device, Kind, Tensor};

use super::{as_it_lies, flat};

/// Numbers of a stretch: four tensors of so many fit into a core's second-level cache.
const STRETCH: i64 = 1 << 16;

/// Views of `parameters`, stretch by stretch: a long parameter makes several, short ones share
/// one. One that cannot be cut, because it lies in memory in another order than [`as_it_lies`] has
/// it, is a stretch of its own.
pub(super) fn of(parameters: &[Tensor]) -> Vec<Vec<Tensor>> {
    let on_cpu = parameters.iter().all(|parameter| parameter.device() == Device::Cpu);
    let most = if on_cpu { STRETCH } else { i64::MAX };
    match flat::seen_as_one(parameters) {
        Some(flat) => cut(&[flat], most),
        None => cut(parameters, most),
    }
}

fn cut(parameters: &[Tensor], most: i64) -> Vec<Vec<Tensor>> {
    let (mut stretches, mut room) = (Vec::new(), 0);
    for parameter in parameters.iter().map(as_it_lies) {
        if !parameter.is_contiguous() {
            stretches.push(vec![parameter]);
            room = 0;
            continue;
        }
        let (row, numbers, mut at) = (parameter.view([-1]), parameter.numel() as i64, 0);
        while at < numbers {
            if room == 0 {
                stretches.push(Vec::new());
                room = most;
            }
            let length = room.min(numbers - at);
            let stretch = stretches.last_mut().expect("there is room in one");
            stretch.push(row.narrow(0, at, length));
            (at, room) = (at + length, room - length);
        }
    }
    stretches
}

/// Adds to each piece, times `keep`, its part of `change`; nothing if `open []` (bool) is false.
pub(super) fn add(change: &Tensor, pieces: Vec<Tensor>, keep: f64, open: Option<&Tensor>) {
    let change = match open {
        Some(open) => change.where_self(open, &change.zeros_like()),
        None => change.shallow_clone(),
    };
    let one = || Tensor::ones([], (Kind::Float, change.device()));
    let gated = open.map(|open| (one() * keep).where_self(open, &one()));
    let mut start = 0;
    for mut piece in pieces {
        let length = piece.numel() as i64;
        match &gated {
            _ if keep == 1.0 => {}
            Some(keep) => drop(piece.g_mul_(keep)),
            None => drop(piece.g_mul_scalar_(keep)),
        }
        let _ = piece.g_add_(&change.narrow(0, start, length).view_as(&piece));
        start += length;
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;

    #[test]
    fn a_step_is_the_same_however_parameters_lie_and_are_cut() {
        // Longer than a stretch, shorter, in torch's order and in channels_last.
        let cpu = (Kind::Float, Device::Cpu);
        let long = Tensor::zeros([STRETCH + 3], cpu);
        let nchw = Tensor::zeros([2, 3, 4, 5], cpu);
        let nhwc = Tensor::zeros([2, 4, 5, 3], cpu).permute([0, 3, 1, 2]);
        let parameters = vec![long, nchw, nhwc, Tensor::zeros([7], cpu)];
        let pieces = of(&parameters);
        let lengths: Vec<usize> =
            pieces.iter().map(|pieces| pieces.iter().map(Tensor::numel).sum()).collect();
        assert_eq!(lengths, [STRETCH as usize, 3, 120, 127]);
        let group = ParameterGroup::of_all(parameters);
        let gradient = Tensor::arange(group.numbers(), cpu);
        let sgd = Optimizer::Sgd(Sgd { lr: 1.0, momentum: 0.0, ..sgd::SETTINGS });
        let mut moments = Moments::zeros(&sgd, group.numbers(), Device::Cpu);
        let groups = [group];
        sgd.step(&groups, &gradient.copy().into(), &mut moments, 1.0);
        assert_eq!(flatten(&groups[0].parameters), -gradient);
    }
}
