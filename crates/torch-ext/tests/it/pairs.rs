//! Convolutions of bf16 maps: sums of exact products, rounded once, whatever the shape and whoever
//! computes.

use std::process::Command;

use catscan_torch_ext::convolution::{Pairs, Plan, Steps, conv2d};
use catscan_torch_ext::cpu;
use catscan_torch_ext::norm_relu::packed as channels_last;
use catscan_torch_ext::pieces;
use tch::{Device, Kind, Tensor, no_grad};

/// bf16 numbers of both signs.
fn numbers(dims: &[i64]) -> Tensor {
    let count = dims.iter().product::<i64>();
    let ramp = (Tensor::arange(count, (Kind::Double, Device::Cpu)) * 0.7).sin();
    channels_last(&ramp.view(dims).to_kind(Kind::BFloat16))
}

/// A kernel's size and stride, a picture, outputs.
type Case = (i64, i64, [i64; 4], i64);

/// An odd number of pictures, a single pixel, maps smaller than their kernel, no whole tiles of
/// rows, more pixels than are packed at once, gradients that go past the caches, strides.
const CASES: [Case; 15] = [
    (1, 1, [2, 64, 4, 4], 32),
    (1, 1, [3, 32, 5, 7], 128),
    (1, 1, [1, 32, 1, 1], 64),
    (1, 1, [5, 32, 24, 40], 96),
    (1, 1, [21, 160, 13, 17], 64),
    (1, 1, [1, 512, 3, 1], 160),
    (3, 1, [2, 128, 4, 4], 32),
    (3, 1, [3, 64, 4, 4], 128),
    (3, 1, [3, 64, 3, 5], 96),
    (3, 1, [1, 32, 1, 2], 64),
    (3, 1, [5, 32, 23, 29], 32),
    (3, 1, [9, 96, 19, 16], 160),
    (5, 1, [2, 32, 3, 2], 32),
    (3, 2, [2, 64, 7, 8], 96),
    (1, 2, [3, 96, 5, 6], 64),
];

/// Of more memory than any of these.
const LARGE: [Case; 2] = [(1, 1, [9, 512, 12, 12], 160), (3, 1, [9, 160, 9, 9], 160)];

fn steps(size: i64, stride: i64) -> Steps {
    Steps { stride, padding: size / 2 }
}

/// Maps, a weight, and a gradient of what comes of them.
fn tensors(&(size, stride, picture, outputs): &Case) -> [Tensor; 3] {
    let places = |side: i64| (side - 1) / stride + 1;
    let [n, inputs, h, w] = picture;
    [picture, [outputs, inputs, size, size], [n, outputs, places(h), places(w)]]
        .map(|dims| numbers(&dims))
}

