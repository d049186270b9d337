//! Convolutions of bf16 maps: sums of exact products, rounded once, whatever the shape and whoever
//! computes.

use catscan_torch_ext::convolution::{Plan, Steps, conv2d};
use catscan_torch_ext::norm_relu::packed as channels_last;
use tch::{Device, Kind, Tensor, no_grad};

/// bf16 numbers of both signs.
fn numbers(dims: &[i64]) -> Tensor {
    let count = dims.iter().product::<i64>();
    let ramp = (Tensor::arange(count, (Kind::Double, Device::Cpu)) * 0.7).sin();
    channels_last(&ramp.view(dims).to_kind(Kind::BFloat16))
}

/// Kernel size, picture, outputs: an odd number of pictures, a single pixel, maps smaller than
/// their kernel, no whole tiles of rows, more pixels than are packed at once.
const CASES: [(i64, [i64; 4], i64); 9] = [
    (1, [2, 64, 4, 4], 32),
    (1, [3, 32, 5, 7], 128),
    (1, [1, 32, 1, 1], 64),
    (1, [5, 32, 24, 40], 96),
    (3, [2, 128, 4, 4], 32),
    (3, [3, 64, 3, 5], 96),
    (3, [1, 32, 1, 2], 64),
    (3, [5, 32, 23, 29], 32),
    (5, [2, 32, 3, 2], 32),
];

fn steps(size: i64) -> Steps {
    Steps { stride: 1, padding: size / 2 }
}

/// Of 64-bit maps, which hold every product of bf16 numbers exactly.
fn exact(x: &Tensor, weight: &Tensor, gradient: &Tensor) -> [Tensor; 3] {
    let leaf = |tensor: &Tensor| tensor.to_kind(Kind::Double).set_requires_grad(true);
    let (x, weight) = (leaf(x), leaf(weight));
    let padding = [steps(weight.size()[2]).padding; 2];
    let y = x.conv2d(&weight, None::<Tensor>, [1; 2], padding, [1; 2], 1);
    let product = (&y * gradient.to_kind(Kind::Double)).sum(Kind::Double);
    let gradients = Tensor::run_backward(&[product], &[&x, &weight], false, false);
    let [of_x, of_weight] = gradients.try_into().unwrap();
    [y.detach(), of_x, of_weight]
}

/// The largest difference, in terms of the largest value.
fn apart(got: &Tensor, wanted: &Tensor) -> f64 {
    assert_eq!(got.size(), wanted.size());
    let largest = |x: &Tensor| x.abs().max().double_value(&[]);
    largest(&(got.to_kind(Kind::Double) - wanted)) / largest(wanted)
}

fn computed(x: &Tensor, weight: &Tensor, gradient: &Tensor) -> [Tensor; 3] {
    let plan = Plan::of(x, weight, false, steps(weight.size()[2]));
    let y = no_grad(|| plan.forward(x, weight, None));
    let [of_x, of_weight, _] = plan.backward(gradient, x, weight, [true, true, false]);
    [y, of_x.unwrap(), of_weight.unwrap()]
}

#[test]
fn values_and_gradients_are_the_exact_ones_rounded_once() {
    for (size, picture, outputs) in CASES {
        let (x, weight) = (numbers(&picture), numbers(&[outputs, picture[1], size, size]));
        let gradient = numbers(&[picture[0], outputs, picture[2], picture[3]]);
        let wanted = exact(&x, &weight, &gradient);
        let got = computed(&x, &weight, &gradient);
        // Elsewhere the patches of a 3×3 are rounded before they are added up.
        let once = Plan::of(&x, &weight, false, steps(size)).rounds();
        let roundings = if once { 1.0 } else { 4.0 };
        for (i, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
            // Sums in 32 bits of at most some thousand products; then 8 bits, where half the last
            // may be lost, or none where a weight's gradient stays in 32.
            let (sums, half) = (1e-5, 2f64.powi(-8));
            let is_bf16 = got.kind() == Kind::BFloat16;
            let tolerance = if is_bf16 { roundings * half + sums } else { sums };
            let apart = apart(got, wanted);
            assert!(apart < tolerance, "{size}, {picture:?}, {outputs}: {i} by {apart:e}");
        }
    }
}

#[test]
fn a_weight_that_is_rounded_on_the_way_gives_the_same_bits() {
    let rounds = |x: &Tensor, weight: &Tensor, has_bias: bool, steps: Steps| {
        Plan::of(x, weight, has_bias, steps).rounds()
    };
    for (size, picture, outputs) in CASES {
        let dims = [outputs, picture[1], size, size];
        let wide = channels_last(&(numbers(&dims).to_kind(Kind::Float) * 1.001));
        let x = numbers(&picture);
        if !rounds(&x, &wide, false, steps(size)) {
            eprintln!("skipped: this processor has no dot products of bf16, or has tiles");
            return;
        }
        assert!(!rounds(&x, &wide, true, steps(size)), "a bias is not added");
        assert!(!rounds(&x, &wide, false, Steps { stride: 2, padding: size / 2 }));
        assert!(!rounds(&x.to_kind(Kind::Float), &wide, false, steps(size)));
        let gradient = numbers(&[picture[0], outputs, picture[2], picture[3]]);
        let half = wide.to_kind(Kind::BFloat16);
        assert_ne!(half.to_kind(Kind::Float), wide, "something is rounded");
        assert_eq!(computed(&x, &wide, &gradient), computed(&x, &half, &gradient), "{picture:?}");
        // In the graph too, where the weight's gradient is of its kind.
        let leaf = wide.set_requires_grad(true);
        let y = conv2d(&x, &leaf, None, steps(size));
        (y * &gradient).sum(Kind::Float).backward();
        assert_eq!(leaf.grad(), computed(&x, &half, &gradient)[2]);
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let threads = tch::get_num_threads();
    for (size, picture, outputs) in CASES {
        let (x, weight) = (numbers(&picture), numbers(&[outputs, picture[1], size, size]));
        let gradient = numbers(&[picture[0], outputs, picture[2], picture[3]]);
        let [one, many] = [1, 3].map(|threads| {
            tch::set_num_threads(threads);
            computed(&x, &weight, &gradient)
        });
        tch::set_num_threads(threads);
        assert_eq!(one, many, "{size}, {picture:?}, {outputs}");
    }
}
