//! Convolutions by another way: the same numbers and gradients as libtorch's own.

use catscan_torch_ext::convolution::{Packed, Plan, Steps, conv2d};
use catscan_torch_ext::norm_relu::packed as channels_last;
use tch::{Device, Kind, Tensor, no_grad};

fn ramp(dims: &[i64], kind: Kind) -> Tensor {
    let count = dims.iter().product::<i64>();
    (Tensor::arange(count, (kind, Device::Cpu)) * 0.7).sin().view(dims)
}

/// libtorch's own.
fn usual(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, steps: Steps) -> Tensor {
    x.conv2d(weight, bias, [steps.stride; 2], [steps.padding; 2], [1; 2], 1)
}

/// The largest difference, in terms of the largest value.
fn apart(got: &Tensor, wanted: &Tensor) -> f64 {
    assert_eq!((got.size(), got.kind()), (wanted.size(), wanted.kind()));
    let largest = |x: &Tensor| x.abs().max().double_value(&[]);
    largest(&(got - wanted)) / largest(wanted)
}

/// Kernel size, steps, picture: matrix products where size, stride and padding are 1, 1 and 0, or
/// where the kernel has at most ten places.
const CASES: [(i64, Steps, [i64; 4]); 10] = [
    (1, Steps { stride: 1, padding: 0 }, [2, 5, 3, 4]),
    (1, Steps { stride: 1, padding: 0 }, [1, 5, 1, 1]),
    (1, Steps { stride: 2, padding: 0 }, [2, 5, 3, 4]),
    (1, Steps { stride: 1, padding: 0 }, [2, 5, 64, 64]),
    (1, Steps { stride: 2, padding: 0 }, [2, 5, 5, 2]),
    (3, Steps { stride: 2, padding: 1 }, [2, 5, 7, 6]),
    (3, Steps { stride: 1, padding: 1 }, [2, 5, 2, 2]),
    (3, Steps { stride: 2, padding: 1 }, [1, 5, 5, 4]),
    (2, Steps { stride: 3, padding: 1 }, [3, 5, 4, 2]),
    (5, Steps { stride: 1, padding: 2 }, [2, 5, 1, 3]),
];

#[test]
fn values_and_gradients_are_libtorchs() {
    // Sums of at most 8,192 products, in another order.
    for (kind, tolerance) in [(Kind::Double, 1e-12), (Kind::Float, 1e-5)] {
        for (size, steps, picture) in CASES {
            let leaf = |dims: &[i64]| match dims.len() {
                4 => channels_last(&ramp(dims, kind)).set_requires_grad(true),
                _ => ramp(dims, kind).set_requires_grad(true),
            };
            let x = channels_last(&ramp(&picture, kind)).set_requires_grad(true);
            let (weight, bias) = (leaf(&[4, 5, size, size]), leaf(&[4]));
            let inputs = [&x, &weight, &bias];
            let wanted = usual(&x, &weight, Some(&bias), steps);
            let gradient = channels_last(&ramp(&wanted.size(), kind));
            let of = |y: &Tensor| {
                let product = (y * &gradient).sum(kind);
                Tensor::run_backward(&[product], &inputs, false, false)
            };
            let got = conv2d(&x, &weight, Some(&bias), steps);
            assert!(apart(&got, &wanted) < tolerance, "{kind:?}, {size}, {steps:?}");
            let wanted = of(&wanted);
            let [x, weight] = [x.detach(), weight.detach()];
            let plan = Plan::of(&x, &weight, true, steps);
            let by_hand = plan.backward(&gradient, &x, &weight, [true; 3]);
            for (i, recorded) in of(&got).iter().enumerate() {
                let by_hand = by_hand[i].as_ref().unwrap();
                for got in [recorded, by_hand] {
                    let apart = apart(got, &wanted[i]);
                    assert!(apart < tolerance, "{kind:?}, {size}, {steps:?}: {i} by {apart:e}");
                }
            }
            let some = plan.backward(&gradient, &x, &weight, [false, true, false]);
            assert_eq!(some.map(|gradient| gradient.is_some()), [false, true, false]);
        }
    }
}

#[test]
fn a_packed_convolution_is_the_usual_one() {
    for (size, steps, picture) in CASES {
        let x = channels_last(&ramp(&picture, Kind::Float));
        let (weight, bias) = (ramp(&[4, 5, size, size], Kind::Float), ramp(&[4], Kind::Float));
        for bias in [None, Some(&bias)] {
            let conv = Packed::new(&weight, bias.map(Tensor::shallow_clone), steps, &x);
            let wanted = usual(&x, &weight, bias, steps);
            assert!(apart(&conv.run(&x, false), &wanted) < 1e-5, "{size}, {steps:?}");
            assert!(apart(&conv.run(&x, true), &wanted.relu()) < 1e-5, "{size}, {steps:?}, ReLU");
            // Another number of pictures, and a look at some of the channels of a wider map.
            let wider = channels_last(&Tensor::cat(&[&x, &x], 1));
            let wider = Tensor::cat(&[&wider, &wider], 0).narrow(1, 0, 5);
            let wanted = usual(&wider, &weight, bias, steps);
            assert!(apart(&conv.run(&wider, false), &wanted) < 1e-5, "{size}, {steps:?}, more");
        }
    }
}

