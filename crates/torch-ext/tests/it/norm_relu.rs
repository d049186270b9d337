//! The fused norm, addition and ReLU against libtorch's own, one after the other.

use catscan_torch_ext::norm_relu::{
    Norm, To, Was, copy, copy_with_moments, empty_like, fits, moments, move_running, packed,
};
use tch::{Device, Kind, Tensor};

const EPS: f64 = 1e-3;

/// Values without a pattern in any axis, around `center`.
fn noise(dims: &[i64], center: f64, kind: Kind) -> Tensor {
    let count = dims.iter().product::<i64>();
    let steps = Tensor::arange(count, (Kind::Double, Device::Cpu));
    ((steps * 12.9898).sin() * 43758.5453).frac().view(dims).to_kind(kind) + center
}

/// `[N, C, H, W]` in channels_last.
fn map([n, c, h, w]: [i64; 4], center: f64, kind: Kind) -> Tensor {
    noise(&[n, h, w, c], center, kind).permute([0, 3, 1, 2])
}

/// How far `got` may be from `wanted`, as a share of its largest value: some last bits of the kind.
fn assert_close(got: &Tensor, wanted: &Tensor, kind: Kind, what: &str) {
    let tolerance = match kind {
        Kind::Double => 1e-12,
        Kind::Float => 2e-5,
        _ => 2e-2,
    };
    assert_eq!(got.size(), wanted.size(), "{what}");
    let (got, wanted) = (got.to_kind(Kind::Double), wanted.to_kind(Kind::Double));
    let scale = wanted.abs().max().double_value(&[]);
    let worst = (got - wanted).abs().max().double_value(&[]);
    assert!(worst <= tolerance * scale, "{what}, {kind:?}: {worst:e} of {scale:e}");
}

struct Case {
    x: Tensor,
    addend: Option<Tensor>,
    weight: Tensor,
    bias: Tensor,
    grad: Tensor,
    /// Normalised by these instead of the batch's.
    learned: Option<(Tensor, Tensor)>,
}

impl Case {
    fn new(dims: [i64; 4], kind: Kind, adds: bool, learned: bool) -> Case {
        let wide = if kind == Kind::Double { kind } else { Kind::Float };
        let vector = |center| noise(&[dims[1]], center, wide);
        Case {
            x: map(dims, 0.3, kind),
            addend: adds.then(|| map(dims, -0.4, kind)),
            weight: vector(0.5),
            bias: vector(-0.5),
            grad: map(dims, -0.2, kind),
            learned: learned.then(|| (vector(0.1), vector(0.7).abs())),
        }
    }

    /// libtorch's: the result and the gradients of x, γ, β and the addend. For bf16 maps in 32-bit:
    /// it would round the norm before the addition, and so open other ReLUs.
    fn theirs(&self) -> Vec<Tensor> {
        let wide = self.weight.kind();
        let leaf = |tensor: &Tensor| tensor.to_kind(wide).detach().copy().set_requires_grad(true);
        let (x, weight, bias) = (leaf(&self.x), leaf(&self.weight), leaf(&self.bias));
        let mean = self.learned.as_ref().map(|(mean, _)| mean);
        let var = self.learned.as_ref().map(|(_, var)| var);
        let training = self.learned.is_none();
        let mut y = x.batch_norm(Some(&weight), Some(&bias), mean, var, training, 0.1, EPS, false);
        let addend = self.addend.as_ref().map(leaf);
        if let Some(addend) = &addend {
            y += addend;
        }
        let y = y.relu();
        let mut inputs = vec![&x, &weight, &bias];
        inputs.extend(&addend);
        let product = (&y * &self.grad).sum(Kind::Double);
        let mut found = Tensor::run_backward(&[product], &inputs, false, false);
        found.insert(0, y.detach());
        found
    }

    fn ours(&self) -> Vec<Tensor> {
        let (mean, var) = match &self.learned {
            Some((mean, var)) => (mean.shallow_clone(), var.shallow_clone()),
            None => moments(&self.x),
        };
        let norm =
            Norm { weight: &self.weight, bias: &self.bias, mean: &mean, var: &var, eps: EPS };
        let y = norm.relu(&self.x, self.addend.as_ref());
        let was = Was { x: &self.x, y: self.addend.as_ref().map(|_| &y) };
        let sums = norm.parameter_gradients(was, &self.grad);
        let (grad_x, grad_addend) = (empty_like(&self.x), empty_like(&self.x));
        let added = self.addend.as_ref().map(|_| &grad_addend);
        let own = self.learned.is_none().then_some(&sums);
        norm.input_gradient(was, &self.grad, own, To::Over(&grad_x), added);
        let mut found = vec![y.shallow_clone(), grad_x, sums.0, sums.1];
        found.extend(added.map(Tensor::shallow_clone));
        found
    }
}

