//! Parameters that lie end to end in one tensor, so that a step moves them all at once.
//!
//! On a CUDA device each operation costs its launch, and a DenseNet-121 has 364 parameters; as one
//! stretch `[P]` they move by one operation. (On the CPU nothing is gained, and nothing changes.)
//! A convolution's weight `[C', C, H, W]` lies as `[C', H, W, C]` in it, as everywhere here.

use tch::{Tensor, no_grad};

use super::{as_it_lies, flatten};

/// Moves `parameters` into one tensor, in their order. They stay the tensors that the model
/// computes with; only where their numbers lie has changed.
pub fn lay_end_to_end(parameters: &[Tensor]) {
    no_grad(|| {
        let flat = flatten(parameters);
        let mut start = 0;
        for parameter in parameters {
            let length = parameter.numel() as i64;
            let place = flat.narrow(0, start, length).view_as(&as_it_lies(parameter));
            let place = if parameter.dim() == 4 { place.permute([0, 3, 1, 2]) } else { place };
            parameter.shallow_clone().set_data(&place);
            start += length;
        }
    });
}

/// `[P]`: all `parameters`, where they lie end to end in one tensor.
pub(crate) fn seen_as_one(parameters: &[Tensor]) -> Option<Tensor> {
    let (first, numbers) = (parameters.first()?, numbers(parameters));
    let mut at = first.data_ptr() as usize;
    for parameter in parameters {
        if parameter.data_ptr() as usize != at || !as_it_lies(parameter).is_contiguous() {
            return None;
        }
        at += parameter.numel() * size_of::<f32>();
    }
    // Neighbours by chance lie in storages of their own, beyond whose end libtorch does not look.
    no_grad(|| first.detach().f_as_strided([numbers], [1], None).ok())
}

fn numbers(parameters: &[Tensor]) -> i64 {
    parameters.iter().map(|parameter| parameter.numel() as i64).sum()
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    fn parameters() -> Vec<Tensor> {
        let numbers = |shape: &[i64]| {
            let n: i64 = shape.iter().product();
            Tensor::arange(n, (Kind::Float, Device::Cpu)).view(shape).set_requires_grad(true)
        };
        vec![numbers(&[4, 3, 2, 2]), numbers(&[5]), numbers(&[2, 5])]
    }

    #[test]
    fn the_same_numbers_and_gradients_from_another_place() {
        let (apart, together) = (parameters(), parameters());
        assert!(seen_as_one(&apart).is_none());
        let model_holds = together[0].shallow_clone();
        lay_end_to_end(&together);
        let flat = seen_as_one(&together).expect("end to end");
        assert_eq!(flat, flatten(&apart).detach());
        assert!(together[0].requires_grad() && together[0].is_leaf());
        // One addition moves all, and the model sees it.
        let _ = no_grad(|| flat.shallow_clone().g_add_scalar_(1.0));
        for (apart, together) in apart.iter().zip(&together) {
            assert_eq!(apart + 1.0, *together);
        }
        assert_eq!(model_holds, together[0]);
        let loss = together.iter().map(|p| p.square().sum(Kind::Float)).reduce(|a, b| a + b);
        let gradients = Tensor::run_backward(&[loss.unwrap()], &together, false, false);
        assert_eq!(gradients[1], &together[1].detach() * 2.0);
    }

    #[test]
    fn a_part_of_them_is_end_to_end_too_but_not_in_another_order() {
        let all = parameters();
        lay_end_to_end(&all);
        assert_eq!(seen_as_one(&all[1..]).unwrap().size(), [15]);
        let swapped = [all[1].shallow_clone(), all[0].shallow_clone()];
        assert!(seen_as_one(&swapped).is_none());
        assert!(seen_as_one(&[]).is_none());
    }
}