/// Of 64-bit maps, which hold every product of bf16 numbers exactly.
fn exact(x: &Tensor, weight: &Tensor, gradient: &Tensor, stride: i64) -> [Tensor; 3] {
    let leaf = |tensor: &Tensor| tensor.to_kind(Kind::Double).set_requires_grad(true);
    let (x, weight) = (leaf(x), leaf(weight));
    let padding = [steps(weight.size()[2], stride).padding; 2];
    let y = x.conv2d(&weight, None::<Tensor>, [stride; 2], padding, [1; 2], 1);
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

fn computed(x: &Tensor, weight: &Tensor, gradient: &Tensor, stride: i64) -> [Tensor; 3] {
    let plan = Plan::of(x, weight, false, steps(weight.size()[2], stride));
    let y = no_grad(|| plan.forward(x, weight, None));
    let [of_x, of_weight, _] = plan.backward(gradient, x, weight, [true, true, false]);
    [y, of_x.unwrap(), of_weight.unwrap()]
}

#[test]
fn values_and_gradients_are_the_exact_ones_rounded_once() {
    for case in CASES {
        let (size, stride, picture, outputs) = case;
        let [x, weight, gradient] = tensors(&case);
        let wanted = exact(&x, &weight, &gradient, stride);
        let got = computed(&x, &weight, &gradient, stride);
        // Patches of a 3×3 are rounded before they are added up.
        let once = stride == 1 && Plan::of(&x, &weight, false, steps(size, stride)).rounds();
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
    for case in CASES {
        let (size, stride, picture, _) = case;
        let [x, weight, gradient] = tensors(&case);
        let wide = channels_last(&(weight.to_kind(Kind::Float) * 1.001));
        let steps = steps(size, stride);
        if !rounds(&x, &wide, false, steps) {
            eprintln!("skipped: this processor has no products of bf16 pairs");
            return;
        }
        assert!(!rounds(&x, &wide, true, steps), "a bias is not added");
        assert!(!rounds(&x.to_kind(Kind::Float), &wide, false, steps));
        let half = wide.to_kind(Kind::BFloat16);
        assert_ne!(half.to_kind(Kind::Float), wide, "something is rounded");
        let of_half = computed(&x, &half, &gradient, stride);
        assert_eq!(computed(&x, &wide, &gradient, stride), of_half, "{picture:?}");
        // In the graph too, where the weight's gradient is of its kind.
        let leaf = wide.set_requires_grad(true);
        let y = conv2d(&x, &leaf, None, steps);
        (y * &gradient).sum(Kind::Float).backward();
        assert_eq!(leaf.grad(), of_half[2]);
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let threads = tch::get_num_threads();
    for case in CASES {
        let [x, weight, gradient] = tensors(&case);
        let [one, many] = [1, 3].map(|threads| {
            tch::set_num_threads(threads);
            computed(&x, &weight, &gradient, case.1)
        });
        tch::set_num_threads(threads);
        assert_eq!(one, many, "{case:?}");
    }
}

/// oneDNN's own word for what it may use, which ours go by too.
const MOST: &str = "ONEDNN_MAX_CPU_ISA";

#[test]
fn what_the_processor_has_is_used() {
    let features = cpu::describe().features;
    let has = |feature: &str| features.iter().any(|has| has == feature);
    let wanted = match std::env::var(MOST).as_deref() {
        Err(_) if has("amx_bf16") && has("amx_tile") => Pairs::Tiles,
        Err(_) | Ok("AVX512_CORE_BF16") if has("avx512_bf16") => Pairs::Dots,
        Err(_) | Ok("AVX512_CORE_BF16") => Pairs::Library,
        Ok(other) => {
            eprintln!("skipped: {MOST} is {other}");
            return;
        }
    };
    let says = "the processor has what the compiler or the system has not: GCC before 11?";
    assert_eq!(Pairs::here(), wanted, "{says}");
}

/// A zero that is not written would multiply what lies there: finite, it would not show.
#[test]
fn what_was_left_in_memory_before_is_never_seen() {
    let spoil = |case: &Case| {
        let [x, weight, gradient] = tensors(case).map(|tensor| tensor * f64::NAN);
        let _ = computed(&x, &weight, &gradient, case.1);
    };
    for case in CASES {
        let [x, weight, gradient] = tensors(&case);
        let clean = computed(&x, &weight, &gradient, case.1);
        LARGE.iter().for_each(spoil);
        let again = computed(&x, &weight, &gradient, case.1);
        for (clean, again) in clean.iter().zip(&again) {
            assert_eq!(again.isnan().any().int64_value(&[]), 0, "{case:?}");
            assert_eq!(clean, again, "{case:?}");
        }
    }
}

#[test]
fn the_largest_number_of_a_weights_gradient_is_noted_until_it_is_written_to() {
    for case in CASES {
        let [x, weight, gradient] = tensors(&case);
        let leaf = channels_last(&weight.to_kind(Kind::Float)).set_requires_grad(true);
        let of_weight = |gradient: &Tensor| {
            let loss = (conv2d(&x, &leaf, None, steps(case.0, case.1)) * gradient).sum(Kind::Float);
            Tensor::run_backward(&[loss], &[&leaf], false, false).remove(0)
        };
        let found = of_weight(&gradient);
        if Pairs::here() == Pairs::Library {
            assert_eq!(pieces::noted(&found), None);
            eprintln!("skipped: this processor has no products of bf16 pairs");
            return;
        }
        let walked = |x: &Tensor| pieces::largest(&[x.copy().reshape([-1])]);
        assert_eq!(pieces::noted(&found), Some(walked(&found)), "{case:?}");
        assert_eq!(pieces::noted(&found.permute([0, 2, 3, 1])), Some(walked(&found)), "a view");
        assert_eq!(pieces::noted(&found.narrow(0, 0, 8)), None, "a part");
        assert_eq!(pieces::noted(&found.copy()), None, "another memory");
        let _ = found.narrow(1, 3, 1).fill_(1e30);
        assert_eq!(pieces::noted(&found), None, "written to");

        // In the last place that is computed, whichever that is.
        for bad in [f64::NAN, f64::INFINITY] {
            let spoilt = gradient.copy();
            let [n, channels] = [0, 1].map(|axis| spoilt.size()[axis] - 1);
            let _ = spoilt.get(n).get(channels).fill_(bad);
            let noted = pieces::noted(&of_weight(&spoilt)).unwrap();
            assert!(!noted.is_finite(), "{bad} in {case:?}: {noted}");
        }
    }
}

#[test]
fn the_same_holds_by_dot_products_where_there_are_tiles() {
    if std::env::var_os(MOST).is_some() {
        return;
    }
    let this = module_path!().split_once("::").expect("a module of the test").1;
    let others = [
        "what_the_processor_has_is_used",
        "what_was_left_in_memory_before_is_never_seen",
        "values_and_gradients_are_the_exact_ones_rounded_once",
        "a_weight_that_is_rounded_on_the_way_gives_the_same_bits",
        "the_number_of_threads_changes_no_bit",
        "the_largest_number_of_a_weights_gradient_is_noted_until_it_is_written_to",
    ];
    let names = others.map(|name| format!("{this}::{name}"));
    let ran = Command::new(std::env::current_exe().unwrap())
        .args(names)
        .args(["--exact", "--test-threads=1"])
        .env(MOST, "AVX512_CORE_BF16")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && told.contains("6 passed"), "{told}");
}