const KINDS: [Kind; 3] = [Kind::Double, Kind::Float, Kind::BFloat16];
const NAMES: [&str; 5] = ["result", "of x", "of γ", "of β", "of the addend"];

#[test]
fn equals_norm_then_addition_then_relu() {
    // The last has more than one tile of rows.
    for dims in [[2, 5, 3, 4], [1, 16, 2, 2], [3, 1, 4, 4], [3, 33, 1, 1], [9, 32, 24, 24]] {
        for (adds, learned) in [(false, false), (true, false), (false, true), (true, true)] {
            for kind in KINDS {
                let case = Case::new(dims, kind, adds, learned);
                let (ours, theirs) = (case.ours(), case.theirs());
                assert_eq!(ours.len(), theirs.len());
                for (name, (ours, theirs)) in NAMES.iter().zip(ours.iter().zip(&theirs)) {
                    let what = format!("{name}, {dims:?}, adds {adds}, learned {learned}");
                    assert_close(ours, theirs, kind, &what);
                }
            }
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let case = Case::new([9, 48, 24, 24], Kind::Float, true, false);
    let threads = tch::get_num_threads();
    let [one, many] = [1, 4].map(|threads| {
        tch::set_num_threads(threads);
        case.ours()
    });
    tch::set_num_threads(threads);
    assert_eq!(one, many);
}

#[test]
fn a_look_at_some_channels_is_a_map_too() {
    for kind in KINDS {
        let whole = map([2, 12, 5, 5], 0.0, kind);
        let part = Case { x: whole.narrow(1, 0, 7), ..Case::new([2, 7, 5, 5], kind, false, false) };
        let alone =
            Case { x: map([2, 7, 5, 5], 0.0, kind), ..Case::new([2, 7, 5, 5], kind, false, false) };
        alone.x.shallow_clone().copy_(&part.x);
        assert_eq!(part.ours(), alone.ours());
    }
}

#[test]
fn some_channels_are_copied_in_and_out_and_the_rest_stays() {
    for kind in [Kind::Float, Kind::BFloat16, Kind::Double] {
        for count in [1, 3, 16, 33] {
            // More than one tile, and a row that no thread has whole.
            let all = map([2, 40, 61, 37], 0.0, kind);
            let wanted = all.copy();
            let new = map([2, count, 61, 37], 5.0, kind);
            wanted.narrow(1, 5, count).copy_(&new);
            copy(&new, &all.narrow(1, 5, count));
            assert_eq!(all, wanted, "{kind:?}, {count}");
            let out = empty_like(&new);
            copy(&all.narrow(1, 5, count), &out);
            assert_eq!(out, new, "{kind:?}, {count}");
            // One value for all, and channels that are no neighbours: as libtorch does it.
            copy(&Tensor::ones([1, 1, 1, 1], (kind, Device::Cpu)).expand_as(&new), &out);
            assert_eq!(out, new.ones_like(), "{kind:?}, {count}");
        }
    }
}

#[test]
fn a_gradient_goes_onto_what_is_there() {
    let case = Case::new([2, 7, 5, 5], Kind::Double, false, false);
    let (mean, var) = moments(&case.x);
    let norm = Norm { weight: &case.weight, bias: &case.bias, mean: &mean, var: &var, eps: EPS };
    let was = Was { x: &case.x, y: None };
    let sums = norm.parameter_gradients(was, &case.grad);
    let theirs = &case.theirs()[1];
    let whole = map([2, 9, 5, 5], 3.0, Kind::Double);
    let before = whole.copy();
    let (seen, seen_before) = (whole.narrow(1, 0, 7), before.narrow(1, 0, 7));
    for last in [7, 3] {
        let first = 7 - last;
        let apart = empty_like(&case.x.narrow(1, first, last));
        // From the whole to itself, and from elsewhere.
        for base in [&seen, &seen_before] {
            whole.shallow_clone().copy_(&before);
            let to = To::Onto { base, first: &whole, last: &apart };
            norm.input_gradient(was, &case.grad, Some(&sums), to, None);
            let sum = Tensor::cat(&[&whole.narrow(1, 0, first), &apart], 1);
            assert_close(&(sum - &seen_before), theirs, Kind::Double, "what was added");
            let others = |map: &Tensor| map.narrow(1, first, 9 - first);
            assert_eq!(others(&whole), others(&before), "{last}");
        }
    }
}

#[test]
fn a_copy_takes_its_moments_along() {
    for kind in KINDS {
        let x = map([3, 5, 4, 6], 0.5, kind);
        let all = map([3, 9, 4, 6], 3.0, kind);
        let before = all.copy();
        let (mean, var) = moments(&x);
        let (own_mean, own_var) = (mean.empty_like(), var.empty_like());
        copy_with_moments(&x, &all.narrow(1, 2, 5), &own_mean, &own_var);
        assert_eq!((own_mean, own_var), (mean, var), "{kind:?}");
        assert_eq!(all.narrow(1, 2, 5), x, "{kind:?}");
        for (from, count) in [(0, 2), (7, 2)] {
            assert_eq!(all.narrow(1, from, count), before.narrow(1, from, count), "{kind:?}");
        }
    }
}

#[test]
fn a_far_mean_cancels_nothing() {
    let x = map([4, 3, 16, 16], 1e4, Kind::Float);
    let (mean, var) = moments(&x);
    let (wanted_var, wanted_mean) =
        x.to_kind(Kind::Double).var_mean_dim([0i64, 2, 3].as_slice(), false, false);
    assert_close(&mean, &wanted_mean, Kind::Float, "mean");
    assert!((var.to_kind(Kind::Double) / wanted_var - 1.0).abs().max().double_value(&[]) < 1e-3);
}

#[test]
fn a_nan_is_seen() {
    for kind in KINDS {
        let mut case = Case::new([2, 5, 3, 4], kind, false, true);
        let _ = case.x.select(0, 1).select(0, 2).select(0, 1).select(0, 3).fill_(f64::NAN);
        let ours = case.ours();
        assert_eq!(ours[0].isnan().sum(Kind::Int64).int64_value(&[]), 1, "{kind:?}");
        case.x = map([2, 5, 3, 4], 0.3, kind);
        let _ = case.grad.fill_(f64::NAN);
        assert!(case.ours()[1].isnan().any().int64_value(&[]) == 1, "{kind:?}");
    }
}

#[test]
fn bf16_is_rounded_to_the_nearest() {
    let values = [1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0, 1.0 + 1.0 / 128.0, 3.3e38, 1e-39];
    let x = Tensor::from_slice(&values).to_kind(Kind::BFloat16).view([1, 5, 1, 1]);
    let weight = Tensor::from_slice(&[1f32 + 1.0 / 256.0; 5]);
    let (zero, one) = (weight.zeros_like(), weight.ones_like());
    let norm = Norm { weight: &weight, bias: &zero, mean: &zero, var: &one, eps: 0.0 };
    let wanted = (x.to_kind(Kind::Float) * weight.view([1, 5, 1, 1])).to_kind(Kind::BFloat16);
    assert_eq!(norm.relu(&x, None).to_kind(Kind::Float), wanted.to_kind(Kind::Float));
}

#[test]
fn what_does_not_fit_is_told_and_can_be_packed() {
    let dense = map([2, 5, 3, 4], 0.0, Kind::Float);
    assert!(fits(&dense) && fits(&dense.narrow(1, 1, 3)));
    assert!(!fits(&dense.contiguous()), "NCHW");
    assert!(!fits(&dense.narrow(2, 0, 2)), "rows of a picture left out");
    assert!(!fits(&dense.to_kind(Kind::Half)));
    assert!(!fits(&dense.narrow(0, 0, 0)), "empty");
    assert!(!fits(&Tensor::ones([2, 5], (Kind::Float, Device::Cpu))));
    // The gradient of a mean: one value, seen everywhere.
    let expanded =
        Tensor::ones([2, 5, 1, 1], (Kind::Float, Device::Cpu)).expand([2, 5, 3, 4], false);
    for x in [dense.contiguous(), expanded] {
        assert!(!fits(&x));
        assert!(fits(&packed(&x)));
        assert_eq!(packed(&x), x);
    }
}

#[test]
fn running_statistics_move_as_libtorch_moves_them() {
    for kind in [Kind::Float, Kind::Double] {
        let (running, batch) = (noise(&[37], 0.2, kind), noise(&[37], 3.0, kind));
        let (keep, take) = (0.9, 0.1 * 20.0 / 19.0);
        let wanted = &running * keep + &batch * take;
        let before = running.internal_version();
        move_running(&running, &batch, keep, take);
        assert_eq!(running, wanted, "{kind:?}");
        assert!(running.internal_version() > before, "what is kept of it must know");
    }
}