#[test]
fn maps_that_cannot_be_packed_for_are_told() {
    let map = |dims: [i64; 4], kind| Tensor::zeros(dims, (kind, Device::Cpu));
    assert!(Packed::fits(&map([1, 3, 4, 4], Kind::Float)));
    assert!(!Packed::fits(&map([0, 3, 4, 4], Kind::Float)), "no pictures");
    assert!(!Packed::fits(&map([1, 3, 4, 4], Kind::Double)));
    assert!(!Packed::fits(&Tensor::zeros([3, 4], tch::kind::FLOAT_CPU)), "no map");
}

#[test]
fn bf16_rounds_as_the_usual_one_does() {
    // Without signs, so that no sum is a difference of large ones.
    let x = channels_last(&ramp(&[2, 64, 4, 4], Kind::Float).abs());
    let half = |tensor: &Tensor| tensor.to_kind(Kind::BFloat16);
    for (size, padding) in [(1, 0), (3, 1)] {
        let weight = channels_last(&ramp(&[32, 64, size, size], Kind::Float).abs());
        let steps = Steps { stride: 1, padding };
        let exact = usual(&x, &weight, None, steps);
        let got = no_grad(|| conv2d(&half(&x), &half(&weight), None, steps));
        // The inputs' 8 bits and the result's.
        let near = |got: &Tensor, exact: &Tensor| {
            let apart = apart(&got.to_kind(Kind::Float), exact);
            assert!(apart < 0.01, "{size}: {apart:e}");
        };
        near(&got, &exact);
        let gradient = channels_last(&ramp(&exact.size(), Kind::Float).abs());
        let of = |gradient: &Tensor, x: &Tensor, weight: &Tensor| {
            let plan = Plan::of(x, weight, false, steps);
            plan.backward(gradient, x, weight, [true, true, false])
        };
        let wanted = of(&gradient, &x, &weight);
        let got = of(&half(&gradient), &half(&x), &half(&weight));
        for (got, wanted) in got.iter().zip(&wanted).take(2) {
            near(got.as_ref().unwrap(), wanted.as_ref().unwrap());
        }
    }
}

#[test]
fn backward_goes_the_way_that_forward_went() {
    // In bf16 a convolution with a bias goes another way than one without, where there are dot
    // products: that its bias is frozen is no reason to come back by that.
    for kind in [Kind::Float, Kind::BFloat16] {
        let steps = Steps { stride: 1, padding: 1 };
        let of = |bias_is_frozen: bool| {
            let leaf = |dims: &[i64]| {
                let tensor = ramp(dims, Kind::Float).to_kind(kind);
                if dims.len() == 4 { channels_last(&tensor) } else { tensor }
            };
            let (x, weight) = (leaf(&[2, 64, 4, 4]), leaf(&[32, 64, 3, 3]));
            let bias = leaf(&[32]).set_requires_grad(!bias_is_frozen);
            let (x, weight) = (x.set_requires_grad(true), weight.set_requires_grad(true));
            let y = conv2d(&x, &weight, Some(&bias), steps);
            (&y * y.detach()).sum(Kind::Float).backward();
            [y.detach(), x.grad(), weight.grad()]
        };
        assert_eq!(of(true), of(false), "{kind:?}");
    }
}

#[test]
fn a_plan_for_other_tensors_is_refused() {
    let map = |dims: &[i64]| channels_last(&ramp(dims, Kind::Float));
    let (x, weight) = (map(&[2, 5, 3, 4]), map(&[4, 5, 1, 1]));
    let plan = Plan::of(&x, &weight, false, Steps { stride: 1, padding: 0 });
    let gradient = map(&[2, 4, 3, 4]);
    let refused = |gradient: &Tensor, x: &Tensor, weight: &Tensor| {
        let (gradient, x) = (gradient.shallow_clone(), x.shallow_clone());
        let weight = weight.shallow_clone();
        let run = move || plan.backward(&gradient, &x, &weight, [true, true, false]);
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_err();
        catscan_torch_ext::panics::text(&*panic).unwrap().to_owned()
    };
    // Some of the channels of a wider map: between its pixels lie others' numbers.
    let narrow = map(&[2, 10, 3, 4]).narrow(1, 0, 5);
    for (x, weight) in [(&narrow, &weight), (&x, &map(&[4, 6, 1, 1]))] {
        let text = refused(&gradient, x, weight);
        assert!(text.contains("a convolution was planned for other maps"), "{text}");
    }
    let text = refused(&gradient.narrow(2, 0, 2), &x, &weight);
    assert!(text.contains("gradient is [2, 4, 2, 4], want [2, 4, 3, 4]"), "{text}");
}
